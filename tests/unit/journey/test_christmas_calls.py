"""What the Christmas campaign sends around a booked call."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact, Assessment
from contracts.ids import contact_id
from journey.campaign import Campaign, Sequence, load_campaigns
from journey.contact import fold
from journey.occasions import occasions
from journey.plan import Pace
from journey.simulate import simulate
from journey.templates import Rendered, render
from journey.values import values_of
from services.settings import ROOT
from tests.factories import (
    ADA,
    CAMPAIGN,
    make_booker,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rescheduled,
    make_no_show_reported,
    make_signup,
    make_triggered,
)

ME = contact_id(ADA)
H, M = timedelta(hours=1), timedelta(minutes=1)
BOOKED_AT = datetime(2026, 12, 1, 12, tzinfo=UTC)
START = datetime(2026, 12, 8, 19, 30, tzinfo=UTC)
LINK = "https://video.example.com/call"
TEMPLATES = {
    "precall": ["precall_prep_guide", "precall_reminder", "precall_last_reminder"],
    "postcall": ["postcall_follow_up"],
    "noshow": ["noshow_1", "noshow_2", "noshow_3"],
    "cancelled": ["booking_cancelled"],
}
NAMES = [name for names in TEMPLATES.values() for name in names]
DELAYS = {
    "precall": [(-72 * H, -6 * M), (-24 * H, -3 * M), (-2 * H, -1 * M)],
    "postcall": [(2 * H, M)],
    "noshow": [(5 * M, M), (24 * H, 2 * M), (48 * H, 3 * M)],
    "cancelled": [(0 * H, 0 * M)],
}


@cache
def campaign() -> Campaign:
    return load_campaigns(ROOT / "campaigns")[CAMPAIGN]


def sequence(id_: str) -> Sequence:
    found = campaign().sequence(id_)
    assert found
    return found


def booked(**overrides: Any) -> AnyFact:
    usual: dict[str, Any] = {"start": START, "at": BOOKED_AT, "sent_at": BOOKED_AT}
    return make_booking_created(**(usual | overrides))


def values(*facts: AnyFact) -> dict[str, object]:
    contact = fold(ME, facts)
    (occasion,) = occasions(contact, campaign(), sequence("precall"))
    return values_of(contact, campaign(), occasion)


def mails(values: dict[str, object]) -> dict[str, Rendered]:
    shown = campaign().variables_for(values)
    return {name: render(campaign().templates[name], shown) for name in NAMES}


def everything() -> dict[str, object]:
    scores: dict[str, Any] = {
        "assessment_score": 61,
        "weakest_system_1": "Lead follow-up",
        "weakest_system_2": "Cash planning",
    }
    return values(make_signup(**scores), booked())


def only_booked() -> dict[str, object]:
    """What is known of somebody who never signed up and whose calendar says as little as it may."""
    nameless = make_booker(name="", first_name="", time_zone=None)
    return values(booked(booker=nameless, video_url=None, organizer=None, title=""))


KNOWN = {"everything known": everything, "only the booking known": only_booked, "nothing known": dict[str, object]}


@pytest.mark.parametrize("id_", TEMPLATES)
def test_steps_have_their_hours_and_templates(id_: str) -> None:
    steps = sequence(id_).steps
    assert [(step.after, step.testing_after) for step in steps] == DELAYS[id_]
    assert [step.template for step in steps] == TEMPLATES[id_]


def test_sequences_begin_and_end_with_what_happens() -> None:
    found = {each.id: (each.trigger, each.anchor, each.exit_on) for each in campaign().sequences}
    assert found == {
        "nurture": ("signup", "trigger", ("paid",)),
        "precall": ("booking_created", "start", ()),
        "postcall": ("booking_created", "end", ("no_show_reported",)),
        "noshow": ("no_show_reported", "trigger", ("booking_created",)),
        "cancelled": ("booking_cancelled", "trigger", ()),
    }
    assert campaign().trigger_names() == {"paid"}


def test_reminders_need_two_hours_notice_and_go_to_the_booker_only() -> None:
    precall = sequence("precall")
    assert (precall.min_notice, precall.testing_min_notice) == (2 * H, M)
    assert not any(each.guests for each in campaign().sequences)


def test_calendar_files_come_with_reminders_and_cancellations_only() -> None:
    with_file = [step.id for _, step in campaign().all_steps() if step.calendar]
    assert with_file == ["prep-guide", "reminder", "last-reminder", "cancelled"]


def test_only_the_prep_guide_is_not_repeated_when_a_call_moves() -> None:
    assert [step.id for _, step in campaign().all_steps() if not step.again_when_moved] == ["prep-guide"]


def test_an_outage_brings_no_two_reminders_at_once() -> None:
    """Each is worth sending until the next one is due."""
    steps = sequence("precall").steps
    assert all(step.after + step.expires_after < later.after for step, later in pairwise(steps))


def sent(*facts: AnyFact, testing: bool = False) -> list[str]:
    return [each.planned.step.id for each in simulate(ME, facts, {CAMPAIGN: campaign()}, Pace(testing=testing)).sent]


def missed() -> AnyFact:
    return make_no_show_reported(at=START + H, sent_at=START + H)


REMINDERS = ["prep-guide", "reminder", "last-reminder"]


def test_a_call_that_takes_place() -> None:
    assert sent(booked()) == [*REMINDERS, "follow-up"]
    assert sent(booked(sent_at=START - 10 * M, at=START - 10 * M), testing=True) == [*REMINDERS, "follow-up"]


def test_a_call_nobody_came_to() -> None:
    assert sent(booked(), missed()) == [*REMINDERS, "noshow-1", "noshow-2", "noshow-3"]


def test_a_new_booking_ends_what_follows_a_missed_call() -> None:
    at = START + 3 * H
    again = booked(uid="c1", start=START + 500 * H, sent_at=at, at=at)
    assert sent(booked(), missed(), again) == [*REMINDERS, "noshow-1", *REMINDERS, "follow-up"]


def test_a_cancelled_call_is_taken_back_only_from_who_has_it() -> None:
    early, late = BOOKED_AT + H, START - 30 * H
    assert sent(booked(), make_booking_cancelled(at=early, sent_at=early)) == []
    assert sent(booked(), make_booking_cancelled(at=late, sent_at=late)) == ["prep-guide", "cancelled"]


def test_a_call_that_moves_is_reminded_of_again() -> None:
    at = START - 20 * H
    moved = make_booking_rescheduled(start=START + 100 * H, sent_at=at, at=at)
    assert sent(booked(), moved) == ["prep-guide", "reminder", "reminder", "last-reminder", "follow-up"]


def test_who_has_paid_gets_no_more_nurture() -> None:
    signup = make_signup(at=BOOKED_AT)
    assert sent(signup, make_triggered("paid", at=BOOKED_AT + 30 * H)) == ["email-1", "email-2"]


def body(text: str) -> str:
    return text.partition("\n\n")[2].partition("Warm regards")[0]


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN.keys())
def test_every_email_is_short_whole_and_has_one_thing_to_do(known: object) -> None:
    assert callable(known)
    for name, mail in mails(known()).items():
        assert 40 <= len(body(mail.text).split()) <= 190, name
        assert re.match(r"Business X\n\nHi (Ada|there),\n", mail.text), name
        assert 10 <= len(mail.subject) <= 70, name
        assert len(re.findall(r"(?m)^(?!\s*by video)\S.*: ?\n?(https://|hello@)\S+$", body(mail.text))) == 1, name
        assert not re.search(r"N/A|[{}]|None|the agreed|\(your time|our team|  +\S.*  |&amp;", body(mail.text)), name
        assert not re.search(r"\{\{|\{%|N/A", mail.html), name
        assert max(map(len, mail.text.split("\n"))) <= 76, name


def test_times_are_shown_with_day_and_zone() -> None:
    for name in ("precall_prep_guide", "precall_reminder", "precall_last_reminder", "noshow_1", "booking_cancelled"):
        shown = " ".join(mails(everything())[name].text.split())
        assert re.search(r"Tuesday, 8 December 2026,?( at)? 2:30 PM \(Toronto time\)", shown), name


def test_the_last_reminder_opens_the_call() -> None:
    mail = mails(everything())["precall_last_reminder"]
    assert mail.html.count(f'href="{LINK}"') == 1
    assert f"Join the call: {LINK}" in mail.text


def test_without_a_link_the_last_reminder_says_where_to_ask() -> None:
    mail = mails(only_booked())["precall_last_reminder"]
    assert "Join the call" not in mail.html
    assert "Ask us how we meet: hello@example.com" in mail.text


def test_results_are_mentioned_only_to_who_has_some() -> None:
    with_results = {
        name for name, mail in mails(everything()).items() if "Lead follow-up" in " ".join(mail.text.split())
    }
    assert with_results == set(NAMES) - {"precall_last_reminder", "noshow_1", "booking_cancelled"}
    assert not any("results" in body(mail.text) for mail in mails(only_booked()).values())


def test_the_footer_says_why_they_get_it() -> None:
    for known, reason in (
        (everything(), "because you booked a call with us"),
        ({}, "because you asked for your results"),
    ):
        for name, mail in mails(known).items():
            footer = " ".join(mail.text.rpartition("Warm regards")[2].split())
            assert all(each in footer for each in (reason, "“stop”", "100 Example Street")), name


def elements(html: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, [name for name, _ in attrs]))  # type: ignore[method-assign]
    parser.feed(html)
    return found


HOSTILE = '<b onclick="x">{{ booking_url }}{% if %}\r\nBcc: eve@example.com "\u202e\' &'


def test_hostile_values_stay_data() -> None:
    person = make_booker(first_name=HOSTILE, name=HOSTILE)
    signup = make_signup(first_name=HOSTILE, weakest_system_1=HOSTILE, weakest_system_2=HOSTILE)
    hostile = mails(values(signup, booked(booker=person, organizer=person, title=HOSTILE, video_url=LINK + "?a=1&b=2")))
    for name, plain in mails(everything()).items():
        assert elements(hostile[name].html) == elements(plain.html), name
        assert "\u202e" not in hostile[name].html + hostile[name].text, name
        assert not re.search(r"[\r\n]", hostile[name].subject), name


names = st.text() | st.text(alphabet="<>&\"'{}% \r\n")


@given(first=names, name=names, weakest=names, zone=names, link=names, minutes=st.integers(-10, 10_000))
def test_every_email_can_be_rendered_for_everybody(
    first: str, name: str, weakest: str, zone: str, link: str, minutes: int
) -> None:
    person = make_booker(first_name=first, name=name, time_zone=zone)
    call = booked(booker=person, organizer=person, video_url=link, location=link, end=START + minutes * M)
    assessment = Assessment(assessment_score=1, weakest_system_1=weakest)
    for mail in mails(values(make_signup(first_name=first, assessment=assessment), call)).values():
        assert mail.subject
        assert len(mail.text) > 200
