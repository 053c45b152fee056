"""What people wish by hand, in rounds: what is held or cancelled now, and when it was before.

Rounds order what was wished, not clocks: two hands that saw the same state wish in the same round, and there the
stronger wish counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from contracts.operators import OperatorCancelled, OperatorHeld, OperatorIntent, OperatorResumed

STRENGTH: Mapping[type[OperatorIntent], int] = {OperatorResumed: 0, OperatorHeld: 1, OperatorCancelled: 2}

Rounds = Mapping[int, OperatorIntent]
"""The intent that counts in each round, about one thing."""


class Stop(NamedTuple):
    """A time in which nothing was sent, or is: `end` is None while it lasts."""

    begin: datetime
    end: datetime | None


def heard(rounds: Rounds, fact: OperatorIntent) -> Rounds:
    known = rounds.get(fact.round, fact)
    return {**rounds, fact.round: max(known, fact, key=_weight)}


def _weight(fact: OperatorIntent) -> tuple[int, float, str, str]:
    """The strongest; of equals, which only a copied history can hold, always the same one: the earliest."""
    return STRENGTH[type(fact)], -fact.at.timestamp(), fact.by, fact.why


def newest(rounds: Rounds) -> OperatorIntent | None:
    return rounds[max(rounds)] if rounds else None


def stops(rounds: Rounds) -> Iterator[Stop]:
    """From each wish to stop, whether held or cancelled, to the one to go on."""
    begin: datetime | None = None
    for _, fact in sorted(rounds.items()):
        if not isinstance(fact, OperatorResumed):
            begin = begin or fact.at
        elif begin:
            yield Stop(begin, max(begin, fact.at))
            begin = None
    if begin:
        yield Stop(begin, None)


def merged(several: Iterable[Stop]) -> tuple[Stop, ...]:
    """In order of time, none touching another."""
    done: list[Stop] = []
    for stop in sorted(several, key=lambda each: each.begin):
        last = done[-1] if done else None
        if last is None or (last.end is not None and last.end < stop.begin):
            done.append(stop)
        else:
            done[-1] = Stop(last.begin, max(last.end, stop.end) if last.end and stop.end else None)
    return tuple(done)
