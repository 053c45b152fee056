from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bookings import BookingFact
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
moved_again = partial(make_booking_rescheduled, "b3", "b2", sent_at=at(hours=2), start=at(days=9), ical_uid=ICAL)


def only(*facts: BookingFact) -> Meeting:
    [meeting] = meetings(facts)
    return meeting


def stands(meeting: Meeting) -> tuple[str, str, bool]:
    return meeting.current.uid, meeting.current.status, meeting.is_on


@pytest.mark.parametrize("times", [1, 2])
def test_a_booking_is_a_meeting_that_is_on(times: int) -> None:
    meeting = only(*[make_booking_created()] * times)
    assert stands(meeting) == ("b1", "booked", True)
    assert (meeting.has_moved, meeting.ended, meeting.no_show) == (False, False, False)


def test_the_newest_word_on_a_booking_counts() -> None:
    """Created again, as when an organiser confirms twice: one meeting that has not moved."""
    again = make_booking_created(sent_at=at(minutes=5), title="Call")
    for facts in ((make_booking_created(), again), (again, make_booking_created())):
        meeting = only(*facts)
        assert meeting.current.details == again
        assert not meeting.has_moved


def test_no_booking_is_no_meeting() -> None:
    assert meetings([]) == ()


@given(st.permutations(make_chain("moved", "moved", "cancelled")))
def test_a_meeting_moved_twice_and_cancelled_is_one(facts: list[BookingFact]) -> None:
    meeting = only(*facts)
    assert stands(meeting) == ("b3", "cancelled", False)
    assert [time.uid for time in meeting.times] == ["b1", "b2", "b3"]
    assert meeting.has_moved


@given(st.permutations(make_chain("moved", "moved")))
def test_a_meeting_moved_twice_is_on_at_its_last_time(facts: list[BookingFact]) -> None:
    meeting = only(*facts)
    assert stands(meeting) == ("b3", "booked", True)
    assert meeting.current.details == make_chain("moved", "moved")[-1]


@given(st.permutations([make_booking_created(), moved_again()]))
def test_a_lost_move_is_bridged_by_the_calendar_uid(facts: list[BookingFact]) -> None:
    assert stands(only(*facts)) == ("b3", "booked", True)


def test_a_lost_move_that_arrives_late_changes_nothing_but_the_history() -> None:
    meeting = only(make_booking_created(), moved_again(), make_booking_rescheduled())
    assert stands(meeting) == ("b3", "booked", True)
    assert [time.uid for time in meeting.times] == ["b1", "b2", "b3"]


@given(
    st.permutations(
        [
            make_booking_created(),
            moved_again(),
            make_booking_rescheduled("b5", "b4", sent_at=at(hours=4), start=at(days=11), ical_uid=ICAL),
        ]
    )
)
def test_two_lost_moves_leave_no_ghost_of_the_first_time(facts: list[BookingFact]) -> None:
    assert stands(only(*facts)) == ("b5", "booked", True)


@given(st.permutations([make_booking_created(), make_booking_cancelled("b3", ical_uid=ICAL)]))
def test_a_cancellation_of_a_move_nobody_heard_of_counts(facts: list[BookingFact]) -> None:
    assert stands(only(*facts)) == ("b3", "cancelled", False)


@given(st.permutations([*make_chain(), *make_chain(uid="s", ical_uid=ICAL, start=at(days=14), sent_at=at(hours=1))]))
def test_a_series_with_one_calendar_uid_stays_two_meetings(facts: list[BookingFact]) -> None:
    assert [stands(each) for each in meetings(facts)] == [("b1", "booked", True), ("s1", "booked", True)]


def test_calling_off_one_of_a_series_leaves_the_other() -> None:
    other = make_booking_created("s1", ical_uid=ICAL, start=at(days=14), sent_at=at(hours=1))
    off = make_booking_cancelled("b1", ical_uid=ICAL)
    assert [stands(each) for each in meetings([off, other, make_booking_created()])] == [
        ("b1", "cancelled", False),
        ("s1", "booked", True),
    ]


@given(st.permutations([make_booking_created(), make_booking_cancelled()]))
def test_a_cancellation_may_overtake_its_booking(facts: list[BookingFact]) -> None:
    assert stands(only(*facts)) == ("b1", "cancelled", False)


def test_a_cancellation_that_says_it_was_sent_first_still_counts() -> None:
    """A booking is made once: what its cancel page has done is not undone by a clock that is off."""
    assert not only(make_booking_created(), make_booking_cancelled(sent_at=at(seconds=-1))).is_on


def test_a_cancellation_alone_is_a_meeting_without_a_time() -> None:
    meeting = only(make_booking_cancelled())
    assert stands(meeting) == ("b1", "cancelled", False)
    assert (meeting.times, meeting.current.details) == ((), None)


def test_the_old_booking_called_off_by_its_move_does_not_call_off_the_new_one() -> None:
    late = make_booking_cancelled("b1", sent_at=at(hours=3))
    assert stands(only(*make_chain("moved"), late)) == ("b2", "booked", True)


def test_a_request_is_not_on_before_it_is_confirmed() -> None:
    requested, created = make_booking_requested(), make_booking_created(sent_at=at(minutes=5))
    assert stands(only(requested)) == ("b1", "requested", False)
    for facts in ((requested, created), (created, requested)):
        assert stands(only(*facts)) == ("b1", "booked", True)
        assert not only(*facts).has_moved


def test_a_request_to_move_takes_the_old_time_off_until_it_is_confirmed() -> None:
    asked = make_booking_requested("b2", reschedule_uid="b1", sent_at=at(hours=1), start=at(days=8))
    assert stands(only(make_booking_created(), asked)) == ("b2", "requested", False)
    confirmed = make_booking_created("b2", reschedule_uid="b1", sent_at=at(hours=2), start=at(days=8))
    assert stands(only(make_booking_created(), asked, confirmed)) == ("b2", "booked", True)


@given(st.permutations([make_booking_requested(), make_booking_rejected()]))
def test_a_rejected_request_is_off(facts: list[BookingFact]) -> None:
    assert stands(only(*facts)) == ("b1", "rejected", False)


@given(st.permutations([make_booking_created(), make_booking_cancelled(reschedule_requested=True)]))
def test_a_host_asking_for_another_time_is_no_mere_cancellation(facts: list[BookingFact]) -> None:
    assert stands(only(*facts)) == ("b1", "reschedule_requested", False)


def test_another_time_that_was_asked_for_is_on_once_booked() -> None:
    facts = [make_booking_created(), make_booking_cancelled(reschedule_requested=True)]
    assert stands(only(*facts, make_booking_rescheduled(sent_at=at(hours=3)))) == ("b2", "booked", True)
    new = make_booking_created("c1", sent_at=at(hours=3))
    assert [each.is_on for each in meetings([*facts, new])] == [False, True]


def test_of_two_cancellations_the_one_sent_last_says_why() -> None:
    asked = make_booking_cancelled(reschedule_requested=True)
    final = make_booking_cancelled(sent_at=at(hours=3))
    for facts in ((asked, final), (final, asked)):
        assert only(make_booking_created(), *facts).current.status == "cancelled"


MARKED = [
    make_booking_created(),
    make_no_show_reported(sent_at=at(days=7, hours=1)),
    make_no_show_withdrawn(sent_at=at(days=7, hours=2)),
    make_no_show_reported(sent_at=at(days=7, hours=3)),
]


@pytest.mark.parametrize(("said", "no_show", "last"), [(1, False, None), (2, True, 1), (3, False, 1), (4, True, 3)])
@given(data=st.data())
def test_the_last_word_on_a_no_show_counts(said: int, no_show: bool, last: int | None, data: st.DataObject) -> None:
    meeting = only(*data.draw(st.permutations(MARKED[:said])))
    assert meeting.no_show is no_show
    assert [each.at for each in meeting.no_shows] == ([at(days=7, hours=last)] if last else [])
    assert meeting.is_on


def test_a_no_show_at_an_unknown_booking_is_a_meeting_that_is_not_on() -> None:
    meeting = only(make_no_show_reported("b9"))
    assert stands(meeting) == ("b9", "unknown", False)
    assert (meeting.no_show, meeting.times) == (True, ())


@given(st.permutations([make_booking_created(), make_meeting_ended()]))
def test_the_end_may_be_heard_of_before_the_booking(facts: list[BookingFact]) -> None:
    meeting = only(*facts)
    assert stands(meeting) == ("b1", "booked", True)
    assert meeting.ended


@given(st.permutations(make_chain("ended", "missed", "moved")))
def test_a_meeting_moved_after_it_was_missed_is_still_to_come(facts: list[BookingFact]) -> None:
    """The end and the no-show were those of the old time."""
    meeting = only(*facts)
    assert stands(meeting) == ("b2", "booked", True)
    assert (meeting.ended, meeting.no_show) == (False, False)


@given(st.permutations([*make_chain("missed", "moved", "missed"), make_no_show_withdrawn("b1", sent_at=at(hours=9))]))
def test_a_no_show_taken_back_for_an_old_time_stays_for_the_new_one(facts: list[BookingFact]) -> None:
    meeting = only(*facts)
    assert (meeting.current.uid, meeting.no_show) == ("b2", True)
    assert [(each.uid, each.holds, each.taken_back) for each in meeting.no_shows] == [
        ("b1", False, True),
        ("b2", True, False),
    ]


def test_the_calendar_sequence_grows_with_every_move_and_every_cancellation() -> None:
    asked = make_booking_cancelled("b1", reschedule_requested=True, sent_at=at(hours=1))
    again = make_booking_rescheduled("b2", "b1", sent_at=at(hours=2), ical_sequence=1)
    grown = [only(*facts).sequence for facts in ([make_booking_created()], [make_booking_created(), asked])]
    grown.append(only(make_booking_created(), asked, again).sequence)
    assert grown == [0, 1, 2]


@given(
    st.permutations(
        [make_booking_created(), make_booking_rescheduled("b1", "b1"), make_no_show_reported("b1")],
    )
)
def test_a_move_may_keep_its_uid(facts: list[BookingFact]) -> None:
    """As with seats."""
    meeting = only(*facts)
    assert stands(meeting) == ("b1", "booked", True)
    assert meeting.current.details
    assert meeting.current.details.start == at(days=8)
    assert meeting.has_moved


def test_bookings_that_name_each_other_are_one_meeting() -> None:
    """Nobody sends this; nobody hangs on it either."""
    facts = [make_booking_rescheduled("b1", "b2"), make_booking_rescheduled("b2", "b1", sent_at=at(hours=2))]
    assert stands(only(*facts)) == ("b2", "booked", True)


def test_meetings_come_in_the_order_they_were_booked() -> None:
    later = make_chain("moved", uid="a", sent_at=at(minutes=1))
    assert [each.current.uid for each in meetings([*later, *make_chain("moved")])] == ["b2", "a2"]


def test_the_sequence_of_the_calendar_file_grows_with_every_word() -> None:
    chain = make_chain("moved", "moved", "cancelled")
    grown = [only(*chain[:n]).sequence for n in range(1, 5)]
    assert grown == sorted(set(grown))
