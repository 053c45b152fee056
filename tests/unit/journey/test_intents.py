"""Holding, resuming and cancelling by hand, as the facts of it add up."""

from datetime import datetime
from itertools import permutations

import pytest

from contracts.ids import BadId, contact_id
from contracts.operators import OperatorCancelled, OperatorHeld, OperatorIntent, OperatorResumed
from journey.contact import fold
from journey.intents import Stop, merged
from journey.wishes import correct, wish
from tests.factories import (
    ADA,
    CAMPAIGN,
    NOW,
    at,
    make_cancelled,
    make_corrected,
    make_email_id,
    make_held,
    make_resumed,
)

ME = contact_id(ADA)
MINE = f"{ME}.{CAMPAIGN}"
EMAIL = make_email_id()


@pytest.mark.parametrize("what", [ME, MINE, EMAIL])
def test_a_hold_counts_for_everything_it_is_a_prefix_of(what: str) -> None:
    held = fold(ME, [make_held(what)])
    assert held.is_held(EMAIL)
    assert held.is_held(make_email_id("email-2")) is (what != EMAIL)
    assert held.is_held(EMAIL.replace(CAMPAIGN, "other")) is (what == ME)


@pytest.mark.parametrize("what", ["", f"{MINE}.nurture", f"{EMAIL}.1", "somebody", f"{ME}.a b", f"{ME}.*", f"{ME}."])
def test_an_intent_about_something_else_is_refused(what: str) -> None:
    with pytest.raises(BadId):
        OperatorHeld(contact=ME, at=NOW, what=what, by="grace")


def test_the_newest_round_counts() -> None:
    for order in permutations([make_held(), make_resumed(round=1), make_cancelled(round=2)]):
        assert isinstance(fold(ME, order).intent(ME), OperatorCancelled)


def test_in_one_round_the_stronger_wish_counts() -> None:
    same: list[OperatorIntent] = [make_resumed(round=0), make_held(), make_cancelled()]
    for order in permutations(same):
        assert isinstance(fold(ME, order).intent(ME), OperatorCancelled)
    for order in permutations(same[:2]):
        assert isinstance(fold(ME, order).intent(ME), OperatorHeld)


def test_a_wider_resume_does_not_lift_a_narrower_hold() -> None:
    state = fold(ME, [make_held(EMAIL), make_resumed(MINE, round=0)])
    assert state.is_held(EMAIL)


@pytest.mark.parametrize(
    ("facts", "stops"),
    [
        ([make_held(), make_resumed(at=at(hours=1))], [(0, 1)]),
        ([make_held(), make_held(round=1, at=at(hours=1)), make_resumed(round=2, at=at(hours=2))], [(0, 2)]),
        ([make_held(), make_resumed(at=at(hours=1)), make_held(round=2, at=at(hours=2))], [(0, 1), (2, None)]),
        ([make_held(), make_cancelled(round=1, at=at(hours=1)), make_resumed(round=2, at=at(hours=2))], [(0, 2)]),
        ([make_held(), make_resumed(at=at(hours=1)), make_held(MINE, at=at(minutes=30))], [(0, None)]),
        (
            [make_held(), make_resumed(at=at(hours=1)), make_held(EMAIL), make_resumed(EMAIL, at=at(hours=2))],
            [(0, 2)],
        ),
        ([make_resumed(round=0)], []),
        ([make_held(at=at(hours=1)), make_resumed(at=NOW)], [(1, 1)]),
    ],
)
def test_times_of_being_stopped_are_known(facts: list[OperatorIntent], stops: list[tuple[int, int | None]]) -> None:
    expected = tuple(Stop(at(hours=begin), at(hours=end) if end is not None else None) for begin, end in stops)
    for order in permutations(facts):
        assert fold(ME, order).stops(EMAIL) == expected


def test_stops_that_touch_are_one() -> None:
    def hours(begin: int, end: int | None) -> Stop:
        return Stop(at(hours=begin), at(hours=end) if end is not None else None)

    assert merged([hours(4, 5), hours(0, 1), hours(1, 2), hours(8, None), hours(9, 10)]) == (
        hours(0, 2),
        hours(4, 5),
        hours(8, None),
    )


def test_a_wish_said_twice_is_one_fact() -> None:
    """Two pollers that see the same tick write the same subject; one that comes later writes nothing."""
    before = fold(ME, [])
    first, second = (wish(before, OperatorHeld, ME, by=who, at=NOW) for who in ("grace", "ops"))
    assert first
    assert second
    assert first.id == second.id == f"{ME}.0"
    assert wish(fold(ME, [first]), OperatorHeld, ME, by="ops", at=at(hours=1)) is None


def test_every_change_of_mind_is_another_round() -> None:
    facts: list[OperatorIntent] = []
    for kind in (OperatorHeld, OperatorResumed, OperatorHeld, OperatorCancelled, OperatorResumed):
        said = wish(fold(ME, facts), kind, MINE, by="grace", at=NOW)
        assert said
        facts.append(said)
    assert [fact.round for fact in facts] == [0, 1, 2, 3, 4]


def test_there_is_nothing_to_resume_before_a_hold() -> None:
    assert wish(fold(ME, []), OperatorResumed, ME, by="grace", at=NOW) is None


@pytest.mark.parametrize(
    ("said", "said_at", "counts"),
    [
        ("Ada", at(hours=9), "Augusta"),
        (" Ada ", at(hours=9), "Augusta"),
        ("Grace", at(hours=-1), "Augusta"),
        ("Grace", at(hours=9), "Grace"),
        (None, at(hours=9), "Augusta"),
    ],
)
def test_a_correction_counts_until_a_newer_form_says_something_else(
    said: str | None, said_at: datetime, counts: str
) -> None:
    assert fold(ME, [make_corrected()]).corrected("first_name", said, said_at) == counts


def test_a_form_sent_after_the_hand_counts_though_the_poll_came_later() -> None:
    state = fold(ME, [make_corrected(at=at(hours=2), seen_at=at(hours=1))])
    assert state.corrected("first_name", "Grace", at(hours=1, minutes=30)) == "Grace"


def test_without_a_correction_the_form_counts() -> None:
    assert fold(ME, [make_corrected("business_name")]).corrected("first_name", "Ada", NOW) == "Ada"


def test_a_correction_said_twice_is_one_fact() -> None:
    before = fold(ME, [])
    first = correct(before, "first_name", "", was="Ada", by="grace", at=NOW)
    again = correct(before, "first_name", "", was="Ada", by="ops", at=at(hours=1))
    assert first
    assert again
    assert first.id == again.id == "first_name.0"
    after = fold(ME, [first])
    assert correct(after, "first_name", "", was="Ada", by="grace", at=at(hours=1)) is None
    other = correct(after, "first_name", "Augusta", was="Ada", by="grace", at=at(hours=1))
    assert other
    assert other.id == "first_name.1"


def test_the_newest_correction_counts() -> None:
    for order in permutations([make_corrected(), make_corrected(round=1, value="A.", at=at(hours=-1))]):
        assert fold(ME, order).corrected("first_name", "Ada", NOW) == "A."
