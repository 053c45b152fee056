"""Who booked, who comes along, and what they are called."""

import time
from typing import Any

import pytest

from tests import calcom
from tests.calcom import UID, attendee
from tests.factories import ADA
from tests.unit.ingest.calendar import fact_of, told

BOB = "bob@example.com"


def test_the_first_attendee_booked_and_the_others_are_guests() -> None:
    people = [attendee(), attendee(BOB, ""), {"email": "no address"}, attendee(BOB, "Again"), attendee(ADA.upper())]
    fact = fact_of(calcom.created(attendees=people))
    assert fact.booker.email == ADA
    assert [(guest.email, guest.name, guest.first_name) for guest in fact.guests] == [(BOB, "", "")]


def test_the_first_usable_attendee_booked() -> None:
    fact = fact_of(calcom.created(attendees=[{"email": "?"}, attendee(BOB, "", firstName=None)]))
    assert (fact.booker.email, fact.booker.first_name, fact.guests) == (BOB, "", ())


@pytest.mark.parametrize(
    ("names", "answer", "first_name"),
    [
        ({"firstName": "Ada", "name": "Countess Lovelace"}, None, "Ada"),
        ({"firstName": "", "name": "Ada Lovelace"}, None, "Ada"),
        ({"name": "  Ada\tLovelace "}, None, "Ada"),
        ({"firstName": None, "name": "Ada"}, None, "Ada"),
        ({"name": ""}, {"value": "Ada Lovelace"}, "Ada"),
        ({"name": ""}, "Ada Lovelace", "Ada"),
        ({"name": "Ada Mary Lovelace"}, {"value": {"firstName": "Ada Mary", "lastName": "Lovelace"}}, "Ada Mary"),
        ({"name": ""}, {"label": "your_name"}, ""),
        ({"name": ""}, 7, ""),
        ({"name": 7}, [], ""),
        ({}, None, ""),
        ({"name": "\u202eadA\r\nBcc: x"}, None, "adA"),
        ({"name": "x" * 60_000}, None, "x" * 100),
    ],
)
def test_the_first_name_is_found_where_it_stands(names: dict[str, Any], answer: object, first_name: str) -> None:
    fact = fact_of(calcom.created(attendees=[{"email": ADA, **names}], responses={"name": answer}))
    assert fact.booker.first_name == first_name


@pytest.mark.parametrize(
    ("zone", "kept"),
    [
        ("Europe/Berlin", True),
        ("America/Argentina/Buenos_Aires", True),
        ("Etc/GMT+5", True),
        ("UTC", True),
        ("", False),
        (None, False),
        (7, False),
        ("../../etc/passwd", False),
        ("Europe/Berlin\n", False),
        ("a" * 300, False),
    ],
)
def test_a_time_zone_is_kept_if_it_can_be_one(zone: object, kept: bool) -> None:
    fact = fact_of(calcom.created(attendees=[attendee(timeZone=zone)]))
    assert fact.booker.time_zone == (zone if kept else None)


@pytest.mark.parametrize(
    ("language", "locale"),
    [
        ({"language": {"locale": "pt-BR"}}, "pt-BR"),
        ({"language": None, "locale": "en_GB"}, "en_GB"),
        ({"language": {}}, None),
        ({"language": "de"}, None),
        ({"language": {"locale": "<b>"}}, None),
    ],
)
def test_a_locale_is_found_in_both_places(language: dict[str, Any], locale: str | None) -> None:
    assert fact_of(calcom.created(attendees=[attendee(**language)])).booker.locale == locale


def test_a_team_is_not_among_the_guests() -> None:
    fact = fact_of(calcom.team())
    assert fact.booker.email == ADA
    assert [guest.email for guest in fact.guests] == [BOB]


def test_two_seats_of_one_meeting_are_two_contacts() -> None:
    ada, bob = fact_of(calcom.seated()), fact_of(calcom.seated(BOB, "Bob"))
    assert ada.uid == bob.uid == UID
    assert ada.contact != bob.contact


def test_everybody_with_a_seat_is_told_of_a_cancelled_meeting() -> None:
    seat = {"referenceUid": "seat-1"}
    people = [attendee(bookingSeat=seat), attendee(BOB, "Bob", bookingSeat=seat)]
    for body in (calcom.cancelled(attendees=people), calcom.ended(attendees=people)):
        assert [fact.booker.email for fact in told(body).facts] == [ADA, BOB]
    by_slots = calcom.cancelled(attendees=[attendee(), attendee(BOB)], seatsPerTimeSlot=5)
    assert len(told(by_slots).facts) == 2


def test_holders_of_other_seats_are_no_guests() -> None:
    facts = told(calcom.created(attendees=[attendee(), attendee(BOB)], seatsPerTimeSlot=5)).facts
    assert [fact.guests for fact in facts] == [(), ()]  # type: ignore[attr-defined]


def test_a_crowd_is_bounded() -> None:
    fact = fact_of(calcom.created(attendees=[attendee(f"a{n}@example.com") for n in range(1_000)]))
    assert len(fact.guests) == 99


def test_hostile_names_are_quick() -> None:
    """Ordering combining marks takes time quadratic in their number."""
    people = [attendee(f"a{n}@example.com", "\u0301\u0323" * 1_000) for n in range(100)]
    started = time.process_time()
    fact_of(calcom.created(attendees=people))
    assert time.process_time() - started < 1


def test_an_organizer_without_an_address_is_none() -> None:
    assert fact_of(calcom.created(organizer=calcom.host(email=""))).organizer is None
    assert fact_of(calcom.created(organizer=None)).organizer is None
