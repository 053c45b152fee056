from datetime import datetime

from contracts.facts import AnyFact
from eventlog.claims import Claim
from journey.contact import fold
from journey.plan import Pace, plan_all
from services.sender.decide import Decision, Doubt, Ended, Fail, Interrupted, Later, Lost, Send, Skip, Unwanted, decide
from tests.factories import (
    CAMPAIGN,
    NOW,
    at,
    make_attempt_failed,
    make_cancelled,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_held,
    make_resumed,
    make_signup,
)
from tests.unit.journey.test_plan import ME, campaign

EMAIL = make_email_id("email-1")
EXPIRED = at(hours=72, seconds=1)


def decided(*facts: AnyFact, claim: Claim | None = None, now: datetime = NOW, email: str = EMAIL) -> Decision:
    planned = plan_all(fold(ME, facts), {CAMPAIGN: campaign()}, Pace()).get(email)
    return decide(planned, claim, now)


def make_claim(attempt: int = 1, begun: datetime = NOW, *, settled: bool = False) -> Claim:
    body = None if settled else "{}"
    return Claim(email_id=EMAIL, body=body, attempt=attempt, attempt_at=begun)


def test_a_due_email_is_sent_as_its_first_attempt() -> None:
    assert decided(make_signup()) == Send(1, repeat=False)


def test_an_email_that_has_ended_is_not_touched_again() -> None:
    endings: list[AnyFact] = [make_email_sent(), make_email_skipped(), make_email_failed(), make_email_unknown()]
    states = [decided(make_signup(), ending) for ending in endings]
    assert states == [Ended("sent"), Ended("skipped"), Ended("failed"), Ended("unknown")]


def test_a_wake_up_before_its_time_waits() -> None:
    assert decided(make_signup(), email=make_email_id("email-2")) == Later(at(hours=24))


def test_an_email_nobody_plans_is_skipped() -> None:
    assert decided(make_signup(), email=make_email_id("email-99")) == Skip("not_planned")
    assert decided() == Skip("not_planned")


def test_an_expired_email_that_was_never_tried_is_skipped() -> None:
    assert decided(make_signup(), now=EXPIRED) == Skip("expired")


def test_an_expired_email_whose_attempts_were_refused_has_failed() -> None:
    facts: list[AnyFact] = [make_signup(), make_attempt_failed(reason="rate_limit_exceeded", retry_at=at(hours=71))]
    assert decided(*facts, claim=make_claim(), now=EXPIRED) == Fail("expired; last attempt: rate_limit_exceeded")


def test_an_expired_email_that_may_have_been_accepted_is_in_doubt() -> None:
    facts: list[AnyFact] = [make_signup(), make_attempt_failed(accepted="maybe", retry_at=at(hours=71))]
    assert isinstance(decided(*facts, claim=make_claim(), now=EXPIRED), Doubt)


def test_an_attempt_without_a_result_is_repeated_as_it_was() -> None:
    assert decided(make_signup(), claim=make_claim(), now=at(minutes=2)) == Send(1, repeat=True)


def test_after_a_refusal_the_next_attempt_begins() -> None:
    facts: list[AnyFact] = [make_signup(), make_attempt_failed(retry_at=at(minutes=1))]
    assert decided(*facts, claim=make_claim(), now=at(minutes=2)) == Send(2, repeat=False)


def test_a_second_attempt_without_a_result_is_repeated_as_the_second() -> None:
    facts: list[AnyFact] = [make_signup(), make_attempt_failed(retry_at=at(minutes=1))]
    claim = make_claim(attempt=2, begun=at(minutes=1))
    assert decided(*facts, claim=claim, now=at(minutes=3)) == Send(2, repeat=True)


def test_an_unconfirmed_attempt_is_never_sent_again_after_23_hours() -> None:
    assert decided(make_signup(), claim=make_claim(), now=at(hours=22, minutes=59)) == Send(1, repeat=True)
    assert isinstance(decided(make_signup(), claim=make_claim(), now=at(hours=23, seconds=1)), Doubt)


def test_a_maybe_stays_a_doubt_through_later_refusals() -> None:
    facts: list[AnyFact] = [
        make_signup(),
        make_attempt_failed(attempt=1, accepted="maybe", retry_at=at(minutes=1)),
        make_attempt_failed(attempt=2, at=at(hours=20), retry_at=at(hours=21)),
    ]
    assert isinstance(decided(*facts, claim=make_claim(attempt=2), now=at(hours=24)), Doubt)


def test_clear_refusals_may_be_retried_for_days() -> None:
    facts: list[AnyFact] = [make_signup(), make_attempt_failed(retry_at=at(hours=40))]
    assert decided(*facts, claim=make_claim(), now=at(hours=41)) == Send(2, repeat=False)


def test_an_email_no_longer_planned_with_an_open_attempt_is_in_doubt() -> None:
    assert isinstance(decided(claim=make_claim()), Doubt)


def test_a_settled_claim_without_its_fact_is_looked_at_again() -> None:
    assert decided(make_signup(), claim=make_claim(settled=True)) == Lost()


def test_a_held_email_waits_and_nothing_is_written_down() -> None:
    assert decided(make_signup(), make_held()) == Unwanted("held")
    assert decided(make_signup(), make_held(), now=EXPIRED) == Unwanted("held")


def test_a_held_email_in_doubt_waits_and_is_repeated_after_the_resume() -> None:
    maybe = make_attempt_failed(accepted="maybe", retry_at=at(minutes=1))
    facts: list[AnyFact] = [make_signup(), maybe, make_held(at=at(minutes=1))]
    assert decided(*facts, claim=make_claim(), now=at(minutes=2)) == Unwanted("held")
    resumed = make_resumed(at=at(hours=1))
    assert decided(*facts, resumed, claim=make_claim(), now=at(hours=1)) == Send(2, repeat=False)
    late = make_resumed(at=at(hours=30))
    assert isinstance(decided(*facts, late, claim=make_claim(), now=at(hours=30)), Doubt)


def test_an_attempt_without_a_result_is_written_down_when_a_hold_comes_between() -> None:
    assert decided(make_signup(), make_held(), claim=make_claim(), now=at(hours=1)) == Interrupted(1, NOW)


def test_a_cancelled_email_that_may_have_been_accepted_is_in_doubt() -> None:
    assert isinstance(decided(make_signup(), make_cancelled(), claim=make_claim()), Doubt)
    assert decided(make_signup(), make_cancelled()) == Unwanted("cancelled")
