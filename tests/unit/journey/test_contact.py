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
    make_bounced,
    make_cancelled,
    make_corrected,
    make_delivered,
    make_discarded,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_held,
    make_resumed,
    make_retried,
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
    make_email_unknown("email-5"),
    make_delivered("email-5"),
    make_bounced("email-5", webhook="msg_2", at=at(hours=1)),
    make_bounced("email-6", webhook="msg_3", at=at(hours=2)),
    make_email_failed("email-7"),
    make_retried("email-7", at=at(hours=4)),
    make_email_unknown("email-7", round=1),
    make_email_failed("email-8"),
    make_retried("email-8"),
    make_retried("email-8", round=1),
    make_discarded("email-8", round=2),
    make_held(at=at(hours=1)),
    make_resumed(round=0, at=at(hours=1)),
    make_resumed(round=1, at=at(hours=2)),
    make_cancelled(round=2, at=at(hours=3)),
    make_held(round=2, at=at(hours=3)),
    make_held(f"{ME}.{CAMPAIGN}", at=at(hours=2)),
    make_cancelled(make_email_id("email-2"), at=at(hours=5)),
    make_corrected(),
    make_corrected(round=1, value="", at=at(hours=2)),
    make_corrected("business_name", value="Ada & Co", was="Ada's Bakery"),
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


def test_a_delivery_webhook_settles_an_email_nobody_knew_about() -> None:
    for order in permutations([make_email_unknown(), make_delivered(), make_bounced(webhook="msg_2")]):
        email = fold(ME, order).email(make_email_id())
        assert email.is_sent
        assert not email.is_trouble


def test_a_failed_email_is_open_again_once_an_operator_says_so() -> None:
    email = fold(ME, [make_attempt_failed(attempt=1), make_email_failed(), make_retried(attempts=1)]).email(
        make_email_id()
    )
    assert email.end is None
    assert email.round == 1
    assert not email.open_attempts


def test_a_retried_email_can_fail_again() -> None:
    failed_again = fold(ME, [make_email_failed(), make_retried(), make_email_failed(round=1)]).email(make_email_id())
    assert isinstance(failed_again.end, EmailFailed)
    assert failed_again.is_trouble


def test_what_was_sent_stays_sent_whatever_an_operator_says() -> None:
    assert fold(ME, [make_email_sent(), make_retried()]).email(make_email_id()).is_sent


def test_trouble_somebody_has_seen_to_is_trouble_no_more() -> None:
    seen_to = fold(ME, [make_email_failed(), make_discarded()]).email(make_email_id())
    assert isinstance(seen_to.end, EmailFailed)
    assert not seen_to.is_trouble


def test_a_permanent_bounce_ends_all_mail_and_a_transient_one_does_not() -> None:
    assert fold(ME, [make_bounced()]).suppressed_by
    assert fold(ME, [make_bounced(kind="transient")]).suppressed_by is None
