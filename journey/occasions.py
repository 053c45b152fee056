"""Occasions: the times at which a contact goes through a sequence.

A signup is one occasion; so is each time of each meeting, a no-show, a trigger. An occasion says from which moment its
steps count, whether it still holds, and until when its emails are worth sending. What follows from it is in plan.py.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from contracts.bookings import BookingRequested, Scheduled
from contracts.facts import Triggered
from contracts.ids import EmailId, digest
from journey.contact import Contact
from journey.meetings import CALLED_OFF, Meeting
from journey.model import Campaign, Sequence

ONCE = "once"
"""The instance of a sequence that a contact goes through once."""


class Occasion(msgspec.Struct, frozen=True):
    """`anchor`: steps count from here. `began_at`: when it became known, so nothing is due before."""

    instance: str
    anchor: datetime
    began_at: datetime
    ends_at: datetime | None = None
    """Nothing of it is sent from here on: the meeting begins."""

    over: str | None = None
    """Why nothing more of it is sent."""

    time: Scheduled | None = None
    meeting: Meeting | None = None
    trigger: Triggered | None = None


def occasions(contact: Contact, campaign: Campaign, sequence: Sequence) -> Iterator[Occasion]:
    """Every occasion of one sequence, in the order they began."""
    for occasion in _begun(contact, campaign, sequence):
        over = occasion.over or _exited(contact, campaign, sequence, occasion)
        yield msgspec.structs.replace(occasion, over=over)


def _begun(contact: Contact, campaign: Campaign, sequence: Sequence) -> Iterator[Occasion]:
    match sequence.trigger:
        case "signup":
            if signup := contact.signups.get(campaign.id):
                yield Occasion(ONCE, signup.first_at, signup.first_at)
        case "booking_created":
            yield from (each for meeting in contact.meetings for each in _meeting_times(meeting, sequence))
        case "booking_cancelled":
            yield from (each for meeting in contact.meetings for each in _cancelled(meeting, contact, campaign))
        case "no_show_reported":
            yield from (each for meeting in contact.meetings for each in _missed(meeting))
        case name:
            yield from _triggered(contact, campaign, name)


def _meeting_times(meeting: Meeting, sequence: Sequence) -> Iterator[Occasion]:
    """One for every time the meeting ever had; only the current one is not over."""
    current = meeting.current.details
    seen: set[str] = set()
    for time in reversed(meeting.times):
        instance = instance_of(time)
        if instance in seen:
            continue
        seen.add(instance)
        began_at = _confirmed_at(meeting, time)
        anchors = {"trigger": began_at, "start": time.start, "end": time.end}
        holds = current is not None and (time.uid, time.start) == (current.uid, current.start)
        yield Occasion(
            instance=instance,
            anchor=anchors[sequence.anchor],
            began_at=began_at,
            ends_at=None if sequence.anchor == "end" else time.start,
            over=None if holds and meeting.is_on else _why_over(meeting, holds=holds),
            time=time,
            meeting=meeting,
        )


def _confirmed_at(meeting: Meeting, time: Scheduled) -> datetime:
    """When this time became known for good: a mere request is left out if it was confirmed."""
    same = [each for each in meeting.times if (each.uid, each.start) == (time.uid, time.start)]
    confirmed = [each for each in same if not isinstance(each, BookingRequested)]
    return min(each.sent_at for each in confirmed or same)


def _why_over(meeting: Meeting, *, holds: bool) -> str:
    status = meeting.current.status
    if not holds and status == "booked":
        return "booking_rescheduled"
    return {
        "booked": "booking_rescheduled",
        "requested": "booking_not_confirmed",
        "cancelled": "booking_cancelled",
        "rejected": "booking_rejected",
        "reschedule_requested": "reschedule_requested",
        "unknown": "booking_unknown",
    }[status]


def _cancelled(meeting: Meeting, contact: Contact, campaign: Campaign) -> Iterator[Occasion]:
    """A cancelled meeting; of interest to somebody who has it in their calendar from us."""
    if meeting.current.status in CALLED_OFF and meeting.times:
        yield Occasion(
            instance=_uid(meeting),
            anchor=meeting.current.heard_at,
            began_at=meeting.current.heard_at,
            ends_at=meeting.times[-1].start,
            over=None if _was_sent_calendar(meeting, contact, campaign) else "nothing_to_take_back",
            time=meeting.times[-1],
            meeting=meeting,
        )


def _was_sent_calendar(meeting: Meeting, contact: Contact, campaign: Campaign) -> bool:
    ids = (
        EmailId(contact.id, campaign.id, sequence.id, instance_of(time), step.id)
        for sequence, step in campaign.all_steps()
        if step.calendar
        for time in meeting.times
    )
    return any(contact.email(str(each)).is_sent for each in ids)


def _missed(meeting: Meeting) -> Iterator[Occasion]:
    """A no-show at a meeting we know; guests and strangers are not written to about it."""
    for missed in meeting.no_shows if meeting.times else ():
        yield Occasion(
            instance=digest(missed.uid),
            anchor=missed.at,
            began_at=missed.at,
            over=None if missed.holds else "no_show_withdrawn" if missed.taken_back else "booking_rescheduled",
            time=meeting.times[-1],
            meeting=meeting,
        )


def instance_of(time: Scheduled) -> str:
    """A booking at one time: another time is another email."""
    return f"{digest(time.uid)}-{int(time.start.timestamp())}"


def _uid(meeting: Meeting) -> str:
    return digest(meeting.current.uid)


def _triggered(contact: Contact, campaign: Campaign, name: str) -> Iterator[Occasion]:
    """Once a contact, from the first time it was said."""
    said = [each for each in contact.triggers.values() if (each.campaign, each.name) == (campaign.id, name)]
    if said:
        first = min(said, key=lambda each: (each.at, each.id))
        yield Occasion(ONCE, first.at, first.at, trigger=first)


def _exited(contact: Contact, campaign: Campaign, sequence: Sequence, occasion: Occasion) -> str | None:
    """The first name in `exit_on` that has happened since the occasion began."""
    for name in sequence.exit_on:
        if any(moment >= occasion.began_at for moment in _moments(contact, campaign, name, occasion)):
            return name
    return None


def _moments(contact: Contact, campaign: Campaign, name: str, occasion: Occasion) -> list[datetime]:
    """When it happened; for an occasion that is about a meeting, to that meeting where it can only be meant so."""
    mine = occasion.meeting.times[0].uid if occasion.meeting else None
    meant = [each for each in contact.meetings if mine is None or mine in {time.uid for time in each.times}]
    match name:
        case "signup":
            signup = contact.signups.get(campaign.id)
            return [signup.latest.at] if signup else []
        case "booking_created":
            times = (time for each in contact.meetings for time in each.times)
            return [time.sent_at for time in times if not isinstance(time, BookingRequested)]
        case "booking_cancelled":
            return [each.current.heard_at for each in meant if each.current.status in CALLED_OFF]
        case "no_show_reported":
            return [missed.at for each in meant for missed in each.no_shows if missed.holds]
        case _:
            said = contact.triggers.values()
            return [each.at for each in said if (each.campaign, each.name) == (campaign.id, name)]
