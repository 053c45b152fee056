from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import subjects
from contracts.ids import BadId
from contracts.subjects import Timer
from tests.factories import NOW, at, make_attempt_failed, make_email_id, make_email_sent, make_signup

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_a_fact_lives_under_its_contact_tag_and_identity() -> None:
    signup = make_signup(content="abc")
    assert subjects.fact_subject(signup) == f"events.{signup.contact}.signup_received.christmas-2025.abc"


def test_an_email_fact_is_identified_by_the_email_id() -> None:
    sent = make_email_sent("email-2")
    assert subjects.fact_subject(sent) == f"events.{sent.contact}.email_sent.{make_email_id('email-2')}"


def test_each_failed_attempt_is_a_fact_of_its_own() -> None:
    first, second = make_attempt_failed(attempt=1), make_attempt_failed(attempt=2)
    assert subjects.fact_subject(first) != subjects.fact_subject(second)


def test_whose_fact_it_is_reads_from_the_subject() -> None:
    signup = make_signup()
    assert subjects.contact_of(subjects.fact_subject(signup)) == signup.contact


def test_the_longest_subject_stays_within_what_nats_people_expect() -> None:
    timer = Timer.at(make_email_id("email-7"), NOW)
    assert len(timer.subject) < 256
    assert len(timer.subject.split(".")) <= 16


@given(MOMENTS)
def test_a_timer_reads_back_from_its_key_and_from_what_it_fires_as(moment: datetime) -> None:
    timer = Timer.at(make_email_id(), moment)
    assert Timer.parse(timer.key) == Timer.parse(timer.subject) == Timer.parse(timer.fires_as) == timer


@given(MOMENTS)
def test_a_timer_is_never_early_and_less_than_a_second_late(moment: datetime) -> None:
    assert timedelta(0) <= Timer.at(make_email_id(), moment).due_at - moment < timedelta(seconds=1)


@given(st.lists(MOMENTS, min_size=2, max_size=5))
def test_keys_in_order_are_timers_in_order_of_time_by_the_hour(moments: list[datetime]) -> None:
    keys = sorted(Timer.at(make_email_id(), moment).key for moment in moments)
    hours = [subjects.hour_of(Timer.parse(key).due_at) for key in keys]
    assert hours == sorted(hours)


def test_another_time_is_another_key() -> None:
    assert Timer.at(make_email_id(), NOW).key != Timer.at(make_email_id(), at(seconds=1)).key


@pytest.mark.parametrize("key", ["", "x", "2026120109.a.b.c.d.e", "2026120109.a.b.c.d.e.-5", "hello.world"])
def test_a_key_that_is_not_ours_is_refused(key: str) -> None:
    with pytest.raises(BadId):
        Timer.parse(key)


def test_a_parked_message_keeps_its_subject_without_the_system_sign() -> None:
    assert subjects.parked_subject("sender", "$KV.timers.x") == "parked.sender.KV.timers.x"
