"""What hurrying does to a plan: it changes when an email is due, to earlier; never whether it is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact
from contracts.ids import BadId, contact_id
from contracts.operators import OperatorHurried
from journey.contact import fold
from journey.model import Late, Sequence
from journey.plan import Pace, Planned, plan
from journey.wishes import Refusal, hurry
from tests.factories import (
    ADA,
    at,
    make_attempt_failed,
    make_booking_created,
    make_booking_rescheduled,
    make_bounced,
    make_cancelled,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_held,
    make_hurried,
    make_resumed,
    make_retried,
    make_signup,
)
from tests.unit.journey.small_campaign import PRECALL, campaign
from tests.unit.journey.small_campaign import step as step_of
from tests.unit.journey.test_holds import planned

ME = contact_id(ADA)
STEPS = st.sampled_from([f"email-{day}" for day in range(4)])
TIMES = st.integers(0, 400).map(lambda quarters: at(minutes=15 * quarters))
POLICIES: st.SearchStrategy[Late] = st.sampled_from(["shift", "send", "skip"])


def hurries() -> st.SearchStrategy[OperatorHurried]:
    return st.builds(make_hurried, STEPS, at=TIMES, round=st.integers(0, 2), attempts=st.integers(0, 3))


def facts() -> st.SearchStrategy[AnyFact]:
    whats = STEPS.map(make_email_id) | st.just(ME)
    return st.one_of(
        hurries(),
        st.builds(make_email_sent, STEPS, at=TIMES),
        st.builds(make_email_failed, STEPS, at=TIMES),
        st.builds(make_email_unknown, STEPS, at=TIMES),
        st.builds(make_attempt_failed, STEPS, attempt=st.integers(1, 3), at=TIMES, retry_at=TIMES),
        st.builds(make_retried, STEPS, at=TIMES, attempts=st.integers(0, 3)),
        st.builds(make_held, whats, at=TIMES, round=st.just(0)),
        st.builds(make_resumed, whats, at=TIMES, round=st.just(1)),
        st.builds(make_cancelled, whats, at=TIMES, round=st.just(2)),
        st.builds(make_bounced, STEPS, at=TIMES),
    )


HISTORIES = st.lists(facts(), max_size=12)


def email(*happened: AnyFact, step: str = "email-2", policy: Late = "shift") -> Planned:
    return planned(policy, make_signup(), *happened)[step]


def test_a_hurried_email_is_due_when_it_was_said_and_no_other_moves() -> None:
    said = make_hurried("email-2", at=at(hours=5))
    before, after = planned("shift", make_signup()), planned("shift", make_signup(), said)
    assert after["email-2"].due == at(hours=5)
    assert {name: each.due for name, each in after.items() if name != "email-2"} == {
        name: each.due for name, each in before.items() if name != "email-2"
    }
    assert after["email-2"].planned_for == before["email-2"].planned_for
    assert after["email-2"].expires == before["email-2"].expires


def test_a_hurry_cuts_short_what_earlier_attempts_wait_for_and_not_later_ones() -> None:
    failed = make_attempt_failed("email-2", attempt=1, at=at(days=2), retry_at=at(days=2, hours=1))
    said = make_hurried("email-2", at=at(days=2, minutes=5), attempts=1)
    assert email(failed, said).due == at(days=2, minutes=5)
    again = make_attempt_failed("email-2", attempt=2, at=at(days=2, minutes=6), retry_at=at(days=2, hours=2))
    assert email(failed, said, again).due == at(days=2, hours=2)


def test_what_was_hurried_and_then_held_is_due_at_the_resume() -> None:
    said = make_hurried("email-2", at=at(hours=5))
    held, resumed = make_held(at=at(hours=5, minutes=1)), make_resumed(at=at(hours=9))
    assert email(said, held).state == "held"
    assert email(said, held, resumed).due == at(hours=9)


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
def test_what_was_hurried_and_then_held_over_its_own_time_goes_out_at_the_resume(policy: Late) -> None:
    """It did not merely come due while it was held: somebody had asked for it before."""
    said = make_hurried("email-2", at=at(hours=5))
    held, resumed = make_held(at=at(hours=5, minutes=1)), make_resumed(at=at(days=3))
    after = email(said, held, resumed, policy=policy)
    assert (after.state, after.due) == ("pending", at(days=3))


@given(HISTORIES, hurries(), POLICIES)
def test_hurrying_makes_nothing_due_later_and_changes_nothing_else(
    happened: list[AnyFact], said: OperatorHurried, policy: Late
) -> None:
    """But that an email which somebody asked for does not merely come due while it is held."""
    before = planned(policy, make_signup(), *happened)
    for name, after in planned(policy, make_signup(), *happened, said).items():
        assert after.due <= before[name].due
        assert after.expires == before[name].expires
        if before[name].reason != "came_due_while_held" or before[name].email_id != said.what:
            assert (after.state, after.reason) == (before[name].state, before[name].reason)


@given(HISTORIES, POLICIES, st.data())
def test_the_order_of_facts_and_their_repeats_do_not_count(
    happened: list[AnyFact], policy: Late, data: st.DataObject
) -> None:
    said = [each for each in happened if isinstance(each, OperatorHurried)]
    others = [each for each in happened if not isinstance(each, OperatorHurried)]
    mixed = others + data.draw(st.permutations(said + said))
    first = others[: len(others) // 2] + said + others[len(others) // 2 :]
    one, other = (planned(policy, make_signup(), *each) for each in (mixed, first))
    assert {name: each.due for name, each in one.items()} == {name: each.due for name, each in other.items()}


@given(HISTORIES)
def test_what_is_hurried_by_the_rules_is_due_then_or_is_refused(happened: list[AnyFact]) -> None:
    history = [make_signup(), *happened]
    now = max(each.at for each in history)
    for each in planned("shift", *history).values():
        fact = hurry(fold(ME, history), each, by="grace", at=now)
        if isinstance(fact, OperatorHurried):
            assert each.is_pending
            after = planned("shift", *history, fact)[each.step.id]
            assert after.due <= fact.at
            assert hurry(fold(ME, [*history, fact]), after, by="grace", at=fact.at) == "due"


@pytest.mark.parametrize(
    ("happened", "refusal"),
    [
        ([make_email_sent("email-2")], ("sent", "")),
        ([make_email_failed("email-2")], ("failed", "validation_error")),
        ([make_email_unknown("email-2")], ("unknown", "unconfirmed")),
        ([make_email_skipped("email-2")], ("skipped", "expired")),
        ([make_held()], ("held", "held")),
        ([make_cancelled()], ("skipped", "cancelled")),
        ([make_bounced()], ("skipped", "suppressed")),
    ],
)
def test_what_ended_or_is_not_wanted_is_refused(happened: list[AnyFact], refusal: tuple[str, str]) -> None:
    state = fold(ME, [make_signup(), *happened])
    assert hurry(state, email(*happened), by="grace", at=at(hours=1)) == refusal


def test_what_is_not_worth_sending_any_more_is_refused() -> None:
    state = fold(ME, [make_signup()])
    assert hurry(state, email(), by="grace", at=at(days=30)) == Refusal("pending", "expired")


def test_a_hurry_of_somebody_elses_email_is_no_fact() -> None:
    with pytest.raises(BadId):
        make_hurried(what=make_email_id("email-1", "grace@example.com"))


def reminders(*happened: AnyFact) -> dict[tuple[bool, str], Planned]:
    """Before a meeting: whether the email is of its present time, and its step."""
    emails = plan(fold(ME, happened), campaign(PRECALL), Pace())
    return {(each.unwanted != "booking_rescheduled", each.step.id): each for each in emails}


def a_reminder_is_hurried(step: str) -> list[AnyFact]:
    booked = make_booking_created(start=at(days=7), sent_at=at())
    of = reminders(booked)[True, step].email_id
    return [booked, make_hurried(what=of, at=at(minutes=30))]


def test_a_hurried_reminder_of_a_meeting_that_moves_is_not_sent_and_the_new_one_keeps_its_time() -> None:
    history = a_reminder_is_hurried("day-before")
    assert reminders(*history)[True, "day-before"].due == at(minutes=30)
    after = reminders(*history, make_booking_rescheduled(sent_at=at(hours=1), start=at(days=8)))
    assert (after[False, "day-before"].state, after[False, "day-before"].reason) == ("skipped", "booking_rescheduled")
    assert after[True, "day-before"].due == at(days=7)
    state = fold(ME, [*history, make_booking_rescheduled(sent_at=at(hours=1), start=at(days=8))])
    refused = hurry(state, after[False, "day-before"], by="grace", at=at(hours=2))
    assert refused == Refusal("skipped", "booking_rescheduled")


def test_a_reminder_that_was_sent_before_its_time_is_sent_for_a_new_time_only_where_the_campaign_says_so() -> None:
    for step, expected in (("guide", ("skipped", "already_sent_before_it_moved")), ("day-before", ("pending", None))):
        booked, hurried = history = a_reminder_is_hurried(step)
        assert isinstance(hurried, OperatorHurried)
        said = make_email_sent(at=at(minutes=31), email_id=hurried.what)
        after = reminders(*history, said, make_booking_rescheduled(sent_at=at(hours=1), start=at(days=8)))
        assert (after[True, step].state, after[True, step].reason) == expected
        assert booked.contact == ME


def test_a_hurry_holds_whatever_the_campaign_then_says_of_its_time() -> None:
    said = make_hurried("email-2", at=at(hours=5))
    for edited, due in ((12, at(hours=5)), (96, at(hours=5)), (2, at(hours=2))):
        days = Sequence("nurture", "signup", (step_of("email-2", edited),))
        assert planned("shift", make_signup(), said, of=days)["email-2"].due == due


def test_a_hurried_email_that_the_campaign_has_no_more_is_not_planned() -> None:
    without = Sequence("nurture", "signup", (step_of("email-1", 24),))
    assert list(planned("shift", make_signup(), make_hurried("email-2", at=at(hours=5)), of=without)) == ["email-1"]


@pytest.mark.parametrize("after", [make_bounced(), make_held(), make_cancelled()])
def test_what_happens_after_a_hurry_and_before_the_send_counts_more(after: AnyFact) -> None:
    assert not email(make_hurried("email-2", at=at(hours=5)), after).is_pending


def test_a_hurry_written_a_moment_after_somebody_was_erased_plans_nothing() -> None:
    assert planned("shift", make_hurried("email-2", at=at(hours=5))) == {}
