from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact, EmailFailed, EmailSent
from contracts.ids import contact_id
from journey.contact import fold
from tests.factories import (
    ADA,
    CAMPAIGN,
    NOW,
    at,
    make_attempt_failed,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_signup,
)

ME = contact_id(ADA)
HISTORY: list[AnyFact] = [
    make_signup(),
    make_signup(first_name="Adah", red_systems=0, at=at(hours=3)),
    make_signup(first_name="Ada L.", red_systems=1, at=at(hours=1)),
    make_attempt_failed("email-1", attempt=1),
    make_attempt_failed("email-1", attempt=2, accepted="maybe"),
    make_email_sent("email-1"),
    make_email_failed("email-2"),
    make_email_skipped("email-3"),
    make_email_unknown("email-4"),
    make_email_sent("email-4"),
]


@given(st.permutations(HISTORY))
def test_the_order_of_facts_does_not_matter(shuffled: list[AnyFact]) -> None:
    assert fold(ME, shuffled) == fold(ME, HISTORY)


@given(st.lists(st.sampled_from(HISTORY), max_size=12))
def test_a_fact_seen_again_changes_nothing(repeated: list[AnyFact]) -> None:
    assert fold(ME, HISTORY + repeated) == fold(ME, HISTORY)


def test_the_first_signup_starts_the_clock_and_the_newest_says_who_they_are() -> None:
    signup = fold(ME, HISTORY).signups[CAMPAIGN]
    assert signup.first_at == NOW
    assert signup.latest.first_name == "Adah"


def test_what_was_sent_was_sent_whatever_else_was_recorded() -> None:
    endings: list[AnyFact] = [
        make_email_unknown(), make_email_skipped(), make_email_failed(), make_email_sent()
    ]  # fmt: skip
    for order in permutations(endings):
        assert isinstance(fold(ME, order).email(make_email_id()).end, EmailSent)


def test_a_failure_counts_more_than_a_doubt() -> None:
    facts: list[AnyFact] = [make_email_failed(), make_email_unknown()]
    assert isinstance(fold(ME, facts).email(make_email_id()).end, EmailFailed)


def test_a_stranger_has_no_address() -> None:
    assert fold(ME, []).address is None


def test_unknown_form_fields_never_replace_known_ones() -> None:
    signup = fold(ME, [make_signup(extra={"first_name": "Mallory", "colour": "red"})]).signups[CAMPAIGN]
    assert signup.values()["first_name"] == "Ada"
    assert signup.values()["colour"] == "red"
