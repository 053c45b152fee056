"""The calendar file of a meeting (RFC 5545, RFC 5546): the same facts give the same bytes."""

from datetime import UTC, datetime
from email.utils import parseaddr
from urllib.parse import quote

from icalendar import Calendar, Event, vCalAddress, vDatetime, vUri

from contracts.bookings import Person, Scheduled
from contracts.ids import digest
from journey.meetings import Meeting
from journey.occasions import Occasion
from journey.variables import printable, text, url

PRODUCT = "-//Dripstream//Dripstream//EN"
_IN_AN_ADDRESS = "@!$&'*+/=?^_`{|}~.-"


def calendar_file(occasion: Occasion, *, organizer_fallback: str, cancelled: bool) -> bytes:
    """An invitation to the meeting, or what takes it back; a newer one replaces what a calendar has under its UID.

    Units: times in UTC; a zone would come with decades of its rules.
    Errors: ValueError for an occasion without a meeting.
    Source: RFC 5546, 3.2.2 and 3.2.5. The attachment's content type is `text/calendar; method=<METHOD>`.
    """
    if occasion.time is None or occasion.meeting is None:
        raise ValueError(f"occasion {occasion.instance} has no meeting")
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODUCT)
    calendar.add("METHOD", method(cancelled=cancelled))
    event = _event(occasion.time, occasion.meeting, cancelled=cancelled)
    event.add("ORGANIZER", _organizer(occasion.time.organizer, organizer_fallback))
    event.add("ATTENDEE", _attendee(occasion.time.booker))
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def method(*, cancelled: bool) -> str:
    return "CANCEL" if cancelled else "REQUEST"


def _event(time: Scheduled, meeting: Meeting, *, cancelled: bool) -> Event:
    event = Event()
    event.add("UID", _uid(meeting))
    event.add("SEQUENCE", meeting.sequence)
    event.add("STATUS", "CANCELLED" if cancelled else "CONFIRMED")
    event["DTSTAMP"] = _utc(meeting.current.heard_at if cancelled else time.sent_at)
    event["DTSTART"], event["DTEND"] = _utc(time.start), _utc(time.end)
    event.add("SUMMARY", text(time.title) or "Meeting")
    link = next((each for each in map(url, (time.video_url, time.location)) if each), None)
    if link:
        event["URL"] = vUri(link)
    if place := link or _place(time.location):
        event.add("LOCATION", place)
    return event


def _uid(meeting: Meeting) -> str:
    """The same for every time the meeting ever had. A booking's own uid opens its cancel page, so it stays here."""
    known = (each.ical_uid for each in meeting.times if each.ical_uid)
    return text(next(known, None)) or f"{digest(meeting.times[0].uid)}@dripstream"


def _place(location: str | None) -> str | None:
    """An address or a telephone number; `integrations:…` is the calendar service talking to itself."""
    return None if location is None or location.startswith("integrations:") else text(location)


def _utc(moment: datetime) -> vDatetime:
    return vDatetime(moment.astimezone(UTC).replace(microsecond=0))


def _organizer(organizer: Person | None, fallback: str) -> vCalAddress:
    name, address = (organizer.name, organizer.email) if organizer and organizer.email else parseaddr(fallback)
    return _person(address, name)


def _attendee(booker: Person) -> vCalAddress:
    """They booked it themselves, so nobody asks them whether they come."""
    person = _person(booker.email, booker.name or booker.first_name)
    person.params |= {"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"}
    return person


def _person(address: str, name: str) -> vCalAddress:
    person = vCalAddress(f"mailto:{quote(printable(address), safe=_IN_AN_ADDRESS)}")
    if shown := text(name):
        person.params["CN"] = shown
    return person
