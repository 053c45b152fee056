"""The next pending emails, at a price that does not grow with how many there are.

A few keys are listed at once and put in order. Of many, hour after hour is only counted until the ones that are wanted
are in sight, and then the keys of those hours are listed: a million keys are 100 MB, and who asks waits for seconds.
"""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from contracts import subjects
from contracts.ids import BadId
from contracts.subjects import Timer
from eventlog.connection import Broker
from eventlog.index import count, info, subjects_in
from eventlog.timers import STREAM, how_many

LISTED = 20_000
"""So many are listed at once."""

BACK_H, AHEAD_H, AT_ONCE = 48, 400 * 24, 96
"""How many hours are looked through: as far back as the sweep puts right, and further ahead than any campaign plans."""


async def soonest(
    broker: Broker, limit: int, *, now: datetime, contact: str | None = None, campaign: str | None = None
) -> tuple[list[Timer], int]:
    """The next so many armed timers in order of time, and how many there are. Errors: Unavailable.

    Of an hour with more than 100,000 the server lists that many, and only those are put in order.
    """
    wanted = subjects.timers_like(contact=contact, campaign=campaign)
    total = await (count(broker, STREAM, wanted) if contact or campaign else how_many(broker))
    if total <= LISTED:
        return _first(await subjects_in(broker, STREAM, wanted), limit), total
    found: list[Timer] = []
    for hours in _hours(now):
        filters = [subjects.timers_like(contact=contact, campaign=campaign, hour=hour) for hour in hours]
        numbers = await asyncio.gather(*(count(broker, STREAM, each) for each in filters))
        for each in (each for each, number in zip(filters, numbers, strict=True) if number):
            found += _first((await info(broker, STREAM, wanted=each)).state.subjects or (), limit - len(found))
            if len(found) == limit:
                return found, total
    return found, total


def _hours(now: datetime) -> Iterator[list[datetime]]:
    """From the oldest on, some at a time."""
    this = int(now.timestamp()) // 3600
    for first in range(this - BACK_H, this + AHEAD_H, AT_ONCE):
        yield [datetime.fromtimestamp(3600 * hour, UTC) for hour in range(first, first + AT_ONCE)]


def _first(names: Iterable[str], limit: int) -> list[Timer]:
    timers = (timer for name in sorted(names, key=_when) if (timer := _parsed(name)))
    return list(islice(timers, limit))


def _when(name: str) -> tuple[str, str]:
    """A key ends in its time, and keys of one time are in order as they are."""
    return name.rpartition(".")[2], name


def _parsed(subject: str) -> Timer | None:
    """None for a key that is not ours: a person put it there, and it never fires as an email."""
    try:
        timer = Timer.parse(subject)
    except BadId:
        return None
    return timer if subject == timer.subject else None
