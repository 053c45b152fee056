"""`dripstream contact`: the answer to "why did, or didn't, she get this?"."""

import ast
import io
from typing import Any

import pytest
from rich.console import Console

from cli.contact import WHY, _show, describe, emails_table, why
from contracts.facts import AnyFact
from contracts.ids import contact_id
from journey.contact import fold
from journey.plan import Pace, plan
from journey.variables import printable
from journey.views import story, zone_of
from services.settings import ROOT
from tests.factories import (
    ADA,
    at,
    make_attempt_failed,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rescheduled,
    make_cancelled,
    make_corrected,
    make_email_id,
    make_email_sent,
    make_held,
    make_no_show_reported,
    make_resumed,
    make_signup,
    make_triggered,
)
from tests.unit.journey.small_campaign import campaign

ME = contact_id(ADA)


def told(*facts: Any) -> dict[str, Any]:
    state = fold(ME, facts)
    return story(state, facts, plan(state, campaign(), Pace()))


def test_every_email_that_is_not_sent_says_why() -> None:
    emails = told(make_signup(), make_booking_created(), make_booking_cancelled())["emails"]
    reasons = {(each["sequence"], each["step"]): each["reason"] for each in emails if each["state"] == "skipped"}
    assert reasons["precall", "guide"] == "booking_cancelled"
    assert all(reasons.values())


def test_a_sent_email_says_when_and_a_pending_one_when_it_will_be() -> None:
    emails = {each["step"]: each for each in told(make_signup(), make_email_sent("email-1"))["emails"]}
    assert (emails["email-1"]["state"], emails["email-1"]["due"]) == ("sent", None)
    assert emails["email-1"]["sent_at"] == at().isoformat()
    assert emails["email-2"]["due"] == at(hours=24).isoformat()


def test_a_retry_is_told_with_its_reason() -> None:
    emails = {each["step"]: each for each in told(make_signup(), make_attempt_failed("email-1"))["emails"]}
    assert [each["reason"] for each in emails["email-1"]["attempts"]] == ["internal_server_error"]


def test_times_are_shown_where_the_person_is() -> None:
    said = told(make_booking_created())
    assert said["zone"] == "America/Toronto"
    assert {each["due_local"][-6:] for each in said["emails"] if each["due_local"]} <= {"-05:00", "-04:00"}


def test_an_unknown_zone_is_shown_as_utc() -> None:
    booked = make_booking_created()
    lost = make_booking_created(booker=type(booked.booker)(email=ADA, time_zone="Mars/Olympus"))
    assert str(zone_of(fold(ME, [lost]))) == "UTC"


@pytest.mark.parametrize(
    "fact",
    [make_signup(), make_booking_created(), make_booking_rescheduled(), make_triggered(), make_email_sent(),
     make_booking_cancelled(reason="ill"), make_no_show_reported(), make_attempt_failed(), make_held(), make_resumed(),
     make_cancelled(make_email_id()), make_corrected()],
    ids=lambda fact: fact.tag,
)  # fmt: skip
def test_every_fact_can_be_told_in_a_line(fact: Any) -> None:
    assert "\n" not in describe(fact)


def test_a_held_email_says_so_and_has_no_time() -> None:
    emails = {each["step"]: each for each in told(make_signup(), make_held(make_email_id("email-2")))["emails"]}
    assert (emails["email-1"]["state"], emails["email-2"]["state"]) == ("pending", "held")
    assert (emails["email-2"]["reason"], emails["email-2"]["due"]) == ("held", None)


def test_what_people_did_by_hand_is_told_with_who_and_what_about() -> None:
    assert describe(make_held(why="on holiday")) == "everything, by grace: on holiday"
    assert describe(make_resumed(f"{ME}.christmas-2025")) == "christmas-2025, by grace"
    assert describe(make_cancelled(make_email_id())) == "christmas-2025.nurture.once.email-1, by grace"
    assert describe(make_corrected()) == "first_name: Ada -> Augusta, by grace"
    assert describe(make_corrected("business_name", value="", was="")) == "business_name: nothing -> nothing, by grace"


def test_hostile_text_is_shown_as_text() -> None:
    state = fold(ME, [make_signup(first_name="[red]Mallory[/red]")])
    console = Console(width=200, record=True, file=None)
    with console.capture() as capture:
        console.print(emails_table(plan(state, campaign(), Pace()), zone_of(state)))
    assert "nurture email-1" in capture.get()


def test_every_reason_of_the_plan_has_words() -> None:
    """A reason nobody can read is no answer."""
    texts = {
        node.value
        for name in ("plan", "occasions")
        for node in ast.walk(ast.parse((ROOT / "journey" / f"{name}.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    reasons = {text for text in texts if text.startswith(("already_sent_", "meeting_too", "booked_too", "nothing_to"))}
    reasons |= texts & {"held", "cancelled", "came_due_while_held", "suppressed"}
    reasons |= {
        "booking_cancelled",
        "booking_rescheduled",
        "booking_rejected",
        "booking_not_confirmed",
        "no_show_withdrawn",
    }
    assert reasons <= WHY.keys()
    assert len(reasons) >= 13


def test_a_reason_without_words_is_shown_as_it_is() -> None:
    assert why("paid") == "paid"
    assert why(None) == ""


@pytest.mark.parametrize("name", ["[/red]", "[bold]Ada", "\x1b[2JAda", "Ada\x07"])
def test_what_somebody_typed_into_the_form_is_shown_and_never_obeyed_by_the_terminal(name: str) -> None:
    """Rich takes `[/red]` for markup, and ends with an error."""
    facts: list[AnyFact] = [make_signup(first_name=name), make_held(why=name)]
    state = fold(ME, facts)
    out = io.StringIO()
    _show(Console(file=out, width=200, force_terminal=False), state, facts, plan(state, campaign(), Pace()))
    assert not {"\x1b", "\x07"} & set(out.getvalue())
    assert out.getvalue().count(printable(name)) == 2
