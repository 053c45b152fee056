"""What to change in the bucket so that it holds exactly what the plan says. Pure."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from contracts.ids import EmailId
from contracts.subjects import Timer
from eventlog.timers import TimersOf
from journey.plan import Planned

STUCK = timedelta(seconds=60)
"""A key that is still there so long after its time did not fire and will not by itself."""


class Changes(msgspec.Struct, frozen=True):
    """Timers to write (over the sequence of a stuck entry, 0 for none), keys to purge, fired wake-ups to clear."""

    arm: tuple[tuple[Timer, int], ...] = ()
    purge: tuple[Timer, ...] = ()
    clear: tuple[Timer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.arm or self.purge or self.clear)


def reconcile(
    planned: Iterable[Planned],
    timers: TimersOf,
    campaigns: Collection[str],
    now: datetime,
    *,
    fired_are_lost: bool = False,
) -> Changes:
    """From the plan and what the bucket holds of one contact to the changes that make them agree.

    A wake-up that fired waits for the sender and is not armed again, unless `fired_are_lost`. Timers of campaigns
    this process does not know are left alone: a half-finished deployment must not cancel them.
    """
    wanted = {Timer.at(each.email_id, each.due) for each in planned if each.needs_a_look}
    armed = {entry.timer: entry for entry in timers.armed}
    there = armed.keys() if fired_are_lost else armed.keys() | set(timers.fired)
    stuck = {
        timer: entry.sequence
        for timer, entry in armed.items()
        if timer in wanted and (not entry.scheduled or timer.due_at + STUCK < now)
    }
    missing = sorted(wanted - there, key=lambda timer: timer.due)
    unwanted = [timer for timer in (*armed, *timers.fired) if timer not in wanted and _campaign(timer) in campaigns]
    return Changes(
        arm=tuple((timer, 0) for timer in missing) + tuple(stuck.items()),
        purge=tuple(timer for timer in unwanted if timer in armed),
        clear=tuple(timer for timer in unwanted if timer not in armed) if fired_are_lost else (),
    )


def _campaign(timer: Timer) -> str:
    return EmailId.parse(timer.email_id).campaign
