"""Whatever was said in whatever order, and however often: the same meetings."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.bookings import BookingCancelled, BookingCreated, BookingFact, Scheduled
from journey.meetings import Meeting, meetings
from tests.factories import (
    at,
    make_booking_cancelled,
    make_booking_created,
    make_booking_rejected,
    make_booking_requested,
    make_booking_rescheduled,
    make_chain,
    make_meeting_ended,
    make_no_show_reported,
    make_no_show_withdrawn,
)

ICAL = "b1@example.com"
UIDS = ("b1", "b2", "b3", "b4")
MAKERS: tuple[Any, ...] = (
    make_booking_created,
    make_booking_requested,
    make_booking_rescheduled,
    make_booking_cancelled,
    make_booking_rejected,
    make_meeting_ended,
    make_no_show_reported,
    make_no_show_withdrawn,
)


@st.composite
def said(draw: st.DrawFn) -> BookingFact:
    """Any fact about any of four bookings; few moments, so that many are sent at once."""
    make = draw(st.sampled_from(MAKERS))
    values: dict[str, Any] = {"uid": draw(st.sampled_from(UIDS)), "sent_at": at(minutes=draw(st.integers(0, 4)))}
    calendar = draw(st.sampled_from([None, ICAL, "other@example.com"]))
    before = draw(st.sampled_from([None, *UIDS]))
    values["delivery"] = draw(st.sampled_from([None, "d1", "d2"]))
    if make in MAKERS[:3]:
        values |= {"start": at(days=draw(st.integers(7, 9))), "ical_uid": calendar}
        values["before" if make is make_booking_rescheduled else "reschedule_uid"] = before
    if make is make_booking_cancelled:
        values |= {"ical_uid": calendar, "reschedule_uid": before, "reschedule_requested": draw(st.booleans())}
    fact: BookingFact = make(**values)
    return fact


def once(facts: list[BookingFact]) -> list[BookingFact]:
    """The log keeps one fact of each identity."""
    return list({(fact.tag, fact.id): fact for fact in facts}.values())


histories = st.lists(said(), max_size=10).map(once)


@given(facts=histories, data=st.data())
def test_any_order_and_any_repeats_give_the_same_meetings(facts: list[BookingFact], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    shuffled = data.draw(st.permutations([*facts, *repeats]))
    assert [_seen(each) for each in meetings(shuffled)] == [_seen(each) for each in meetings(facts)]


def _seen(meeting: Meeting) -> tuple[object, ...]:
    """All of it; a time that was told twice is the same time."""
    times = list(dict.fromkeys((time.tag, time.id) for time in meeting.times))
    return meeting.current, times, meeting.no_shows, meeting.ended


@given(facts=histories)
def test_a_cancelled_booking_is_never_on(facts: list[BookingFact]) -> None:
    off = {fact.uid for fact in facts if isinstance(fact, BookingCancelled)}
    assert not any(meeting.is_on for meeting in meetings(facts) if meeting.current.uid in off)


@given(facts=histories)
def test_every_time_is_in_one_meeting(facts: list[BookingFact]) -> None:
    times = [time for meeting in meetings(facts) for time in meeting.times]
    assert sorted(time.id for time in times) == sorted(fact.id for fact in facts if isinstance(fact, Scheduled))


@given(facts=histories)
def test_every_booking_created_in_its_own_right_and_left_alone_is_on(facts: list[BookingFact]) -> None:
    alone = make_booking_created("z1", ical_uid="z@example.com", sent_at=at(days=-1))
    assert [each.is_on for each in meetings([*facts, alone]) if each.current.uid == "z1"] == [True]


@given(fates=st.lists(st.just("moved"), max_size=4), lost=st.sets(st.integers(1, 4)), data=st.data())
def test_whatever_is_lost_of_a_chain_the_last_word_counts(
    fates: list[str], lost: set[int], data: st.DataObject
) -> None:
    """All but the first and the last may be lost: the calendar uid holds the rest together."""
    chain = make_chain(*fates, "cancelled") if data.draw(st.booleans()) else make_chain(*fates)
    heard = [fact for n, fact in enumerate(chain) if n not in lost or n == len(chain) - 1]
    assert isinstance(heard[0], BookingCreated)
    [meeting] = meetings(data.draw(st.permutations(heard)))
    assert meeting.current.uid == chain[-1].uid
    assert meeting.is_on is not isinstance(chain[-1], BookingCancelled)
