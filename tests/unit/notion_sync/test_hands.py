"""A cell that somebody changed, and what they meant by it."""

from datetime import timedelta

import pytest

from contracts.facts import AnyFact
from contracts.operators import ContactCorrected, OperatorCancelled, OperatorHeld, OperatorResumed
from journey.contact import Contact, fold
from journey.plan import Pace, plan_all
from services.notion_sync.cells import Scalar
from services.notion_sync.hands import Hand, meant, on_status, on_tick
from tests.factories import (
    CAMPAIGN,
    NOW,
    at,
    make_booking_created,
    make_cancelled,
    make_corrected,
    make_email_id,
    make_email_sent,
    make_held,
    make_resumed,
    make_signup,
)
from tests.unit.notion_sync.test_projection import ME, campaigns

HAND = Hand("notion:somebody", NOW + timedelta(days=1), NOW + timedelta(days=1, seconds=20))
SECOND = make_email_id("email-2")


def contact(*facts: AnyFact) -> Contact:
    return fold(ME, facts)


def meaning(state: Contact, what: str = ME, **cells: Scalar) -> list[AnyFact]:
    named = {name.replace("_", " "): cell for name, cell in cells.items()}
    return list(meant(state, what, named, HAND, campaigns(), Pace()))


def status(word: Scalar, *facts: AnyFact) -> AnyFact | None:
    state = contact(make_signup(), *facts)
    return on_status(state, plan_all(state, campaigns(), Pace()).get(SECOND), SECOND, word, HAND)


def test_a_tick_holds_with_who_and_when() -> None:
    fact = on_tick(contact(make_signup()), ME, True, HAND)
    assert isinstance(fact, OperatorHeld)
    assert (fact.what, fact.by, fact.at, fact.seen_at, fact.round) == (ME, HAND.by, HAND.at, HAND.seen_at, 0)


def test_a_tick_taken_off_resumes_in_the_next_round() -> None:
    fact = on_tick(contact(make_signup(), make_held()), ME, False, HAND)
    assert isinstance(fact, OperatorResumed)
    assert fact.round == 1


@pytest.mark.parametrize(
    ("facts", "cell"),
    [
        ([make_held()], True),
        ([], False),
        ([make_held(), make_resumed(round=1)], False),
        ([make_cancelled()], True),
        ([make_cancelled()], False),
    ],
    ids=["held already", "never held", "resumed already", "cancelled", "cancelled and unticked"],
)
def test_a_tick_that_says_nothing_new_is_no_fact(facts: list[AnyFact], cell: Scalar) -> None:
    assert on_tick(contact(make_signup(), *facts), ME, cell, HAND) is None


@pytest.mark.parametrize(
    ("word", "kind"), [("held", OperatorHeld), ("Held", OperatorHeld), ("cancelled", OperatorCancelled)]
)
def test_a_status_is_a_wish(word: str, kind: type) -> None:
    fact = status(word)
    assert isinstance(fact, kind)
    assert isinstance(fact, OperatorHeld | OperatorCancelled)
    assert fact.what == SECOND


def test_queued_again_lifts_a_hold_and_a_cancellation() -> None:
    for before in (make_held(SECOND), make_cancelled(SECOND)):
        assert isinstance(status("queued", before), OperatorResumed)


@pytest.mark.parametrize("word", ["sent", "failed", "skipped", "unknown", "something", "", None])
def test_any_other_status_is_no_wish(word: Scalar) -> None:
    assert status(word) is None


def test_queued_is_no_wish_where_the_whole_person_is_held() -> None:
    assert status("queued", make_held()) is None


@pytest.mark.parametrize("word", ["held", "cancelled", "queued"])
def test_what_was_sent_cannot_be_wished_back(word: str) -> None:
    assert status(word, make_email_sent("email-2")) is None


def test_held_does_not_undo_a_cancellation() -> None:
    assert status("held", make_cancelled(SECOND)) is None


def test_an_email_nobody_plans_has_no_status_to_change() -> None:
    assert on_status(contact(), None, SECOND, "held", HAND) is None


def test_a_name_is_a_correction_of_what_the_form_said() -> None:
    [fact] = meaning(contact(make_signup(first_name="ADA")), First_Name="  Ada ")
    assert isinstance(fact, ContactCorrected)
    assert (fact.field, fact.was, fact.value, fact.round) == ("first_name", "ADA", "Ada", 0)


def test_no_name_is_a_correction_too() -> None:
    [fact] = meaning(contact(make_signup(business_name="Engines")), Business_Name="N/A")
    assert isinstance(fact, ContactCorrected)
    assert (fact.was, fact.value) == ("Engines", "")


def test_the_name_that_counts_is_no_correction() -> None:
    corrected = contact(
        make_signup(first_name="ADA"), make_corrected("first_name", value="Ada", was="ADA", at=at(days=1))
    )
    assert meaning(corrected, First_Name="Ada") == []


def test_the_page_of_a_campaign_corrects_what_that_form_said() -> None:
    state = contact(make_signup(first_name="ADA"))
    [fact] = meaning(state, f"{ME}.{CAMPAIGN}", First_Name="Ada")
    assert isinstance(fact, ContactCorrected)
    assert fact.was == "ADA"


def test_who_only_booked_can_be_corrected() -> None:
    [fact] = meaning(contact(make_booking_created()), First_Name="Augusta")
    assert isinstance(fact, ContactCorrected)
    assert (fact.was, fact.value) == ("Ada", "Augusta")


def test_a_long_name_with_control_characters_is_bounded() -> None:
    [fact] = meaning(contact(make_signup()), First_Name="A\x00\n" + "b" * 10_000)
    assert isinstance(fact, ContactCorrected)
    assert len(fact.value) <= 200
    assert "\x00" not in fact.value
