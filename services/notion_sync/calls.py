"""What a contact's page shows of their calls. Pure.

Of several meetings one counts: one that is still to come before one that is over, and then the one heard of last.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from contracts.bookings import BookingRequested, Person, Scheduled
from journey.contact import Contact
from journey.meetings import Meeting
from services.notion_sync.values import Value, date, select

BOOKED, RESCHEDULED, CANCELLED, NO_SHOW, COMPLETED = "Booked", "Rescheduled", "Cancelled", "No-show", "Completed"
STATUSES = (BOOKED, RESCHEDULED, CANCELLED, NO_SHOW, COMPLETED)
COLUMNS: Mapping[str, str] = {"Booking Status": "select", "Diagnostic Call Date": "date"}

_ZONE = re.compile(r"UTC|GMT|(?!posix/|right/|SystemV/)[A-Za-z]+(/[A-Za-z0-9_+-]+)+")
"""Names that mean the same on every machine, as a page's digest must be: `localtime` does not."""


def call_that_counts(contact: Contact) -> Meeting | None:
    """None where no more is known than the end of a booking, or that somebody missed it: it may be a guest's."""
    known = [each for each in contact.meetings if each.current.status != "unknown"]
    return max(known, key=lambda each: (is_ahead(each), _heard_at(each, contact), each.current.uid), default=None)


def is_ahead(meeting: Meeting) -> bool:
    """Booked, and not over as far as anybody told us."""
    return meeting.is_on and not (meeting.ended or meeting.no_show)


def _heard_at(meeting: Meeting, contact: Contact) -> datetime:
    uids = {meeting.current.uid, *(each.uid for each in meeting.times)}
    return max(fact.sent_at for fact in contact.bookings.values() if fact.uid in uids)


def call_columns(meeting: Meeting) -> dict[str, Value]:
    return {"Booking Status": select(status(meeting)), "Diagnostic Call Date": call_date(meeting)}


def status(meeting: Meeting) -> str | None:
    """None while it is only asked for."""
    if meeting.current.status in {"cancelled", "rejected", "reschedule_requested"}:
        return CANCELLED
    if not meeting.is_on:
        return None
    if meeting.no_show:
        return NO_SHOW
    if meeting.ended:
        return COMPLETED
    return RESCHEDULED if meeting.has_moved else BOOKED


def call_date(meeting: Meeting) -> Value:
    """From when to when, by the organiser's clock; what was called off keeps its date."""
    time = _confirmed(meeting)
    if time is None:
        return date(None)
    zone = _zone(time.organizer, time.booker)
    return date(time.start, time.end, zone=zone)


def _confirmed(meeting: Meeting) -> Scheduled | None:
    """The time that is, or last was, agreed; None while another one is only asked for."""
    if meeting.current.status == "requested":
        return None
    times = [each for each in meeting.times if not isinstance(each, BookingRequested)]
    current = [each for each in times if each.uid == meeting.current.uid]
    return next(reversed(current or times), None)


def _zone(*people: Person | None) -> tzinfo:
    """The first one's that is known here; else UTC."""
    for person in people:
        name = person.time_zone if person else None
        if name and _ZONE.fullmatch(name):
            try:
                return ZoneInfo(name)
            except (LookupError, ValueError, OSError):  # unknown, or the name of a folder
                continue
    return UTC


def introduced(contact: Contact) -> Scheduled | None:
    """When they last said who they are, as they booked or moved; None where nobody gave a name."""
    times = [each for meeting in contact.meetings for each in meeting.times]
    said = [each for each in times if each.booker.name.strip() or each.booker.first_name.strip()]
    return max(said, key=lambda each: (each.sent_at, each.id), default=None)


def first_name(booker: Person) -> str:
    """Of somebody who gave a name."""
    return booker.first_name.strip() or booker.name.split()[0]
