"""The calendar file, read back as a calendar reads it."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from contracts.facts import AnyFact
from contracts.ids import contact_id, digest
from journey.calendar import calendar_file, method
from journey.contact import fold
from journey.model import Campaign, Sequence
from journey.occasions import Occasion, occasions
from tests.factories import (
    ADA,
    at,
    make_booker,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rescheduled,
)
from tests.unit.journey.small_campaign import campaign as small_campaign

ME = contact_id(ADA)
HOST = "Business X <hello@example.com>"
START = datetime(2027, 1, 5, 19, 30, tzinfo=UTC)
SENT = datetime(2026, 12, 1, 9, 15, 30, 250_000, tzinfo=UTC)
REMINDERS = Sequence("precall", "booking_created", (), anchor="start")
TAKING_BACK = Sequence("cancelled", "booking_cancelled", ())


@cache
def campaign() -> Campaign:
    return small_campaign()


def occasion(*facts: AnyFact, sequence: Sequence = REMINDERS) -> Occasion:
    """The newest time of the meeting."""
    return next(occasions(fold(ME, facts), campaign(), sequence))


def file_of(*facts: AnyFact, cancelled: bool = False) -> bytes:
    sequence = TAKING_BACK if cancelled else REMINDERS
    return calendar_file(occasion(*facts, sequence=sequence), organizer_fallback=HOST, cancelled=cancelled)


def read(raw: bytes) -> tuple[Any, Any]:
    calendar = Calendar.from_ical(raw)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def test_an_invitation_says_everything_of_the_meeting() -> None:
    calendar, event = read(file_of(make_booking_created(start=START, sent_at=SENT)))
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    assert (event["STATUS"], event["SEQUENCE"], event["UID"]) == ("CONFIRMED", 0, "b1@example.com")
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (START, START + timedelta(minutes=30))
    assert event["DTSTAMP"].dt == SENT.replace(microsecond=0)
    assert event["SUMMARY"] == "Systems call"
    assert event["LOCATION"] == event["URL"] == "https://video.example.com/call"
    assert (event["ORGANIZER"], event["ORGANIZER"].params["CN"]) == ("mailto:host@example.com", "Business X")
    assert (event["ATTENDEE"], event["ATTENDEE"].params["CN"]) == ("mailto:ada@example.com", "Ada Lovelace")
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"


def test_times_are_utc_without_a_zone_table() -> None:
    raw = file_of(make_booking_created(start=START))
    assert b"DTSTART:20270105T193000Z\r\n" in raw
    assert b"VTIMEZONE" not in raw


def test_a_move_keeps_the_uid_and_counts_up() -> None:
    booked = make_booking_created(start=START)
    _, before = read(file_of(booked))
    calendar, after = read(file_of(booked, make_booking_rescheduled(start=START + timedelta(days=1))))
    assert before["UID"] == after["UID"]
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)
    assert after["DTSTART"].dt == START + timedelta(days=1)
    assert (calendar["METHOD"], after["STATUS"]) == ("REQUEST", "CONFIRMED")


def test_a_cancellation_takes_back_the_same_entry() -> None:
    booked = make_booking_created(start=START)
    _, before = read(file_of(booked))
    calendar, after = read(file_of(booked, make_booking_cancelled(sent_at=at(hours=2)), cancelled=True))
    assert (calendar["METHOD"], after["STATUS"]) == ("CANCEL", "CANCELLED")
    assert (after["UID"], after["DTSTART"].dt) == (before["UID"], START)
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after["DTSTAMP"].dt == at(hours=2)


def test_without_a_calendar_uid_the_first_booking_is_the_name_and_stays_secret() -> None:
    booked = make_booking_created("open-sesame", ical_uid=None, start=START)
    moved = make_booking_rescheduled("sesame-two", "open-sesame", ical_uid=None, start=START + timedelta(days=1))
    first, second = file_of(booked), file_of(booked, moved)
    assert read(first)[1]["UID"] == read(second)[1]["UID"] == f"{digest('open-sesame')}@dripstream"
    assert b"sesame" not in first + second


def test_the_same_facts_give_the_same_bytes() -> None:
    booked = make_booking_created(start=START)
    moved = make_booking_rescheduled(start=START + timedelta(days=1))
    assert file_of(booked, moved) == file_of(moved, booked, moved)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("100 Example Street; Suite 2, Toronto", "100 Example Street; Suite 2, Toronto"),
        ("+1 416 555 0142", "+1 416 555 0142"),
        ("integrations:daily", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_place_without_a_link_is_a_place(location: str | None, shown: str | None) -> None:
    _, event = read(file_of(make_booking_created(video_url=None, location=location)))
    assert event.get("LOCATION") == shown
    assert "URL" not in event


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://example.com/\r\nX-EVIL:1", "http://example.com"])
def test_what_is_no_https_link_is_left_out(link: str) -> None:
    _, event = read(file_of(make_booking_created(video_url=link)))
    assert "URL" not in event
    assert "LOCATION" not in event


def test_a_meeting_without_organizer_or_title_still_has_both() -> None:
    _, event = read(file_of(make_booking_created(organizer=None, title=" \r\n")))
    assert (event["ORGANIZER"], event["ORGANIZER"].params["CN"]) == ("mailto:hello@example.com", "Business X")
    assert event["SUMMARY"] == "Meeting"


def test_a_nameless_booker_has_no_name() -> None:
    _, event = read(file_of(make_booking_created(booker=make_booker(name="", first_name=""))))
    assert "CN" not in event["ATTENDEE"].params


HOSTILE = {
    "line breaks": 'Ada\r\nATTENDEE;CN=Eve:mailto:eve@example.com\nEND:VEVENT"',
    "quotes and separators": 'A "d" a; CN=x, y: \\n ^n ^\' ^^',
    "a script": "<script>alert('x')</script>",
    "many languages": "Ада 李 🎄 \u05d0\u05d3\u05d4 " * 20,
    "a turned direction": "\u202eadA\u2066 \u0000\u2028x",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_names_and_titles_stay_data(text: str) -> None:
    raw = file_of(make_booking_created(title=text, location=text, video_url=None, booker=make_booker(name=text)))
    _, event = read(raw)
    assert sorted(event) == sorted(read(file_of(make_booking_created()))[1].keys() - {"URL"})
    assert event["ATTENDEE"] == "mailto:ada@example.com"
    shown = " ".join("".join(each for each in text if each not in "\u202e\u2066").replace("\0", " ").split())
    assert event["SUMMARY"] == shown or (len(shown) > 200 and event["SUMMARY"].endswith("…"))
    assert event["ATTENDEE"].params["CN"] == event["SUMMARY"] == event["LOCATION"]


def test_a_hostile_address_stays_one_line() -> None:
    booked = make_booking_created(booker=make_booker("eve@example.com\r\nX-EVIL:1", name="Eve"))
    contact = fold(booked.contact, [booked])
    found = next(occasions(contact, campaign(), REMINDERS))
    _, event = read(calendar_file(found, organizer_fallback=HOST, cancelled=False))
    assert "X-EVIL" not in event


@given(title=st.text(), name=st.text(), organizer=st.text(), location=st.text())
def test_every_file_has_short_lines_and_reads_back(title: str, name: str, organizer: str, location: str) -> None:
    booked = make_booking_created(
        start=START,
        title=title,
        booker=make_booker(name=name),
        location=location,
        organizer=make_booker(name=organizer),
    )
    raw = file_of(booked)
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert {"UID", "ATTENDEE", "ORGANIZER", "DTSTART"} <= read(raw)[1].keys()


def test_an_occasion_without_a_meeting_has_no_calendar_file() -> None:
    with pytest.raises(ValueError, match="has no meeting"):
        calendar_file(Occasion("once", START, START), organizer_fallback=HOST, cancelled=False)


def test_the_method_is_that_of_the_content_type() -> None:
    assert (method(cancelled=False), method(cancelled=True)) == ("REQUEST", "CANCEL")
