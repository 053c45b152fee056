"""Which fault strikes what, when and for how long: from the seed alone, before anything runs. Pure."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SERVICES = ("ingest", "scheduler", "sender", "notion-sync")
KINDS = ("kill", "restart", "pause", "cut", "refuse", "blackhole", "trouble", "limits", "full", "power")
DOWN_S, CUT_S = (0.1, 2.0), (0.5, 4.0)
LASTS_S = {
    **dict.fromkeys(("kill", "restart", "power"), DOWN_S),
    "pause": (7.0, 11.0),  # longer than ack_wait, as the run sets it
    "full": (2.0, 4.0),
    "limits": (4.0, 8.0),
}
REST_S = 4.0
"""What a victim gets to come back before it is struck again."""

TROUBLE: dict[str, tuple[dict[str, Any], ...]] = {
    "resend": (
        {"action": "status", "status": 500},
        {"action": "status", "status": 503},
        {"action": "status", "status": 429, "retry_after": 1},
        {"action": "status", "status": 409},
        {"action": "timeout_before_accept", "delay_s": 1.5},
        {"action": "timeout_after_accept", "delay_s": 1.5},
        {"action": "reset"},
        {"action": "slow", "delay_s": 2},
        {"action": "non_json", "status": 502},
    ),
    "notion": (
        {"action": "status", "status": 503},
        {"action": "status", "status": 429, "retry_after": 2},
        {"action": "status", "status": 409},
        {"action": "timeout_before_accept", "delay_s": 1.5},
        {"action": "timeout_after_accept", "delay_s": 1.5},
        {"action": "reset"},
        {"action": "slow", "delay_s": 2},
        {"action": "non_json", "status": 502},
    ),
}
"""Ways in which a provider goes wrong, as the sandbox calls them."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, `at_s` seconds after the start, for `for_s` seconds where it lasts."""

    at_s: float
    kind: str
    victim: str
    for_s: float = 0.0
    how: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        how = " ".join(f"{name}={value}" for name, value in self.how)
        return f"{self.at_s:7.1f} s  {self.kind:<9} {self.victim:<14} {self.for_s:4.1f} s  {how}".rstrip()


@dataclass(frozen=True)
class Stage:
    """What there is to strike: names of processes (`sender-2`) and of brokers (`n1`), and whether the disk can be."""

    processes: Sequence[str]
    brokers: Sequence[str]
    disk: bool = False
    only: Sequence[str] = ()
    """Of these kinds only; of all when there are none."""

    lasting: bool = True
    """Whether faults that take long to recover from are wanted: not in a short run."""


def plan(seed: int, count: int, within_s: float, stage: Stage) -> list[Fault]:
    """So many faults, spread over the time. The same seed and options give the same plan."""
    dice = random.Random(f"faults {seed}")
    free_at: dict[str, float] = {}
    faults: list[Fault] = []
    for number in range(count):
        at_s = within_s * (number + dice.random()) / count
        free = [each for each in _possible(stage) if free_at.get(each[1], 0.0) <= at_s]
        if not free:
            continue
        kind, victim, _ = dice.choices(free, weights=[weight for _, _, weight in free])[0]
        fault = _fault(dice, round(at_s, 2), kind, victim)
        free_at[victim] = fault.at_s + fault.for_s + REST_S
        faults.append(fault)
    if len(stage.brokers) > 1 and stage.lasting:
        faults.append(Fault(round(within_s * 0.6, 2), "lose", stage.brokers[-1], how=(("comes_back", seed % 2 == 0),)))
    return sorted(faults, key=lambda fault: fault.at_s)


def by_kind(faults: Sequence[Fault]) -> Counter[str]:
    return Counter(f"{fault.kind} {_what(fault.victim)}" for fault in faults)


def _what(victim: str) -> str:
    """Without the number of the instance or node."""
    head, _, tail = victim.partition(">")
    name = "nats" if re.fullmatch(r"n\d", head) else re.sub(r"-\d+$", "", head)
    return f"{name} > {tail}" if tail else name


def _possible(stage: Stage) -> list[tuple[str, str, float]]:
    """Kind, victim, weight. A link has an arrow in its name and is a victim of its own."""
    found = [(kind, name, weight) for name in stage.processes for kind, weight in _OF_PROCESSES]
    found += [(kind, name, weight) for name in stage.brokers for kind, weight in _OF_BROKERS]
    found += [("kill", "leader", 12.0)] if len(stage.brokers) > 1 else []
    links = [f"{name}>{end}" for name in stage.processes for end in _ends(name)]
    found += [(kind, link, 0.4) for link in links for kind in ("cut", "refuse", "blackhole")]
    found += [("trouble", api, 8.0) for api in TROUBLE] + [("limits", api, 1.0) for api in TROUBLE]
    found += [("full", "disk", 2.5), ("power", "disk", 2.5)] if stage.disk else []
    return [each for each in found if not stage.only or each[0] in stage.only]


_OF_PROCESSES = (("kill", 3.5), ("restart", 1.0), ("pause", 1.5))
_OF_BROKERS = (("kill", 10.0), ("restart", 2.0), ("pause", 4.0))


def _ends(name: str) -> tuple[str, ...]:
    return ("nats", "sandbox") if name.startswith(("sender", "notion-sync")) else ("nats",)


def _fault(dice: random.Random, at_s: float, kind: str, victim: str) -> Fault:
    if kind == "trouble":
        trouble = {**dice.choice(TROUBLE[victim]), "times": dice.randint(1, 3)}
        return Fault(at_s, kind, victim, how=tuple(trouble.items()))
    low, high = LASTS_S.get(kind, CUT_S)
    return Fault(at_s, kind, victim, 0.0 if kind == "cut" else round(dice.uniform(low, high), 2))
