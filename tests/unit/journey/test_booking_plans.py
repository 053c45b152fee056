"""What follows from bookings: reminders that are always right."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.base import Fact
from contracts.ids import contact_id
from journey.contact import fold
from journey.model import Sequence
from journey.plan import Pace, Planned, plan
from journey.simulate import simulate
from tests.factories import (
    ADA,
    CAMPAIGN,
    at,
    make_attempt_failed,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rejected,
    make_booking_requested,
    make_booking_rescheduled,
    make_email_sent,
    make_no_show_reported,
    make_no_show_withdrawn,
    make_signup,
    make_triggered,
)
from tests.unit.journey.small_campaign import NURTURE, campaign, step

ME = contact_id(ADA)
SMALL = {CAMPAIGN: campaign()}
START = at(days=7)


def planned(*facts: Fact, sequence: str, pace: Pace | None = None) -> list[Planned]:
    emails = plan(fold(ME, facts), campaign(), pace or Pace())
    return [each for each in emails if each.sequence.id == sequence]


def states(*facts: Fact, sequence: str, pace: Pace | None = None) -> dict[str, str]:
    """Of the current time of the only meeting: step → state, or why not."""
    emails = planned(*facts, sequence=sequence, pace=pace)
    return {each.step.id: each.reason or each.state for each in emails if each.unwanted != "booking_rescheduled"}


def sent(*facts: Fact) -> list[tuple[str, timedelta]]:
    """What a whole life leads to: step and time since the beginning."""
    return [(each.planned.step.id, each.at - at()) for each in simulate(ME, facts, SMALL, Pace()).sent]


def booked(**overrides: Any) -> Fact:
    return make_booking_created(**({"start": START, "end": START + timedelta(minutes=30), "sent_at": at()} | overrides))


def test_a_booking_plans_three_reminders_before_the_meeting() -> None:
    emails = planned(booked(), sequence="precall")
    assert [(each.step.id, each.due - START) for each in emails] == [
        ("guide", timedelta(hours=-72)),
        ("day-before", timedelta(hours=-24)),
        ("hours-before", timedelta(hours=-2)),
    ]


def test_testing_mode_counts_in_minutes() -> None:
    emails = planned(booked(), sequence="precall", pace=Pace(testing=True))
    assert [START - each.due for each in emails] == [timedelta(minutes=m) for m in (72, 24, 2)]


def test_a_reminder_is_worth_nothing_once_the_meeting_began() -> None:
    assert all(each.expires <= START for each in planned(booked(), sequence="precall"))


def test_a_meeting_booked_an_hour_ahead_gets_no_reminder() -> None:
    soon = booked(start=at(hours=1), end=at(hours=2))
    assert set(states(soon, sequence="precall").values()) == {"meeting_too_soon"}


def test_a_step_whose_time_had_passed_when_it_was_booked_is_left_out_and_the_others_are_sent() -> None:
    assert states(booked(start=at(hours=30), end=at(hours=31)), sequence="precall") == {
        "guide": "booked_too_late",
        "day-before": "pending",
        "hours-before": "pending",
    }


def test_a_cancelled_meeting_is_not_reminded_of() -> None:
    cancelled = make_booking_cancelled(sent_at=at(hours=1))
    assert set(states(booked(), cancelled, sequence="precall").values()) == {"booking_cancelled"}
    assert sent(booked(), cancelled) == []


def test_a_cancel_that_overtakes_its_booking_wins() -> None:
    cancelled = make_booking_cancelled(sent_at=at(hours=1))
    assert states(cancelled, booked(), sequence="precall") == states(booked(), cancelled, sequence="precall")


def test_a_request_is_reminded_of_only_once_it_is_confirmed() -> None:
    asked = make_booking_requested(start=START, end=START + timedelta(minutes=30), sent_at=at())
    confirmed = booked(sent_at=at(hours=2))
    assert set(states(asked, sequence="precall").values()) == {"booking_not_confirmed"}
    assert set(states(asked, confirmed, sequence="precall").values()) == {"pending"}
    rejected = make_booking_rejected(sent_at=at(hours=2))
    assert set(states(asked, rejected, sequence="precall").values()) == {"booking_rejected"}


def test_the_host_asking_for_another_time_stops_the_reminders() -> None:
    asked = make_booking_cancelled(sent_at=at(hours=1), reschedule_requested=True)
    assert set(states(booked(), asked, sequence="precall").values()) == {"reschedule_requested"}


def test_a_move_times_everything_anew() -> None:
    moved = make_booking_rescheduled(start=at(days=9), end=at(days=9, minutes=30), sent_at=at(hours=1))
    emails = [each for each in planned(booked(), moved, sequence="precall") if each.is_pending]
    assert [each.due for each in emails] == [at(days=6), at(days=8), at(days=8, hours=22)]
    assert sent(booked(), moved)[:3] == [
        ("guide", timedelta(days=6)),
        ("day-before", timedelta(days=8)),
        ("hours-before", timedelta(days=8, hours=22)),
    ]


def test_after_a_late_move_reminders_come_again_and_the_guide_does_not() -> None:
    late = make_booking_rescheduled(
        start=at(days=12), end=at(days=12, minutes=30), sent_at=at(days=6, hours=12), at=at(days=6, hours=12)
    )
    assert [step for step, _ in sent(booked(), late)] == [
        "guide", "day-before", "day-before", "hours-before", "thanks",
    ]  # fmt: skip
    assert states(booked(), late, _was_sent("guide"), sequence="precall")["guide"] == "already_sent_before_it_moved"


def test_what_may_have_been_sent_before_a_move_is_not_sent_again() -> None:
    late = make_booking_rescheduled(start=at(days=12), end=at(days=12, minutes=30), sent_at=at(days=6, hours=12))
    guide = _first("guide")
    maybe, refused = (make_attempt_failed(email_id=guide, accepted=accepted) for accepted in ("maybe", "no"))
    assert states(booked(), maybe, late, sequence="precall")["guide"] == "already_sent_before_it_moved"
    assert states(booked(), refused, late, sequence="precall")["guide"] == "pending"
    [old] = [each for each in planned(booked(), maybe, late, sequence="precall") if each.email_id == guide]
    assert (old.is_pending, old.needs_a_look) == (False, True)


def _was_sent(step: str) -> Fact:
    return make_email_sent(email_id=_first(step))


def _first(step: str) -> str:
    """Of the time that was booked first."""
    return next(each.email_id for each in planned(booked(), sequence="precall") if each.step.id == step)


def test_moved_away_and_back_no_reminder_comes_twice_for_the_same_time() -> None:
    away = make_booking_rescheduled(
        "b2", "b1", start=at(days=9), end=at(days=9, minutes=30), sent_at=at(days=6.5), at=at(days=6.5)
    )
    back = make_booking_rescheduled(
        "b3", "b2", start=START, end=START + timedelta(minutes=30), sent_at=at(days=6.6), at=at(days=6.6)
    )
    assert [step for step, _ in sent(booked(), away, back)] == ["guide", "day-before", "hours-before", "thanks"]


def test_a_booking_moved_twice_and_cancelled_sends_nothing() -> None:
    facts = [
        booked(),
        make_booking_rescheduled("b2", "b1", start=at(days=9), sent_at=at(hours=1), at=at(hours=1)),
        make_booking_rescheduled("b3", "b2", start=at(days=11), sent_at=at(hours=2), at=at(hours=2)),
        make_booking_cancelled("b3", sent_at=at(hours=3), at=at(hours=3)),
    ]
    assert sent(*facts) == []
    assert not any(each.is_pending for each in plan(fold(ME, facts), campaign(), Pace()))


def test_whoever_has_the_calendar_file_is_told_of_the_cancellation() -> None:
    facts = [booked(), make_booking_cancelled(sent_at=at(days=5), at=at(days=5))]
    assert sent(*facts) == [("guide", timedelta(days=4)), ("take-back", timedelta(days=5))]


def test_the_follow_up_comes_after_the_end_and_not_after_a_no_show() -> None:
    assert states(booked(), sequence="postcall") == {"thanks": "pending"}
    assert planned(booked(), sequence="postcall")[0].due == START + timedelta(minutes=30, hours=2)
    missed = make_no_show_reported(sent_at=at(days=7, minutes=40))
    assert states(booked(), missed, sequence="postcall") == {"thanks": "no_show_reported"}


def test_a_no_show_starts_its_own_sequence_and_a_new_booking_stops_it() -> None:
    missed = make_no_show_reported(sent_at=at(days=7, minutes=40), at=at(days=7, minutes=40))
    assert set(states(booked(), missed, sequence="noshow").values()) == {"pending"}
    again = make_booking_created("b9", start=at(days=12), sent_at=at(days=8), at=at(days=8))
    stopped = states(booked(), missed, again, sequence="noshow")
    assert set(stopped.values()) == {"booking_created"}
    steps = [step for step, _ in sent(booked(), missed, again)]
    assert steps.count("missed") == 1
    assert "again" not in steps


def test_a_no_show_taken_back_stops_its_sequence_and_the_follow_up_goes_on() -> None:
    facts = [
        booked(),
        make_no_show_reported(sent_at=at(days=7, hours=1)),
        make_no_show_withdrawn(sent_at=at(days=7, hours=2)),
    ]
    assert set(states(*facts, sequence="noshow").values()) == {"no_show_withdrawn"}
    assert states(*facts, sequence="postcall") == {"thanks": "pending"}


def test_a_no_show_at_a_meeting_we_never_saw_writes_to_nobody() -> None:
    assert plan(fold(ME, [make_no_show_reported()]), campaign(), Pace()) == ()


def test_a_follow_up_nobody_asked_for_is_not_sent_to_who_cancelled() -> None:
    assert states(booked(), make_booking_cancelled(sent_at=at(days=1)), sequence="postcall") == {
        "thanks": "booking_cancelled"
    }


def test_the_nurture_goes_on_after_a_booking_unless_the_campaign_says_otherwise() -> None:
    facts = [make_signup(), booked()]
    assert set(states(*facts, sequence="nurture").values()) == {"pending"}
    strict = campaign(msgspec.structs.replace(NURTURE, exit_on=("booking_created",)))
    emails = plan(fold(ME, facts), strict, Pace())
    assert {each.reason for each in emails} == {"booking_created"}


@pytest.mark.parametrize("sequence", ["nurture", "decision"])
def test_a_trigger_stops_what_names_it(sequence: str) -> None:
    facts = [make_signup(), make_triggered("wants_to_think", at=at())]
    assert set(states(*facts, sequence=sequence).values()) == {"pending"}
    paid = make_triggered("paid", at=at(hours=1))
    assert set(states(*facts, paid, sequence=sequence).values()) == {"paid"}


def test_a_trigger_starts_its_sequence_once() -> None:
    facts = [make_triggered("wants_to_think", at=at()), make_triggered("wants_to_think", key="k2", at=at(hours=5))]
    assert [each.due for each in planned(*facts, sequence="decision")] == [at(hours=24), at(hours=48)]


def test_a_trigger_of_another_campaign_is_not_ours() -> None:
    assert planned(make_triggered("wants_to_think", campaign="another"), sequence="decision") == []


def test_two_meetings_are_reminded_of_each_on_its_own() -> None:
    other = make_booking_created(
        "z1", start=at(days=10), end=at(days=10, minutes=30), ical_uid="z1@cal", sent_at=at(hours=1)
    )
    emails = [each for each in planned(booked(), other, sequence="precall") if each.is_pending]
    assert len(emails) == len({each.email_id for each in emails}) == 6


def test_a_sequence_without_anchor_counts_from_the_booking() -> None:
    confirm = campaign(Sequence("confirm", "booking_created", (step("hello", 0),)))
    [email] = plan(fold(ME, [booked()]), confirm, Pace())
    assert email.due == at()


def test_cancelling_one_call_does_not_stop_what_follows_another() -> None:
    follow = Sequence("postcall", "booking_created", (step("thanks", 2),), anchor="end", exit_on=("booking_cancelled",))
    facts = [make_booking_created("a1"), make_booking_created("c1"), make_booking_cancelled("c1")]
    emails = plan(fold(ME, facts), campaign(follow), Pace())
    assert sorted(each.reason or each.state for each in emails) == ["booking_cancelled", "pending"]


def test_the_host_asking_for_another_time_counts_as_a_cancellation() -> None:
    nurture = campaign(Sequence("nurture", "signup", (step("one", 24),), exit_on=("booking_cancelled",)))
    facts = [make_signup(), booked(), make_booking_cancelled(reschedule_requested=True)]
    assert plan(fold(ME, facts), nurture, Pace())[0].reason == "booking_cancelled"


def test_a_missed_call_that_moves_is_not_missed_again() -> None:
    noshow = campaign(Sequence("noshow", "no_show_reported", (step("missed", 0.1), step("last", 48))))
    facts = [
        booked(),
        make_no_show_reported(at=at(days=7, hours=1)),
        make_booking_rescheduled(start=at(days=20), sent_at=at(days=7, hours=5), at=at(days=7, hours=5)),
    ]
    life = simulate(ME, facts, {CAMPAIGN: noshow}, Pace())
    assert [each.planned.step.id for each in life.sent] == ["missed"]
