"""The late policy: when an email is due that was kept back for a while, or that follows what was. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from journey.intents import Stop


def due_after(due: datetime, stops: Iterable[Stop], lasts: timedelta, *, runs_from: datetime | None = None) -> datetime:
    """`due`, as the stops that are over have moved it.

    What still waited as a stop began is due at its end, unless it had expired (it is worth sending for `lasts`). So is
    what came due in it, and what comes later keeps its time. With `runs_from` all of these move by the length of the
    stop instead: their clock stood still, though not before it ran.
    """
    for begin, end in stops:
        if end is None or end <= (runs_from or begin):
            continue
        stood_from = max(begin, runs_from or begin)
        if due < stood_from:
            due = end if due + lasts >= stood_from else due
        elif runs_from:
            due += end - stood_from
        else:
            due = max(due, end)
    return due


def came_due_in(due: datetime, stops: Iterable[Stop]) -> bool:
    """Whether its first time fell into a stop that is over."""
    return any(end is not None and begin <= due < end for begin, end in stops)


def hurried(
    due: datetime, retries: Iterable[tuple[int, datetime]], hurries: Iterable[tuple[int, datetime]]
) -> datetime:
    """`due`, as failed attempts have put it off and people have hurried it.

    A hurry knows how many attempts there had been: it cuts short what those wait for, and no later one's wait. Each
    step is a plain `max` or `min`, so one more hurry never makes it later, and the order of the facts does not count.
    """
    waits = [(number, 0, until) for number, until in retries]
    cuts = [(after, 1, at) for after, at in hurries]
    for _, cuts_short, moment in sorted([*waits, *cuts]):
        due = min(due, moment) if cuts_short else max(due, moment)
    return due
