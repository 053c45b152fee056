"""Who is in a Cal.com booking: who booked, who comes along, who hosts. Pure."""

from collections.abc import Sequence

import msgspec

from contracts.bookings import Person
from services.ingest.calcom_body import NAME, Fields, Unusable, address, first_word, items, line, part, person, whole

MOST_PEOPLE = 100
MOST_SEATS = 100_000


def bookers(fields: Fields) -> tuple[Person, ...]:
    """The first attendee; at a seated event all of them, as each has booked a seat. Errors: Unusable."""
    people = _people(fields)
    if not people:
        raise Unusable("attendees", "must hold somebody with an email address")
    if _is_seated(fields) and len(people) > 1:
        return people
    return (_named(people[0], fields),)


def guests(fields: Fields, booked: Sequence[Person]) -> tuple[Person, ...]:
    """Who came along: neither the hosts, whom some team events list as well, nor holders of other seats."""
    if _is_seated(fields):
        return ()
    left_out = hosts(fields) | {each.email for each in booked}
    return tuple(each for each in _people(fields) if each.email not in left_out)


def hosts(fields: Fields) -> set[str]:
    """The addresses of the organiser and of the team."""
    members = items(part(fields, "team"), "members", MOST_PEOPLE)
    found = (address(each.get("email")) for each in [part(fields, "organizer"), *members])
    return {each for each in found if each}


def organizer(fields: Fields) -> Person | None:
    return person(part(fields, "organizer"))


def marked(fields: Fields) -> tuple[tuple[Person, bool], ...]:
    """Whom a no-show update speaks of, each once, and whether they did not come. Errors: Unusable."""
    entries = [each for each in items(fields, "attendees", MOST_PEOPLE) if isinstance(each.get("noShow"), bool)]
    found = {who.email: (who, each["noShow"]) for each in entries for who in [person(each)] if who}
    if not found:
        raise Unusable("attendees", "must hold somebody with an email address and noShow")
    return tuple(found.values())


def _people(fields: Fields) -> tuple[Person, ...]:
    """Attendees with a usable address, each once, in the order sent: the booker first."""
    found: dict[str, Person] = {}
    for each in items(fields, "attendees", MOST_PEOPLE):
        who = person(each)
        if who:
            found.setdefault(who.email, who)
    return tuple(found.values())


def _is_seated(fields: Fields) -> bool:
    seats = fields.get("seatsPerTimeSlot") or part(fields, "eventType").get("seatsPerTimeSlot")
    return bool(whole(seats, MOST_SEATS)) or any(
        part(each, "bookingSeat") for each in items(fields, "attendees", MOST_PEOPLE)
    )


def _named(booker: Person, fields: Fields) -> Person:
    """With the first name from the booking form; older rows hold the bare answer."""
    first_attendee = next(iter(items(fields, "attendees", 1)), {})
    if address(first_attendee.get("email")) != booker.email:
        return booker
    answer = part(fields, "responses").get("name")
    value = answer.get("value", answer) if isinstance(answer, dict) else answer
    first = line(value.get("firstName"), NAME) if isinstance(value, dict) else ""
    return msgspec.structs.replace(booker, first_name=first or booker.first_name or first_word(value))
