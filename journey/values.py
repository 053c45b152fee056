"""What is known for one email: the raw values behind a campaign's variables, and who gets it.

A campaign's variables format them and stand in for what is missing (campaign.variables_for).
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from contracts.bookings import Person, Scheduled
from contracts.ids import contact_id
from contracts.operators import Correctable
from journey.contact import Contact, Signup
from journey.model import Campaign, Sequence
from journey.occasions import Occasion
from journey.variables import MEETING, SUPPLIED, text, url

GUEST_LIMIT = 49
"""The provider takes 50 recipients."""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ZONE = re.compile(r"UTC|GMT|(?!posix/|right/|SystemV/)[A-Za-z]+(/[A-Za-z0-9_+-]+)+")
"""Names that mean the same on every machine: `localtime` does not."""

_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z][A-Za-z0-9-]{{0,61}}[A-Za-z0-9]")
"""RFC 5321 without its oddities, and with a top-level domain such as there are."""


def values_of(contact: Contact, campaign: Campaign, occasion: Occasion) -> dict[str, object]:
    """Raw values by name: this campaign's signup, the meeting over it, and what came with the trigger.

    What we supply ourselves is ours to say: there a trigger's values only fill gaps. Anything else they override. A
    form cannot speak for the calendar: fields that are named like a meeting's are left out. Names that a person
    corrected by hand are the corrected ones, wherever they came from.
    """
    signup = contact.signups.get(campaign.id)
    values = {name: each for name, each in (signup.values() if signup else {}).items() if name not in MEETING}
    if occasion.time:
        values |= meeting_values(occasion.time)
    said = occasion.trigger.values if occasion.trigger else {}
    values |= {name: each for name, each in said.items() if name not in SUPPLIED or _is_absent(values.get(name))}
    return {**values, **{name: _name(contact, name, signup, occasion) for name in get_args(Correctable)}}


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and text(value) is None)


def _name(contact: Contact, field: Correctable, signup: Signup | None, occasion: Occasion) -> str | None:
    """The first that was said, as far as nobody knows better; a correction to nothing is as if it was not said."""
    names = (contact.corrected(field, said, at) for said, at in _said(field, signup, occasion))
    return next((each for each in names if not _is_absent(each)), None)


def _said(field: Correctable, signup: Signup | None, occasion: Occasion) -> Iterator[tuple[str | None, datetime]]:
    """What the form said, then what came with the trigger, then the calendar; nobody may have said anything."""
    time, trigger = occasion.time, occasion.trigger
    if signup:
        yield getattr(signup.latest, field), signup.latest.at
    if trigger:
        yield _as_text(trigger.values.get(field)), trigger.at
    if time and field == "first_name":
        yield time.booker.first_name, time.sent_at
        yield next(iter(time.booker.name.split()), None), time.sent_at
    if trigger and field == "first_name":
        yield trigger.first_name, trigger.at
    yield None, occasion.began_at


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else text(value)


def meeting_values(time: Scheduled) -> dict[str, object]:
    """A meeting as the booker sees it: in their zone, or the organiser's, or UTC."""
    zone = _zone(time)
    local = time.start.astimezone(zone)
    return {
        "meeting_day": f"{_DAYS[local.weekday()]}, {local.day} {_MONTHS[local.month - 1]} {local.year}",
        "meeting_clock": f"{local.hour % 12 or 12}:{local.minute:02} {'AM' if local.hour < 12 else 'PM'}",
        "meeting_zone": _zone_name(zone, local),
        "meeting_length": _length(time.end - time.start),
        "meeting_title": time.title,
        "meeting_link": next((each for each in (time.video_url, time.location) if url(each)), None),
        "organizer_name": time.organizer.name if time.organizer else None,
    }


def _zone(time: Scheduled) -> ZoneInfo:
    for person in (time.booker, time.organizer):
        name = person.time_zone if person else None
        if name and _ZONE.fullmatch(name):
            try:
                return ZoneInfo(name)
            except (LookupError, ValueError, OSError):  # unknown, or the name of a folder
                continue
    return ZoneInfo("UTC")


def _zone_name(zone: ZoneInfo, local: datetime) -> str:
    """`Toronto time`. Names such as Etc/GMT+5 mean the opposite of what they say, so there it is the offset."""
    area, _, place = (zone.key or "").rpartition("/")
    if area in {"", "Etc"}:
        return _offset(local.utcoffset() or timedelta(0))
    return f"{place.replace('_', ' ')} time"


def _offset(offset: timedelta) -> str:
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta(0) else "+"
    return f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else "UTC"


def _length(length: timedelta) -> str | None:
    hours, minutes = divmod(length // timedelta(minutes=1), 60)
    counts = ((hours, "hour"), (minutes, "minute")) if hours >= 0 else ()
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count) or None


def recipients(occasion: Occasion, sequence: Sequence, contact: Contact) -> tuple[str, tuple[str, ...]]:
    """To whom, and with copies to whom. Errors: ValueError for a contact without an address, so without facts."""
    to = occasion.time.booker.email if occasion.time else contact.address
    if not to:
        raise ValueError(f"contact {contact.id} has no address")
    guests = occasion.time.guests if occasion.time and sequence.guests else ()
    return to, _copies(guests, {contact.id, contact_id(to)})


def _copies(guests: tuple[Person, ...], seen: set[str]) -> tuple[str, ...]:
    """Each once, and the booker not again. One bad address would have the provider refuse the email to all."""
    copies = []
    for address in (guest.email.strip() for guest in guests):
        if contact_id(address) not in seen and len(address) <= 254 and _ADDRESS.fullmatch(address):
            seen.add(contact_id(address))
            copies.append(address)
    return tuple(copies[:GUEST_LIMIT])
