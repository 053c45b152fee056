from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact
from contracts.subjects import Timer
from eventlog.timers import Armed, TimersOf
from journey.contact import fold
from journey.plan import Pace, plan_all
from services.scheduler.reconcile import Changes, reconcile
from tests.factories import (
    CAMPAIGN,
    NOW,
    at,
    make_attempt_failed,
    make_cancelled,
    make_email_id,
    make_email_sent,
    make_email_unknown,
    make_held,
    make_signup,
)
from tests.unit.journey.test_plan import ME, STEPS, campaign


def changes(
    *facts: AnyFact,
    armed: tuple[Armed, ...] = (),
    fired: tuple[Timer, ...] = (),
    now: datetime = NOW,
    lost: bool = False,
) -> Changes:
    planned = plan_all(fold(ME, facts), {CAMPAIGN: campaign()}, Pace()).values()
    return reconcile(planned, TimersOf(armed, fired), {CAMPAIGN}, now, fired_are_lost=lost)


def armed_for(*steps: str, scheduled: bool = True) -> tuple[Armed, ...]:
    hours = dict(zip(STEPS, [0, 24, 72, 120, 168, 216, 264], strict=True))
    timers = [Timer.at(make_email_id(step), at(hours=hours[step])) for step in steps]
    return tuple(Armed(timer, sequence, scheduled) for sequence, timer in enumerate(timers, start=1))


def test_a_signup_arms_all_seven_in_order_of_time() -> None:
    result = changes(make_signup())
    assert [timer.email_id for timer, _ in result.arm] == [make_email_id(step) for step in STEPS]
    assert not result.purge


def test_what_is_in_line_is_left_alone() -> None:
    assert not changes(make_signup(), armed=armed_for(*STEPS))


def test_what_was_sent_is_purged() -> None:
    result = changes(make_signup(), make_email_sent("email-2"), armed=armed_for(*STEPS))
    assert [timer.email_id for timer in result.purge] == [make_email_id("email-2")]
    assert not result.arm


def test_a_retry_arms_its_new_time_and_purges_the_old() -> None:
    retry = make_attempt_failed("email-3", retry_at=at(days=4))
    result = changes(make_signup(), retry, armed=armed_for(*STEPS))
    assert [timer for timer, _ in result.arm] == [Timer.at(make_email_id("email-3"), at(days=4))]
    assert [timer.due_at for timer in result.purge] == [at(hours=72)]


def test_an_email_in_doubt_keeps_its_wake_up_when_it_is_cancelled_until_it_is_known_to_be_unknown() -> None:
    """Somebody must write down that it may be in a mailbox."""
    email, retry_at = make_email_id("email-2"), at(hours=25)
    facts: list[AnyFact] = [make_signup(), make_attempt_failed("email-2", accepted="maybe", retry_at=retry_at)]
    timer, cancelled = Timer.at(email, retry_at), make_cancelled(email)
    others = armed_for("email-1", *STEPS[2:])
    assert changes(*facts, cancelled, armed=others).arm == ((timer, 0),)
    assert not changes(*facts, cancelled, armed=(*others, Armed(timer, 9, True)))
    assert not changes(*facts, cancelled, armed=others, fired=(timer,))
    ended = make_email_unknown("email-2")
    assert changes(*facts, cancelled, ended, armed=others, fired=(timer,), lost=True) == Changes(clear=(timer,))


def test_an_email_in_doubt_has_no_wake_up_while_it_is_held() -> None:
    maybe = make_attempt_failed("email-2", accepted="maybe", retry_at=at(hours=25))
    assert not changes(
        make_signup(), maybe, make_held(make_email_id("email-2")), armed=armed_for("email-1", *STEPS[2:])
    )


def test_a_refused_email_has_no_wake_up_when_it_is_cancelled() -> None:
    refused, cancelled = make_attempt_failed("email-2"), make_cancelled(make_email_id("email-2"))
    assert not changes(make_signup(), refused, cancelled, armed=armed_for("email-1", *STEPS[2:]))


def test_a_wake_up_on_its_way_to_the_sender_is_not_armed_again() -> None:
    fired = armed_for("email-1")[0].timer
    assert not changes(make_signup(), armed=armed_for(*STEPS[1:]), fired=(fired,))


def test_a_wake_up_that_was_lost_is_armed_again() -> None:
    fired = armed_for("email-1")[0].timer
    result = changes(make_signup(), armed=armed_for(*STEPS[1:]), fired=(fired,), lost=True)
    assert [timer for timer, _ in result.arm] == [fired]


def test_what_is_left_of_a_wake_up_for_an_ended_email_is_cleared() -> None:
    fired = armed_for("email-1")[0].timer
    signup, sent = make_signup(), make_email_sent("email-1")
    result = changes(signup, sent, armed=armed_for(*STEPS[1:]), fired=(fired,), lost=True)
    assert result == Changes(clear=(fired,))


def test_a_key_still_there_a_minute_after_its_time_is_written_again_over_itself() -> None:
    result = changes(make_signup(), armed=armed_for(*STEPS), now=at(seconds=61))
    assert result.arm == ((armed_for("email-1")[0].timer, 1),)


def test_a_key_a_few_seconds_late_is_given_time() -> None:
    assert not changes(make_signup(), armed=armed_for(*STEPS), now=at(seconds=30))


def test_a_key_without_a_schedule_is_written_again() -> None:
    result = changes(make_signup(), armed=armed_for(*STEPS[:6]) + armed_for("email-7", scheduled=False))
    assert [timer.email_id for timer, _ in result.arm] == [make_email_id("email-7")]


def test_timers_of_a_campaign_we_do_not_know_are_left_alone() -> None:
    """A process with an older set of campaigns must not cancel what a newer one planned."""
    stranger = Armed(Timer(make_email_id().replace(CAMPAIGN, "another"), 1_900_000_000), 9, True)
    assert not changes(make_signup(), armed=(*armed_for(*STEPS), stranger))


@given(st.sets(st.sampled_from(STEPS)), st.sets(st.sampled_from(STEPS)))
def test_applying_the_changes_leaves_nothing_to_change(sent: set[str], armed: set[str]) -> None:
    facts: list[AnyFact] = [make_signup(), *map(make_email_sent, sorted(sent))]
    before = armed_for(*sorted(armed))
    first = changes(*facts, armed=before)
    kept = {each.timer for each in before} - set(first.purge) | {timer for timer, _ in first.arm}
    after = tuple(Armed(timer, number, True) for number, timer in enumerate(sorted(kept), start=1))
    assert not changes(*facts, armed=after)
    assert {timer.email_id for timer in kept} == {make_email_id(step) for step in set(STEPS) - sent}
