"""What is known for one email, and who gets it."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bookings import BookingCreated, Person
from contracts.facts import AnyFact
from contracts.ids import contact_id
from journey.campaign import Campaign, load_campaigns
from journey.contact import fold
from journey.model import Sequence
from journey.occasions import Occasion, occasions
from journey.values import GUEST_LIMIT, meeting_values, recipients, values_of
from services.settings import ROOT
from tests.factories import (
    ADA,
    CAMPAIGN,
    ORGANIZER,
    at,
    make_booker,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rescheduled,
    make_corrected,
    make_signup,
    make_triggered,
)

ME = contact_id(ADA)
PRECALL = Sequence("precall", "booking_created", (), anchor="start")
GUESTS = Sequence("precall", "booking_created", (), anchor="start", guests=True)
NURTURE = Sequence("nurture", "signup", ())
CALLED = Sequence("called", "call_done", ())
NEW_YEAR = datetime(2027, 1, 5, 19, 30, tzinfo=UTC)


@cache
def campaign() -> Campaign:
    return load_campaigns(ROOT / "campaigns")[CAMPAIGN]


def occasion(sequence: Sequence, *facts: AnyFact) -> Occasion:
    """The newest one that goes on."""
    return [each for each in occasions(fold(ME, facts), campaign(), sequence) if each.over is None][-1]


def values(sequence: Sequence, *facts: AnyFact) -> dict[str, object]:
    return values_of(fold(ME, facts), campaign(), occasion(sequence, *facts))


def when(start: datetime, zone: str | None, organizer: Person | None = None) -> str:
    booked = make_booking_created(start=start, booker=make_booker(time_zone=zone), organizer=organizer)
    said = meeting_values(booked)
    return f"{said['meeting_day']}, {said['meeting_clock']}, {said['meeting_zone']}"


def test_a_signup_knows_the_assessment_and_no_meeting() -> None:
    said = values(NURTURE, make_signup(red_systems=3), make_booking_created())
    assert (said["first_name"], said["red_systems"], said["business_name"]) == ("Ada", 3, "Ada's Bakery")
    assert "meeting_day" not in said


def test_a_meeting_of_somebody_who_signed_up_knows_both() -> None:
    said = values(PRECALL, make_signup(red_systems=3), make_booking_created(start=NEW_YEAR))
    assert said["red_systems"] == 3
    assert (
        said
        | {
            "meeting_day": "Tuesday, 5 January 2027",
            "meeting_clock": "2:30 PM",
            "meeting_zone": "Toronto time",
            "meeting_length": "30 minutes",
            "meeting_title": "Systems call",
            "meeting_link": "https://video.example.com/call",
            "organizer_name": "Business X",
        }
        == said
    )


def test_a_booker_who_never_signed_up_has_a_name_and_a_meeting() -> None:
    said = values(PRECALL, make_booking_created())
    assert said["first_name"] == "Ada"
    assert "assessment_score" not in said
    assert campaign().variables_for(said)["has_weakest_system_1"] is False


def test_another_campaigns_signup_says_nothing_here() -> None:
    said = values(PRECALL, make_signup(campaign="another", first_name="Countess"), make_booking_created())
    assert said["first_name"] == "Ada"
    assert "assessment_score" not in said


@pytest.mark.parametrize(
    ("signup", "booker", "expected"),
    [
        ("Augusta", {"first_name": "Ada", "name": "A. Lovelace"}, "Augusta"),
        (" \n", {"first_name": "Ada", "name": "A. Lovelace"}, "Ada"),
        (None, {"first_name": "", "name": "  Ada  King Lovelace"}, "Ada"),
        (None, {"first_name": "\u2028", "name": " "}, None),
    ],
)
def test_first_name_is_the_one_they_gave_us_or_their_calendar(
    signup: str | None, booker: dict[str, str], expected: str | None
) -> None:
    facts: list[AnyFact] = [make_booking_created(booker=make_booker(**booker))]
    facts += [make_signup(first_name=signup)] if signup else []
    assert values(PRECALL, *facts)["first_name"] == expected


def test_a_trigger_brings_values_and_a_name() -> None:
    said = values(CALLED, make_triggered(values={"offer": "Basic"}, first_name="Ada"))
    assert (said["offer"], said["first_name"]) == ("Basic", "Ada")


def test_a_trigger_fills_gaps_in_what_we_know_and_overrides_the_rest() -> None:
    signup = make_signup(business_name=None, extra={"offer": "Old"})
    brought = {"offer": "New", "red_systems": 9, "business_name": "Bakery", "first_name": "Eve"}
    said = values(CALLED, signup, make_triggered(values=brought))
    assert (said["offer"], said["business_name"]) == ("New", "Bakery")
    assert (said["red_systems"], said["first_name"]) == (2, "Ada")


@pytest.mark.parametrize(
    ("sequence", "facts"),
    [
        (NURTURE, [make_signup()]),
        (PRECALL, [make_booking_created()]),
        (PRECALL, [make_booking_created(booker=make_booker(first_name=""))]),
        (CALLED, [make_triggered()]),
        (CALLED, [make_triggered(first_name=None, values={"first_name": "Ada"})]),
        (CALLED, [make_triggered(first_name=None)]),
        (PRECALL, [make_signup(), make_booking_created()]),
    ],
)
def test_a_corrected_name_is_used_wherever_the_name_came_from(sequence: Sequence, facts: list[AnyFact]) -> None:
    corrected = make_corrected(at=at(hours=1))
    assert values(sequence, *facts, corrected)["first_name"] == "Augusta"
    assert values(sequence, *facts, make_corrected(at=at(hours=1), value=""))["first_name"] is None


def test_a_corrected_business_name_is_used_and_may_be_none() -> None:
    def corrected(value: str, was: str = "Ada's Bakery") -> AnyFact:
        return make_corrected("business_name", value=value, was=was, at=at(hours=1))

    assert values(NURTURE, make_signup(), corrected("Ada & Co"))["business_name"] == "Ada & Co"
    assert values(NURTURE, make_signup(), corrected(""))["business_name"] is None
    assert values(NURTURE, make_signup(business_name=None), corrected("Ada & Co", ""))["business_name"] == "Ada & Co"
    assert values(PRECALL, make_booking_created(), corrected("Ada & Co", ""))["business_name"] == "Ada & Co"
    assert values(CALLED, make_triggered(values={"business_name": 5}), corrected("6", "5"))["business_name"] == "6"


def test_a_newer_form_that_says_something_else_wins_again() -> None:
    facts: list[AnyFact] = [make_signup(), make_corrected(at=at(hours=1))]
    same = make_signup(at=at(hours=2), red_systems=0)
    other = make_signup(at=at(hours=2), first_name="Grace")
    assert values(NURTURE, *facts, same)["first_name"] == "Augusta"
    assert values(NURTURE, *facts, other)["first_name"] == "Grace"


def test_somebody_whose_name_was_corrected_to_none_is_called_what_they_say_next() -> None:
    facts: list[AnyFact] = [make_signup(first_name="Bot"), make_corrected(at=at(hours=1), was="Bot", value="")]
    assert values(PRECALL, *facts, make_booking_created(sent_at=at(hours=2)))["first_name"] == "Ada"


def test_without_a_name_the_template_falls_back() -> None:
    said = values(NURTURE, make_signup(), make_corrected(at=at(hours=1), value=""))
    shown = campaign().variables_for(said)
    assert shown["first_name"] == campaign().variables["first_name"].fallback
    assert shown["has_first_name"] is False


def test_a_form_cannot_speak_for_the_calendar() -> None:
    forged = make_signup(extra={"meeting_link": "https://example.com/trap", "meeting_day": "today", "offer": "x"})
    assert "meeting_link" not in values(NURTURE, forged)
    said = values(PRECALL, forged, make_booking_created(video_url=None))
    assert (said["meeting_link"], said["offer"]) == (None, "x")


def test_a_moved_meeting_is_shown_at_its_new_time() -> None:
    moved = make_booking_rescheduled(start=NEW_YEAR + timedelta(days=1))
    assert values(PRECALL, make_booking_created(start=NEW_YEAR), moved)["meeting_day"] == "Wednesday, 6 January 2027"


def test_a_location_that_is_a_link_is_the_link() -> None:
    at_a_link = make_booking_created(video_url=None, location="https://meet.example.com/x")
    assert meeting_values(at_a_link)["meeting_link"] == "https://meet.example.com/x"
    for place in ("integrations:daily", "+1 416 555 0142", "javascript:alert(1)"):
        assert meeting_values(make_booking_created(video_url=None, location=place))["meeting_link"] is None


@pytest.mark.parametrize(
    ("start", "zone", "shown"),
    [
        ("2026-03-08T06:59", "America/Toronto", "Sunday, 8 March 2026, 1:59 AM, Toronto time"),
        ("2026-03-08T07:00", "America/Toronto", "Sunday, 8 March 2026, 3:00 AM, Toronto time"),
        ("2026-11-01T05:30", "America/Toronto", "Sunday, 1 November 2026, 1:30 AM, Toronto time"),
        ("2026-11-01T06:30", "America/Toronto", "Sunday, 1 November 2026, 1:30 AM, Toronto time"),
        ("2026-11-01T07:30", "America/Toronto", "Sunday, 1 November 2026, 2:30 AM, Toronto time"),
        ("2026-03-29T12:00", "Europe/London", "Sunday, 29 March 2026, 1:00 PM, London time"),
        ("2026-03-28T12:00", "Europe/London", "Saturday, 28 March 2026, 12:00 PM, London time"),
        ("2026-10-03T16:00", "Australia/Lord_Howe", "Sunday, 4 October 2026, 3:00 AM, Lord Howe time"),
        ("2026-12-08T19:30", "Asia/Kolkata", "Wednesday, 9 December 2026, 1:00 AM, Kolkata time"),
        ("2026-12-08T18:30", "Asia/Kolkata", "Wednesday, 9 December 2026, 12:00 AM, Kolkata time"),
        ("2026-12-08T19:30", "Asia/Kathmandu", "Wednesday, 9 December 2026, 1:15 AM, Kathmandu time"),
        ("2026-12-08T19:30", "America/St_Johns", "Tuesday, 8 December 2026, 4:00 PM, St Johns time"),
        ("2026-12-08T19:30", "America/Argentina/Buenos_Aires", "Tuesday, 8 December 2026, 4:30 PM, Buenos Aires time"),
        ("2026-12-31T12:00", "Pacific/Kiritimati", "Friday, 1 January 2027, 2:00 AM, Kiritimati time"),
        ("2026-12-08T19:30", "Etc/GMT+5", "Tuesday, 8 December 2026, 2:30 PM, UTC-05:00"),
        ("2026-12-08T19:30", "GMT", "Tuesday, 8 December 2026, 7:30 PM, UTC"),
    ],
)
def test_times_are_those_of_the_bookers_clock(start: str, zone: str, shown: str) -> None:
    assert when(datetime.fromisoformat(start).replace(tzinfo=UTC), zone) == shown


UNKNOWN = [None, "", "Mars/Base", "../../etc/passwd", "/etc/localtime", "America", "localtime", "right/UTC", "a\0/b"]


@pytest.mark.parametrize("zone", [*UNKNOWN, "A/" + "x" * 5_000])
def test_an_unknown_zone_is_the_organizers_and_otherwise_utc(zone: str | None) -> None:
    assert when(NEW_YEAR, zone, ORGANIZER) == "Tuesday, 5 January 2027, 2:30 PM, Toronto time"
    assert when(NEW_YEAR, zone) == "Tuesday, 5 January 2027, 7:30 PM, UTC"
    assert when(NEW_YEAR, zone, Person(email="h@example.com", time_zone=zone)).endswith(", UTC")


@given(st.sampled_from(sorted(available_timezones())) | st.text(), st.datetimes(timezones=st.just(UTC)))
def test_every_zone_and_moment_can_be_shown(zone: str, start: datetime) -> None:
    start = start.replace(year=min(max(start.year, 1971), 2999), day=min(start.day, 28))
    said = meeting_values(make_booking_created(start=start, booker=make_booker(time_zone=zone)))
    assert all(said[name] for name in ("meeting_day", "meeting_clock", "meeting_zone"))


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [
        (30, "30 minutes"),
        (1, "1 minute"),
        (60, "1 hour"),
        (90, "1 hour 30 minutes"),
        (121, "2 hours 1 minute"),
        (0, None),
        (-30, None),
    ],
)
def test_length_is_said_in_words(minutes: int, shown: str | None) -> None:
    booked = make_booking_created(start=NEW_YEAR, end=NEW_YEAR + timedelta(minutes=minutes))
    assert meeting_values(booked)["meeting_length"] == shown


def booked_with(*guests: str) -> BookingCreated:
    return make_booking_created(guests=tuple(Person(email=each) for each in guests))


def sent_to(sequence: Sequence, *facts: AnyFact) -> tuple[str, tuple[str, ...]]:
    return recipients(occasion(sequence, *facts), sequence, fold(ME, facts))


def test_only_the_booker_is_mailed_unless_the_campaign_says_guests() -> None:
    assert sent_to(PRECALL, booked_with("bob@example.com")) == (ADA, ())
    assert sent_to(GUESTS, booked_with("bob@example.com")) == (ADA, ("bob@example.com",))


def test_a_meeting_is_mailed_to_the_address_it_was_booked_with() -> None:
    facts: list[AnyFact] = [make_signup(email="ADA@example.com"), make_booking_created()]
    assert sent_to(PRECALL, *facts) == (ADA, ())
    assert sent_to(NURTURE, *facts) == ("ADA@example.com", ())


def test_a_trigger_is_mailed_to_its_own_address() -> None:
    assert sent_to(CALLED, make_triggered()) == (ADA, ())


def test_guests_get_one_copy_and_the_booker_none() -> None:
    booked = booked_with("Bob@example.com", "bob@example.com ", "ADA@example.com", "eve@example.com")
    assert sent_to(GUESTS, booked)[1] == ("Bob@example.com", "eve@example.com")


@pytest.mark.parametrize(
    "address",
    ["", "bob", "b@b", "a@example.com,b@example.com", "a@example.com\r\nBcc: x@example.com", "<a@example.com>"],
)
def test_a_guest_without_an_address_does_not_stop_the_email(address: str) -> None:
    assert sent_to(GUESTS, booked_with(address, "bob@example.com"))[1] == ("bob@example.com",)


def test_no_more_copies_than_the_provider_takes() -> None:
    crowd = booked_with(*(f"g{number}@example.com" for number in range(80)))
    assert len(sent_to(GUESTS, crowd)[1]) == GUEST_LIMIT


def test_nobody_is_no_recipient() -> None:
    with pytest.raises(ValueError, match="has no address"):
        recipients(Occasion("once", NEW_YEAR, NEW_YEAR), NURTURE, fold(ME, []))


def test_a_cancelled_meeting_is_still_known() -> None:
    facts: list[AnyFact] = [make_booking_created(start=NEW_YEAR), make_booking_cancelled(sent_at=at(hours=2))]
    contact = fold(ME, facts)
    (cancelled,) = occasions(contact, campaign(), Sequence("cancelled", "booking_cancelled", ()))
    assert values_of(contact, campaign(), cancelled)["meeting_day"] == "Tuesday, 5 January 2027"
