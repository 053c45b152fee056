"""What a hold does to a plan, while it lasts and after it: the late policy."""

from datetime import datetime, timedelta
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact
from contracts.ids import contact_id
from journey.contact import fold
from journey.model import Campaign, Late, Sequence
from journey.plan import Pace, Planned, plan
from journey.simulate import simulate
from tests.factories import (
    ADA,
    CAMPAIGN,
    NOW,
    at,
    make_attempt_failed,
    make_booking_cancelled,
    make_booking_created,
    make_bounced,
    make_cancelled,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_held,
    make_resumed,
    make_retried,
    make_signup,
    make_triggered,
)
from tests.unit.journey.small_campaign import POSTCALL, PRECALL, campaign, step

ME = contact_id(ADA)
MINE = f"{ME}.{CAMPAIGN}"
LIFE = timedelta(hours=72)
DAYS = Sequence("nurture", "signup", tuple(step(f"email-{day}", 24 * day) for day in range(6)))
"""One a day, from at once to the fifth day."""


def under(policy: Late, *sequences: Sequence) -> Campaign:
    return msgspec.structs.replace(campaign(*(sequences or (DAYS,))), on_resume=policy)


def planned(policy: Late, *facts: AnyFact, of: Sequence = DAYS) -> dict[str, Planned]:
    return {each.step.id: each for each in plan(fold(ME, facts), under(policy, of), Pace())}


def days(policy: Late, *facts: AnyFact) -> list[float | str | None]:
    """On which day each email is due, or why it is not."""
    emails = planned(policy, make_signup(), *facts).values()
    return [(each.due - NOW) / timedelta(days=1) if each.is_pending else each.reason for each in emails]


def hold(begin: float, end: float | None, what: str = ME, round: int = 0) -> list[AnyFact]:  # noqa: A002 - the field's name
    held = make_held(what, round=round, at=at(days=begin))
    return [held] if end is None else [held, make_resumed(what, round=round + 1, at=at(days=end))]


@pytest.mark.parametrize("what", [ME, MINE, make_email_id("email-2")])
def test_a_held_email_is_not_pending_and_says_so(what: str) -> None:
    email = planned("shift", make_signup(), make_held(what))["email-2"]
    assert (email.state, email.reason, email.is_pending) == ("held", "held", False)


def test_a_cancelled_email_is_skipped_and_a_resume_brings_it_back() -> None:
    email = planned("shift", make_signup(), make_cancelled(make_email_id("email-2")))["email-2"]
    assert (email.state, email.reason) == ("skipped", "cancelled")
    back: list[AnyFact] = [make_cancelled(), make_resumed(at=at(hours=1))]
    assert planned("send", make_signup(), *back)["email-2"].due == at(days=2)


def test_what_is_more_final_than_a_hold_is_said_first() -> None:
    facts: list[AnyFact] = [make_signup(), make_held()]
    assert planned("shift", *facts, make_bounced())["email-2"].reason == "suppressed"
    assert planned("shift", *facts, make_cancelled(MINE))["email-2"].reason == "cancelled"
    called_off = planned("shift", make_booking_created(), make_booking_cancelled(), make_held(), of=PRECALL)
    assert {each.reason for each in called_off.values()} == {"booking_cancelled"}
    assert planned("shift", *facts, make_email_sent("email-2"))["email-2"].state == "sent"


def test_a_sequence_ended_by_a_trigger_of_that_name_is_not_held() -> None:
    ends = msgspec.structs.replace(DAYS, exit_on=("held",))
    assert (
        planned("shift", make_signup(), make_triggered("held", at=at(hours=1)), of=ends)["email-2"].state == "skipped"
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("shift", [0, 3.5, 4, 5, 6, 7]),
        ("send", [0, 3.5, 3.5, 3.5, 4, 5]),
        ("skip", [0, 3.5, "came_due_while_held", "came_due_while_held", 4, 5]),
    ],
)
def test_emails_around_a_hold_of_two_days(policy: Late, expected: list[float | str]) -> None:
    """Held from 1.5 to 3.5. The first was sent; the second had failed to go out and was still tried."""
    facts: list[AnyFact] = [
        make_email_sent("email-0"),
        make_attempt_failed("email-1", at=at(days=1), retry_at=at(days=1.6)),
    ]
    assert days(policy, *facts, *hold(1.5, 3.5))[1:] == expected[1:]


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        (hold(0.5, 1.5) + hold(2.5, 4, round=2), [4, 4.5, 5.5, 6.5, 7.5]),
        (hold(0.5, 1.5) + hold(1, 2, MINE), [2.5, 3.5, 4.5, 5.5, 6.5]),
        (hold(0.5, 3) + hold(1, 2, make_email_id("email-2")), [3.5, 4.5, 5.5, 6.5, 7.5]),
        (hold(0.5, 1.5, make_email_id("email-2")), [1, 3, 3, 4, 5]),
        (hold(0.5, 0.5), [1, 2, 3, 4, 5]),
        (hold(1, 2), [2, 3, 4, 5, 6]),
        (hold(-3, -1), [1, 2, 3, 4, 5]),
        (hold(-3, 0.25), [1.25, 2.25, 3.25, 4.25, 5.25]),
        (hold(9, 10), [1, 2, 3, 4, 5]),
    ],
    ids=["twice", "overlapping", "within", "one email", "no time", "at once", "before", "from before", "long after"],
)
def test_holds_shift_what_follows_by_their_length(holds: list[AnyFact], expected: list[float]) -> None:
    assert days("shift", make_email_sent("email-0"), *holds)[1:] == expected


def test_a_hold_from_before_the_signup_shifts_by_the_wait_alone() -> None:
    assert planned("shift", make_signup(), *hold(-30, 0.25))["email-0"].due == at(hours=6)


def test_what_was_held_again_waits_again() -> None:
    again = [*hold(0.5, 1.5), *hold(2.5, None, round=2)]
    assert set(days("shift", make_email_sent("email-0"), *again)[1:]) == {"held"}


@pytest.mark.parametrize("policy", ["shift", "send"])
def test_what_waited_as_the_hold_began_is_due_at_the_resume_unless_it_had_expired(policy: Late) -> None:
    assert days(policy, *hold(1.5, 9))[1] == 9
    assert days(policy, *hold(4.5, 9))[1] == 1
    expired = planned(policy, make_signup(), *hold(4.5, 9))["email-1"]
    assert expired.expires == at(days=4)


@pytest.mark.parametrize("policy", ["shift", "send"])
def test_expiry_counts_from_the_new_time(policy: Late) -> None:
    email = planned(policy, make_signup(), *hold(1.5, 9))["email-2"]
    assert email.expires == email.due + LIFE
    assert email.planned_for == at(days=2)


START = at(days=7)


@pytest.mark.parametrize("policy", ["shift", "send"])
def test_a_hold_does_not_move_what_counts_towards_a_meeting(policy: Late) -> None:
    """The guide came due on day 4, and is still worth sending on day 5; the others keep their times."""
    emails = planned(policy, make_booking_created(start=START), *hold(3, 5), of=PRECALL)
    assert [each.due for each in emails.values()] == [at(days=5), START - timedelta(days=1), START - timedelta(hours=2)]
    assert emails["guide"].expires == START
    assert all(each.is_pending for each in emails.values())


def test_a_reminder_held_for_too_long_has_expired() -> None:
    short = msgspec.structs.replace(
        PRECALL, steps=(msgspec.structs.replace(PRECALL.steps[1], expires_after=LIFE / 12),)
    )
    reminder = planned("shift", make_booking_created(start=START), *hold(5, 6.5), of=short)["day-before"]
    assert reminder.due == at(days=6.5) > reminder.expires == at(days=6.25)


def test_nothing_held_is_sent_once_the_meeting_began() -> None:
    emails = planned("shift", make_booking_created(start=START), *hold(5, 8), of=PRECALL).values()
    assert all(each.expires <= START < each.due for each in emails if each.due > START)
    assert [each.due for each in emails][1:] == [at(days=8)] * 2


def test_what_follows_a_meeting_is_shifted_by_a_hold_after_its_end_alone() -> None:
    booked = make_booking_created(start=START)
    over = booked.end - NOW
    thanks = timedelta(hours=2)
    assert planned("shift", booked, *hold(1, 6), of=POSTCALL)["thanks"].due == NOW + over + thanks
    assert planned("shift", booked, *hold(6, 9), of=POSTCALL)["thanks"].due == at(days=9) + thanks


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
@pytest.mark.parametrize("begin", [2.5, 6], ids=["not long after", "after it would have expired"])
def test_an_email_somebody_asked_to_try_again_while_held_is_due_at_the_resume(policy: Late, begin: float) -> None:
    failed = make_email_failed("email-2", at=at(days=2))
    facts: list[AnyFact] = [failed, make_retried("email-2", at=at(days=begin + 1)), *hold(begin, begin + 2)]
    email = planned(policy, make_signup(), *facts)["email-2"]
    assert (email.state, email.due, email.expires) == ("pending", at(days=begin + 2), at(days=begin + 2) + LIFE)


def test_what_somebody_asked_for_did_not_merely_come_due() -> None:
    """It was refused as the hold began, without another attempt."""
    facts: list[AnyFact] = [make_email_failed("email-2", at=at(days=2)), make_retried("email-2", at=at(days=3))]
    assert days("skip", *facts, *hold(1.99, 4))[2] == 4


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
def test_what_was_due_before_the_hold_did_not_come_due_in_it(policy: Late) -> None:
    assert days(policy, *hold(1.01, 1.5))[1] == 1.5


def test_a_retry_that_comes_after_the_hold_keeps_its_time() -> None:
    tried = make_attempt_failed("email-1", at=at(days=1), retry_at=at(days=2))
    assert planned("shift", make_signup(), tried, *hold(1.25, 1.5))["email-1"].due == at(days=2)


def test_an_email_that_may_have_been_accepted_as_the_hold_began_is_not_dropped() -> None:
    """Its time came in the hold by the clock of who held it; the sender had begun before it heard of that."""
    tried = make_attempt_failed("email-2", at=at(days=2), retry_at=at(days=2.1), accepted="maybe")
    assert days("skip", tried, *hold(1.99, 3))[2] == 3


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
def test_the_order_of_wishes_does_not_matter_to_the_plan(policy: Late) -> None:
    facts = [make_signup(), *hold(0.5, 1.5), make_held(MINE, at=at(days=1)), make_cancelled(round=2, at=at(days=6))]
    plans = {
        tuple((each.due, each.reason) for each in planned(policy, *order).values()) for order in permutations(facts)
    }
    assert len(plans) == 1


def moments() -> st.SearchStrategy[list[datetime]]:
    return st.lists(st.integers(0, 300), min_size=1, max_size=6).map(
        lambda hours: [at(hours=hour) for hour in sorted(hours)]
    )


@given(moments(), st.sampled_from([ME, MINE]))
def test_holds_never_make_an_email_earlier_and_keep_the_spacing(times: list[datetime], what: str) -> None:
    """Shifted emails stay in order, and none is due within a hold."""
    kinds = (make_held, make_resumed)
    facts: list[AnyFact] = [kinds[n % 2](what, round=n, at=moment) for n, moment in enumerate(times)]
    if len(facts) % 2:
        facts.append(make_resumed(what, round=len(facts), at=times[-1]))
    emails = list(planned("shift", make_signup(), *facts).values())
    stops = fold(ME, facts).stops(emails[0].email_id)
    assert all(each.due >= each.planned_for and each.is_pending for each in emails)
    assert [each.due for each in emails] == sorted(each.due for each in emails)
    assert not any(stop.end and stop.begin <= each.due < stop.end for each in emails for stop in stops)


def test_a_simulated_life_sends_everything_once_after_its_holds() -> None:
    facts = [make_signup(), *hold(0.5, 1.5), *hold(2.75, 3.75, MINE)]
    life = simulate(ME, facts, {CAMPAIGN: under("shift", DAYS)}, Pace())
    assert [(each.planned.step.id, (each.at - NOW) / timedelta(days=1)) for each in life.sent] == [
        ("email-0", 0),
        ("email-1", 2),
        ("email-2", 4),
        ("email-3", 5),
        ("email-4", 6),
        ("email-5", 7),
    ]
