"""The targets the business set, computed from facts: docs/targets.md says each in words. Pure.

A target is a share of good cases. It is held while the share over the window that ends now is large enough, and it
holds since it last was not: since the end of the last moment at which the window held too few good cases, or none.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from contracts.operations import WebhooksCounted
from journey.tally import Fate

WINDOW = timedelta(days=7)
GRAIN = timedelta(minutes=10)
"""Cases of the same ten minutes count as one moment, so that years of them fit into memory."""

Name = Literal["delivery", "webhooks", "answers", "duplicates"]
LEAST: Mapping[Name, float] = {"delivery": 0.99, "webhooks": 0.99, "answers": 0.99, "duplicates": 1.0}
"""The share of good cases that a target asks for: more than that, or, where it is all of them, all."""


class Cases(msgspec.Struct, frozen=True):
    good: int = 0
    bad: int = 0

    def plus(self, other: "Cases") -> "Cases":
        return Cases(self.good + other.good, self.bad + other.bad)

    def minus(self, other: "Cases") -> "Cases":
        return Cases(self.good - other.good, self.bad - other.bad)

    @property
    def all(self) -> int:
        return self.good + self.bad

    def share(self) -> float | None:
        return self.good / self.all if self.all else None

    def holds(self, least: float) -> bool:
        """Never without a case."""
        return self.all > 0 and (self.bad == 0 or self.good > least * self.all)


class Target(msgspec.Struct, frozen=True):
    """How one target stands. `value` and `cases` are those of the window; `ever` is all there is.

    `held` is None where there is nothing to measure it by. `since`: it has held at every moment from then until now.
    """

    name: Name
    least: float
    held: bool | None
    value: float | None
    cases: Cases
    ever: Cases
    since: datetime | None = None
    apart: Mapping[str, float] = {}


class Measured(msgspec.Struct):
    """Cases by moment, and what is counted apart, as facts come in; in any order."""

    cases: dict[Name, dict[int, Cases]] = msgspec.field(default_factory=dict)
    apart: dict[Name, dict[str, float]] = msgspec.field(default_factory=dict)

    def add(self, name: Name, at: datetime, *, good: int = 0, bad: int = 0) -> None:
        moments = self.cases.setdefault(name, {})
        moments[_moment(at)] = moments.get(_moment(at), Cases()).plus(Cases(good, bad))

    def note(self, name: Name, what: str, number: float) -> None:
        noted = self.apart.setdefault(name, {})
        noted[what] = noted.get(what, 0) + number

    def email(self, fate: Fate) -> None:
        """Delivery: what was sent or failed for good. Duplicates: whatever the provider took."""
        if fate.state == "failed" or (fate.state == "sent" and fate.word == "refused"):
            self.add("delivery", fate.refused_at or fate.at, bad=1)
        elif fate.state == "sent" and fate.delivered_at:
            self.add("delivery", fate.delivered_at, good=1)
        elif fate.state in {"sent", "unknown"}:
            self.note("delivery", "without a word yet" if fate.state == "sent" else "unknown", 1)
        if fate.again_at:
            self.add("duplicates", fate.again_at, bad=1)
        elif fate.accepted_at:
            self.add("duplicates", fate.accepted_at, good=1)

    def answers(self, fact: WebhooksCounted) -> None:
        """Success: what was taken, of that and what was our fault. Speed: of all answers."""
        for each in fact.routes.values():
            if each.accepted + each.failed:
                self.add("webhooks", fact.at, good=each.accepted, bad=each.failed)
            self.note("webhooks", "refused", each.refused)
            if whole := each.accepted + each.refused + each.failed:
                slow = min(each.slow, whole)
                self.add("answers", fact.at, good=whole - slow, bad=slow)
            slowest = self.apart.setdefault("answers", {})
            slowest["slowest ms"] = max(slowest.get("slowest ms", 0), each.slowest_ms)

    def targets(self, now: datetime, window: timedelta = WINDOW) -> list[Target]:
        return [self._target(name, now, window) for name in LEAST]

    def _target(self, name: Name, now: datetime, window: timedelta) -> Target:
        moments, least = self.cases.get(name, {}), LEAST[name]
        inside, since = standing(moments, _moment(now), window // GRAIN, least)
        ever = Cases(sum(each.good for each in moments.values()), sum(each.bad for each in moments.values()))
        return Target(
            name=name,
            least=least,
            held=inside.holds(least) if inside.all else None,
            value=inside.share(),
            cases=inside,
            ever=ever,
            since=None if since is None else datetime.fromtimestamp(since * GRAIN.total_seconds(), UTC),
            apart=self.apart.get(name, {}),
        )


def standing(moments: Mapping[int, Cases], now: int, window: int, least: float) -> tuple[Cases, int | None]:
    """What the window that ends now holds, and the first moment of the unbroken time it has been held; None: it is not.

    A case is in the window from its own moment on, for `window` moments; one that a wrong clock put into the future
    counts now. Between moments at which a case comes or goes nothing changes, so only those are looked at.
    """
    comes: dict[int, Cases] = {}
    for moment, each in moments.items():
        comes[min(moment, now)] = comes.get(min(moment, now), Cases()).plus(each)
    inside, since = Cases(), None
    for moment in sorted({*comes, *(each + window for each in comes if each + window <= now)}):
        inside = inside.plus(comes.get(moment, Cases())).minus(comes.get(moment - window, Cases()))
        if not inside.holds(least):
            since = None
        elif since is None:
            since = moment
    return inside, since


def not_held(targets: Iterable[Target]) -> list[Target]:
    return [each for each in targets if each.held is False]


def _moment(at: datetime) -> int:
    return int(at.timestamp() // GRAIN.total_seconds())
