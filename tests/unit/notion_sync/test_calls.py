from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bookings import BookingCreated
from contracts.facts import AnyFact
from services.notion_sync.schema import BUSINESSX
from tests.factories import (
    ADA,
    CAMPAIGN,
    ORGANIZER,
    AnyBooking,
    at,
    make_booker,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rejected,
    make_booking_requested,
    make_booking_rescheduled,
    make_chain,
    make_email_sent,
    make_meeting_ended,
    make_no_show_reported,
    make_no_show_withdrawn,
    make_signup,
    make_triggered,
)
from tests.unit.notion_sync.test_projection import FULL, ME, STEPS, campaigns, contact_row, rows, sequence_row, text

WINTER = datetime(2026, 12, 8, 19, 30, tzinfo=UTC)
SHORT = timedelta(minutes=20)
NEVER_SIGNED_UP = {
    "Name",
    "First Name",
    "Email",
    "Hold",
    "Christmas Campaign Status",
    "Booking Status",
    "Diagnostic Call Date",
}


def shown(*facts: AnyFact) -> tuple[str | None, str | None]:
    """Booking status and campaign status."""
    found = contact_row(*facts).properties
    return _option(found["Booking Status"]), _option(found["Christmas Campaign Status"])


def _option(value: dict[str, Any]) -> str | None:
    return str(value["select"]["name"]) if value["select"] else None


def call_date(*facts: AnyFact) -> Any:
    return contact_row(*facts).properties["Diagnostic Call Date"]["date"]


def zoned(organizer: str | None, booker: str | None = None, *, start: datetime = WINTER) -> BookingCreated:
    return make_booking_created(
        start=start,
        end=start + SHORT,
        organizer=msgspec.structs.replace(ORGANIZER, time_zone=organizer),
        booker=make_booker(time_zone=booker),
    )


@pytest.mark.parametrize(
    ("facts", "booking", "campaign"),
    [
        (make_chain(), "Booked", "Pre-Call Prep"),
        (make_chain("moved"), "Rescheduled", "Pre-Call Prep"),
        (make_chain("moved", "moved"), "Rescheduled", "Pre-Call Prep"),
        (make_chain("cancelled"), "Cancelled", "Nurture Sequence"),
        (make_chain("moved", "cancelled"), "Cancelled", "Nurture Sequence"),
        (make_chain("missed"), "No-show", "Nurture Sequence"),
        (make_chain("ended"), "Completed", "Nurture Sequence"),
        (make_chain("moved", "ended"), "Completed", "Nurture Sequence"),
        (make_chain("ended", "missed"), "No-show", "Nurture Sequence"),
        ([make_booking_requested()], None, "Nurture Sequence"),
        ([make_booking_requested(), make_booking_rejected()], "Cancelled", "Nurture Sequence"),
        ([make_booking_requested(), make_booking_created(sent_at=at(hours=1))], "Booked", "Pre-Call Prep"),
        (
            [make_booking_created(), make_booking_cancelled(reschedule_requested=True)],
            "Cancelled",
            "Nurture Sequence",
        ),
        (
            [make_booking_created(), make_no_show_reported(), make_no_show_withdrawn()],
            "Booked",
            "Pre-Call Prep",
        ),
    ],
)
def test_each_call_has_its_status(facts: list[AnyFact], booking: str | None, campaign: str) -> None:
    assert shown(make_signup(), *facts) == (booking, campaign)


@given(st.permutations([make_signup(), *make_chain("moved", "cancelled"), *make_chain(uid="c", sent_at=at(hours=9))]))
def test_the_order_of_what_is_heard_does_not_matter(facts: list[AnyFact]) -> None:
    assert shown(*facts) == ("Booked", "Pre-Call Prep")


def test_a_call_that_was_missed_and_moved_is_to_come() -> None:
    assert shown(make_signup(), *make_chain("ended", "missed", "moved")) == ("Rescheduled", "Pre-Call Prep")


def test_a_call_to_come_counts_before_one_that_was_called_off_later() -> None:
    off = make_chain("cancelled", uid="c", sent_at=at(hours=5), ical_uid="c@example.com")
    assert shown(make_signup(), *make_chain(), *off) == ("Booked", "Pre-Call Prep")


def test_of_calls_that_are_over_the_one_heard_of_last_counts() -> None:
    done = make_chain("ended")
    off = make_chain("cancelled", uid="c", sent_at=at(days=20), start=at(days=30), ical_uid="c@example.com")
    assert shown(make_signup(), *done, *off)[0] == "Cancelled"
    assert shown(make_signup(), *off, *make_chain("missed", uid="d", sent_at=at(days=40)))[0] == "No-show"


def test_what_is_known_only_by_its_end_is_no_call_of_theirs() -> None:
    """It may be a guest who did not come."""
    for fact in (make_no_show_reported("b9"), make_meeting_ended("b9")):
        assert rows(fact) == {}
        assert "Booking Status" not in contact_row(make_signup(), fact).properties
        assert shown(*make_chain(), fact) == ("Booked", "Pre-Call Prep")


def test_somebody_without_a_call_keeps_what_their_page_says_of_calls() -> None:
    assert contact_row(make_signup()).properties.keys().isdisjoint({"Booking Status", "Diagnostic Call Date"})


def test_a_call_is_dated_by_the_organisers_clock() -> None:
    assert call_date(zoned("America/Toronto", "Europe/Berlin")) == {
        "start": "2026-12-08T14:30:00-05:00",
        "end": "2026-12-08T14:50:00-05:00",
    }


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("America/Toronto", datetime(2026, 7, 8, 18, 30, tzinfo=UTC), "2026-07-08T14:30:00-04:00"),
        ("America/Toronto", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "2026-11-01T01:30:00-04:00"),
        ("America/Toronto", datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "2026-11-01T01:30:00-05:00"),
        ("America/Toronto", datetime(2027, 3, 14, 7, 0, tzinfo=UTC), "2027-03-14T03:00:00-04:00"),
        ("Asia/Kolkata", WINTER, "2026-12-09T01:00:00+05:30"),
        ("UTC", WINTER, "2026-12-08T19:30:00+00:00"),
    ],
)
def test_the_offset_is_the_one_of_that_day(zone: str, start: datetime, expected: str) -> None:
    assert call_date(zoned(zone, start=start))["start"] == expected


def test_a_call_over_the_change_of_the_clock_keeps_its_length() -> None:
    start = datetime(2026, 11, 1, 5, 50, tzinfo=UTC)
    assert call_date(zoned("America/Toronto", start=start)) == {
        "start": "2026-11-01T01:50:00-04:00",
        "end": "2026-11-01T01:10:00-05:00",
    }


@pytest.mark.parametrize("unknown", [None, "", "Mars/Olympus", "localtime", "posix/UTC", "America", "../UTC", "\0"])
def test_an_unknown_zone_falls_back_to_the_bookers_and_then_to_utc(unknown: str | None) -> None:
    assert call_date(zoned(unknown, "Europe/Berlin"))["start"] == "2026-12-08T20:30:00+01:00"
    assert call_date(zoned(unknown, unknown))["start"] == "2026-12-08T19:30:00+00:00"
    assert call_date(make_booking_created(organizer=None, start=WINTER))["start"] == "2026-12-08T14:30:00-05:00"


def test_an_end_that_notion_would_refuse_is_left_out() -> None:
    for end in (WINTER, WINTER - SHORT):
        found = call_date(make_booking_created(start=WINTER, end=end))
        assert found == {"start": "2026-12-08T14:30:00-05:00"}


def test_a_move_moves_the_date() -> None:
    moved = make_booking_rescheduled(start=WINTER + timedelta(days=1))
    assert call_date(make_booking_created(start=WINTER), moved)["start"] == "2026-12-09T14:30:00-05:00"


@pytest.mark.parametrize(
    "off",
    [
        make_booking_cancelled(),
        make_booking_cancelled(reschedule_requested=True),
        make_booking_cancelled("b9", ical_uid="b1@example.com"),
    ],
    ids=["cancelled", "another time wanted", "after a move nobody heard of"],
)
def test_what_was_called_off_keeps_its_date(off: AnyBooking) -> None:
    assert call_date(make_booking_created(start=WINTER), off)["start"] == "2026-12-08T14:30:00-05:00"


def test_what_was_never_agreed_has_no_date() -> None:
    assert call_date(make_booking_requested()) is None
    assert call_date(make_booking_requested(), make_booking_rejected()) is None
    assert call_date(make_booking_cancelled()) is None


def test_a_move_that_is_only_asked_for_has_neither_status_nor_date() -> None:
    """The old time is given up, and the new one not agreed."""
    asked = make_booking_requested("b2", reschedule_uid="b1", sent_at=at(hours=1), start=at(days=8))
    facts: list[AnyFact] = [make_booking_created(start=WINTER), asked]
    assert (shown(*facts), call_date(*facts)) == ((None, None), None)
    facts.append(make_booking_rejected("b2", reschedule_uid="b1"))
    assert shown(*facts)[0] == "Cancelled"
    assert call_date(*facts)["start"] == "2026-12-08T14:30:00-05:00"


def test_somebody_who_booked_without_signing_up_has_a_page() -> None:
    [row] = rows(make_booking_created(email="Ada@Example.com", start=WINTER)).values()
    assert (row.database, row.key, row.find_by) == (BUSINESSX, f"contact.{ME}", {"Email": "Ada@Example.com"})
    assert row.properties == {
        "Name": {"title": text("Ada Lovelace")},
        "First Name": {"rich_text": text("Ada")},
        "Email": {"email": "Ada@Example.com"},
        "Hold": {"checkbox": False},
        "Christmas Campaign Status": {"select": {"name": "Pre-Call Prep"}},
        "Booking Status": {"select": {"name": "Booked"}},
        "Diagnostic Call Date": {"date": {"start": "2026-12-08T14:30:00-05:00", "end": "2026-12-08T15:00:00-05:00"}},
    }


def test_without_a_signup_the_campaign_status_goes_with_the_call() -> None:
    assert shown(*make_chain("cancelled")) == ("Cancelled", None)
    assert contact_row(*make_chain("cancelled")).properties.keys() == NEVER_SIGNED_UP


@pytest.mark.parametrize(
    ("name", "first_name", "expected"),
    [
        ("Ada Lovelace", "", ("Ada Lovelace", "Ada")),
        ("", "Ada", ("Ada", "Ada")),
        (" Ada  Lovelace ", "Augusta", ("Ada  Lovelace", "Augusta")),
    ],
)
def test_half_a_name_is_made_the_best_of(name: str, first_name: str, expected: tuple[str, str]) -> None:
    found = contact_row(make_booking_created(booker=make_booker(name=name, first_name=first_name))).properties
    assert (found["Name"], found["First Name"]) == ({"title": text(expected[0])}, {"rich_text": text(expected[1])})


def test_a_page_keeps_its_name_where_nobody_gave_one() -> None:
    nameless = make_booker(name=" ", first_name="")
    row = contact_row(make_booking_created(booker=nameless))
    assert row.properties.keys() == NEVER_SIGNED_UP - {"Name", "First Name"}
    moved = make_booking_rescheduled(booker=nameless)
    assert contact_row(make_booking_created(), moved).properties["First Name"] == {"rich_text": text("Ada")}


def test_a_signup_after_the_booking_fills_the_rest_of_the_same_page() -> None:
    booked, signup = make_booking_created(), make_signup(**FULL, at=at(hours=1))
    before, after = contact_row(booked), contact_row(booked, signup)
    assert (after.key, after.find_by) == (before.key, before.find_by)
    assert after.properties == dict(contact_row(signup).properties) | {
        name: before.properties[name]
        for name in ("Christmas Campaign Status", "Booking Status", "Diagnostic Call Date")
    }


def test_a_booking_adds_no_row_to_the_email_sequence() -> None:
    assert set(rows(*make_chain("moved"))) == {f"contact.{ME}"}
    assert set(rows(make_booking_created(), make_signup(campaign="another"))) == {f"contact.{ME}"}
    assert rows(make_triggered()) == {}


def test_emails_around_a_call_are_not_those_of_the_signup() -> None:
    """Planned, but neither numbered nor waited for."""
    signup, sent = make_signup(), [make_email_sent(step) for step in STEPS]
    assert sequence_row(signup, *sent, make_booking_created()) == sequence_row(signup, *sent)
    assert sequence_row(signup, make_booking_created()) == sequence_row(signup)


def test_a_campaign_with_its_bookings_first_numbers_the_same_emails() -> None:
    campaign = campaigns()[CAMPAIGN]
    turned = msgspec.structs.replace(campaign, sequences=tuple(reversed(campaign.sequences)))
    facts: list[AnyFact] = [make_signup(), make_booking_created(), make_email_sent("email-2")]
    assert rows(*facts, known={CAMPAIGN: turned}) == rows(*facts)


@given(data=st.data())
def test_every_history_has_at_most_one_page_a_person(data: st.DataObject) -> None:
    parts: list[AnyFact] = [make_signup(), *make_chain("moved", "ended", "missed"), make_no_show_withdrawn("b2")]
    facts = data.draw(st.lists(st.sampled_from(parts), unique_by=lambda fact: (fact.tag, fact.id)))
    found = [row for row in rows(*facts).values() if row.database == BUSINESSX]
    assert len(found) <= 1
    assert all(row.find_by == {"Email": ADA} for row in found)
