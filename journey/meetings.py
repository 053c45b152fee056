"""From what a calendar service told us, in whatever order, to the meetings a contact has.

A booking that moves becomes another booking that names the one before. Bookings linked so, or by a calendar uid when a
link in between never arrived, are one meeting. What was sent last decides which of them counts; a cancelled booking
stays cancelled, whatever is delivered after it.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from contracts.bookings import (
    BookingCancelled,
    BookingCreated,
    BookingFact,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    MeetingEnded,
    NoShowReported,
    NoShowWithdrawn,
    Scheduled,
)

Status = Literal["booked", "requested", "cancelled", "rejected", "reschedule_requested", "unknown"]

CALLED_OFF = ("cancelled", "reschedule_requested")

MOST_MOVES = 1_000_000
"""A number of moves beyond it was made up, and a calendar file takes none beyond 2**31."""


class Booking(msgspec.Struct, frozen=True):
    """One booking: its newest time, and whether it still holds. `details` is None where only its end was heard of."""

    uid: str
    details: Scheduled | None
    status: Status
    heard_at: datetime
    """When the newest of its facts that count was sent."""


class NoShow(msgspec.Struct, frozen=True):
    """Somebody did not come to this booking: when that was last reported, and whether it was taken back."""

    uid: str
    at: datetime
    taken_back: bool
    holds: bool
    """Not taken back, and of the time that counts: the meeting has not moved since."""


class Meeting(msgspec.Struct, frozen=True):
    """What is known of one meeting. `current` is the booking that counts; `times` are all it ever had, oldest first."""

    current: Booking
    times: tuple[Scheduled, ...]
    no_shows: tuple[NoShow, ...] = ()
    called_off: int = 0
    """How many of its bookings were cancelled."""

    ended: bool = False

    @property
    def no_show(self) -> bool:
        return any(each.holds for each in self.no_shows)

    @property
    def is_on(self) -> bool:
        return self.current.status == "booked"

    @property
    def has_moved(self) -> bool:
        return len({(each.uid, each.start) for each in self.times}) > 1

    @property
    def sequence(self) -> int:
        """For the calendar file: grows with every move, and with every cancellation."""
        told = [each.ical_sequence or 0 for each in self.times]
        return max([0, len(self.times) - 1, *(each for each in told if each <= MOST_MOVES)]) + self.called_off


def meetings(facts: Iterable[BookingFact]) -> tuple[Meeting, ...]:
    """Every meeting, in the order of its first booking."""
    by_uid: dict[str, list[BookingFact]] = {}
    for fact in facts:
        by_uid.setdefault(fact.uid, []).append(fact)
    found = [_meeting([fact for uid in group for fact in by_uid[uid]]) for group in _groups(by_uid)]
    return tuple(sorted(found, key=lambda meeting: (min(_sent(meeting)), meeting.current.uid)))


def _sent(meeting: Meeting) -> list[datetime]:
    return [each.sent_at for each in meeting.times] or [meeting.current.heard_at]


def _groups(by_uid: dict[str, list[BookingFact]]) -> list[list[str]]:
    """Which bookings are one meeting."""
    parent = {uid: uid for uid in by_uid}

    def root(uid: str) -> str:
        while parent[uid] != uid:
            uid = parent[uid]
        return uid

    for uid, facts in by_uid.items():
        for fact in facts:
            before = getattr(fact, "reschedule_uid", None)
            if before in parent:
                parent[root(uid)] = root(before)
    for orphan, home in _by_calendar_uid(by_uid, root=root):
        parent[root(orphan)] = root(home)
    groups: dict[str, list[str]] = {}
    for uid in by_uid:
        groups.setdefault(root(uid), []).append(uid)
    return list(groups.values())


def _by_calendar_uid(by_uid: dict[str, list[BookingFact]], *, root: Callable[[str], str]) -> list[tuple[str, str]]:
    """Bookings whose predecessor never arrived, with the one of the same calendar uid they belong to.

    A booking that was created in its own right is a meeting of its own, whatever calendar uid it shows: a series shares
    one.
    """
    calendar = {
        uid: {each for fact in facts if (each := getattr(fact, "ical_uid", None))} for uid, facts in by_uid.items()
    }
    created = {
        root(uid)
        for uid, facts in by_uid.items()
        if any(isinstance(fact, BookingCreated | BookingRequested) and not fact.reschedule_uid for fact in facts)
    }
    latest = sorted(by_uid, key=lambda uid: (max(fact.sent_at for fact in by_uid[uid]), uid))
    pairs = []
    for uid in latest:
        if root(uid) in created:
            continue
        homes = [other for other in latest if root(other) != root(uid) and calendar[other] & calendar[uid]]
        begun = [home for home in homes if root(home) in created]
        pairs += [(uid, home) for home in (begun or homes)[-1:]]
    return pairs


def _meeting(facts: list[BookingFact]) -> Meeting:
    bookings = [_booking(uid, [fact for fact in facts if fact.uid == uid]) for uid in {fact.uid for fact in facts}]
    replaced = {before for fact in facts if (before := getattr(fact, "reschedule_uid", None)) and before != fact.uid}
    heads = [booking for booking in bookings if booking.uid not in replaced] or bookings
    current = max(heads, key=lambda booking: (booking.heard_at, booking.status != "unknown", booking.uid))
    return Meeting(
        current=current,
        times=tuple(sorted((fact for fact in facts if isinstance(fact, Scheduled)), key=_order)),
        no_shows=tuple(_no_shows(facts, current)),
        called_off=sum(booking.status in CALLED_OFF for booking in bookings),
        ended=any(isinstance(fact, MeetingEnded) and _is_about(fact, current) for fact in facts),
    )


def _no_shows(facts: list[BookingFact], current: Booking) -> Iterator[NoShow]:
    """One for each booking that somebody was reported missing at."""
    told = sorted((fact for fact in facts if isinstance(fact, NoShowReported | NoShowWithdrawn)), key=_order)
    for uid in sorted({fact.uid for fact in told}):
        said = [fact for fact in told if fact.uid == uid]
        reports = [fact for fact in said if isinstance(fact, NoShowReported)]
        if reports:
            taken_back = said[-1] is not reports[-1]
            holds = not taken_back and _is_about(reports[-1], current)
            yield NoShow(uid, reports[-1].sent_at, taken_back, holds)


def _is_about(fact: BookingFact, current: Booking) -> bool:
    """Of the time that counts, and not of one before the meeting moved."""
    moved_at = current.details.sent_at if isinstance(current.details, BookingRescheduled) else None
    return fact.uid == current.uid and (moved_at is None or fact.sent_at >= moved_at)


def _booking(uid: str, facts: list[BookingFact]) -> Booking:
    scheduled = sorted((fact for fact in facts if isinstance(fact, Scheduled)), key=_order)
    telling = [fact for fact in facts if isinstance(fact, Scheduled | BookingCancelled | BookingRejected)]
    return Booking(
        uid=uid,
        details=scheduled[-1] if scheduled else None,
        status=_status(facts),
        heard_at=max(fact.sent_at for fact in telling or facts),
    )


def _status(facts: list[BookingFact]) -> Status:
    if cancelled := [fact for fact in facts if isinstance(fact, BookingCancelled)]:
        return "reschedule_requested" if max(cancelled, key=_order).reschedule_requested else "cancelled"
    if any(isinstance(fact, BookingRejected) for fact in facts):
        return "rejected"
    if any(isinstance(fact, BookingCreated | BookingRescheduled) for fact in facts):
        return "booked"
    return "requested" if any(isinstance(fact, BookingRequested) for fact in facts) else "unknown"


def _order(fact: BookingFact) -> tuple[datetime, str, str, str]:
    """By sending time; what was sent in the same instant, in an order that never changes."""
    return fact.sent_at, fact.tag, fact.uid, fact.id
