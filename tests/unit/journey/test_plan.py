from datetime import timedelta
from functools import cache
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact
from contracts.ids import contact_id
from journey.campaign import Campaign, load_campaigns
from journey.contact import fold
from journey.plan import Pace, Planned, State, plan, plan_all
from services.settings import ROOT
from tests.factories import (
    ADA,
    CAMPAIGN,
    NOW,
    at,
    make_attempt_failed,
    make_bounced,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_retried,
    make_signup,
)

ME = contact_id(ADA)
STEPS = [f"email-{n}" for n in range(1, 8)]
HOURS = [0, 24, 72, 120, 168, 216, 264]


@cache
def campaign() -> Campaign:
    return load_campaigns(ROOT / "campaigns")[CAMPAIGN]


def planned(*facts: AnyFact, pace: Pace | None = None) -> tuple[Planned, ...]:
    return plan(fold(ME, facts), campaign(), pace or Pace())


def email_facts() -> st.SearchStrategy[AnyFact]:
    steps = st.sampled_from(STEPS)
    return st.one_of(
        steps.map(make_email_sent),
        steps.map(make_email_failed),
        steps.map(make_email_skipped),
        steps.map(make_email_unknown),
        st.builds(make_attempt_failed, steps, attempt=st.integers(1, 5)),
        st.builds(make_signup, at=st.integers(0, 500).map(lambda hours: at(hours=hours))),
    )


def test_a_signup_plans_seven_emails_at_their_hours() -> None:
    emails = planned(make_signup())
    assert [each.step.id for each in emails] == STEPS
    assert [each.due - NOW for each in emails] == [timedelta(hours=hours) for hours in HOURS]
    assert all(each.state == "pending" for each in emails)


def test_testing_mode_takes_minutes_instead_of_days() -> None:
    emails = planned(make_signup(), pace=Pace(testing=True))
    assert [each.due - NOW for each in emails] == [timedelta(minutes=n) for n in range(7)]


def test_speedup_divides_every_delay() -> None:
    emails = planned(make_signup(), pace=Pace(testing=True, speedup=20))
    assert [each.due - NOW for each in emails] == [timedelta(seconds=3 * n) for n in range(7)]


def test_nobody_who_did_not_sign_up_gets_anything() -> None:
    assert planned(make_email_sent()) == ()


def test_a_changed_repeat_signup_starts_no_second_sequence() -> None:
    once, twice = planned(make_signup()), planned(make_signup(), make_signup(red_systems=0, at=at(days=3)))
    assert [(each.email_id, each.due) for each in twice] == [(each.email_id, each.due) for each in once]


def test_a_failed_attempt_moves_the_due_time_and_keeps_the_expiry() -> None:
    before = planned(make_signup())[0]
    after = planned(make_signup(), make_attempt_failed(retry_at=at(minutes=5)))[0]
    assert after.due == at(minutes=5)
    assert after.expires == before.expires
    assert after.planned_for == before.planned_for


def test_retries_come_after_one_five_and_fifteen_minutes_and_then_hourly() -> None:
    waits = [Pace().retry_delay(attempt).total_seconds() for attempt in range(1, 7)]
    assert waits == [60, 300, 900, 3600, 3600, 3600]


def test_the_provider_may_ask_for_more_patience_but_not_for_less() -> None:
    assert Pace().retry_delay(1, retry_after_s=120) == timedelta(seconds=120)
    assert Pace().retry_delay(1, retry_after_s=1) == timedelta(seconds=60)


def test_a_retried_email_is_due_at_once_and_worth_sending_as_long_again() -> None:
    asked = make_retried(at=at(days=30))
    first = planned(make_signup(), make_attempt_failed(retry_at=at(days=40)), make_email_failed(), asked)[0]
    assert first.is_pending
    assert first.expires - asked.at == planned(make_signup())[0].expires - NOW
    again = planned(make_signup(), make_email_failed(), make_retried(at=at(days=30), attempts=1))[0]
    assert again.due == asked.at


def test_nothing_more_is_wanted_after_a_complaint_and_everything_after_a_soft_bounce() -> None:
    assert {each.unwanted for each in planned(make_signup(), make_bounced("email-2"))} == {"suppressed"}
    assert all(each.is_pending for each in planned(make_signup(), make_bounced("email-9", kind="transient")))


def test_a_campaign_nobody_loaded_plans_nothing() -> None:
    assert plan_all(fold(ME, [make_signup(campaign="another")]), {CAMPAIGN: campaign()}, Pace()) == {}


@given(st.lists(email_facts(), max_size=15))
def test_every_step_is_in_exactly_one_state(facts: list[AnyFact]) -> None:
    emails = planned(make_signup(), *facts)
    assert sorted(each.email_id for each in emails) == sorted(make_email_id(step) for step in STEPS)
    assert all(each.state in get_args(State) for each in emails)
    assert all(each.is_pending == (each.state == "pending") for each in emails)


@given(st.lists(email_facts(), max_size=10).flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts))))
def test_facts_in_another_order_give_the_same_plan(both: tuple[list[AnyFact], list[AnyFact]]) -> None:
    facts, shuffled = both
    assert planned(make_signup(), *facts) == planned(*shuffled, make_signup())


@given(st.lists(email_facts(), max_size=10))
def test_planning_twice_changes_nothing(facts: list[AnyFact]) -> None:
    contact = fold(ME, [make_signup(), *facts])
    assert plan(contact, campaign(), Pace()) == plan(contact, campaign(), Pace())


@given(st.lists(email_facts(), max_size=10), st.sampled_from(STEPS))
def test_sending_one_email_leaves_the_others_as_they_were(facts: list[AnyFact], step: str) -> None:
    before = {each.email_id: each for each in planned(make_signup(), *facts)}
    after = {each.email_id: each for each in planned(make_signup(), *facts, make_email_sent(step))}
    changed = make_email_id(step)
    assert after[changed].state == "sent"
    assert all(after[other] == before[other] for other in before if other != changed)
