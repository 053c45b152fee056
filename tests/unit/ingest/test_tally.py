"""Answers counted: each once, under its route, and told once."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.operations import Answers, WebhooksCounted
from services.ingest.tally import SLOW_MS, Tally, counted
from tests.factories import NOW, at

ANSWERS = st.lists(
    st.tuples(st.sampled_from(["signup", "calcom"]), st.integers(200, 599), st.floats(0, 2_000)), max_size=40
)


@pytest.mark.parametrize(
    ("status", "field"),
    [(200, "accepted"), (202, "accepted"), (400, "refused"), (499, "refused"), (500, "failed"), (503, "failed")],
)
def test_an_answer_is_taken_refused_or_failed(status: int, field: str) -> None:
    assert counted(Answers(), status, 1.0) == Answers(**{field: 1}, slowest_ms=1.0)


def test_an_answer_is_below_half_a_second_or_slow() -> None:
    assert counted(Answers(), 202, SLOW_MS - 0.1).slow == 0
    assert counted(Answers(), 202, SLOW_MS).slow == 1


def test_where_nothing_was_counted_there_is_nothing_to_tell() -> None:
    assert Tally("p", NOW).take(at(minutes=10)) is None


def test_what_was_told_is_not_told_again() -> None:
    tally = Tally("p", NOW)
    tally.add("signup", 202, 3.0)
    first = tally.take(at(minutes=10))
    assert first == WebhooksCounted(
        at=at(minutes=10), process="p", since=NOW, routes={"signup": Answers(accepted=1, slowest_ms=3.0)}
    )
    assert tally.take(at(minutes=20)) is None
    tally.add("signup", 202, 3.0)
    second = tally.take(at(minutes=30))
    assert second
    assert second.since == at(minutes=20)


@given(ANSWERS, st.integers(0, 40))
def test_nothing_is_lost_or_doubled_wherever_it_is_told(answers: list[tuple[str, int, float]], cut: int) -> None:
    tally, told = Tally("p", NOW), []
    for number, each in enumerate(answers):
        if number == cut:
            told.append(tally.take(NOW + timedelta(minutes=1)))
        tally.add(*each)
    told.append(tally.take(NOW + timedelta(minutes=2)))
    windows = [each for fact in told if fact for each in fact.routes.values()]
    assert sum(each.accepted + each.refused + each.failed for each in windows) == len(answers)
    assert sum(each.slow for each in windows) == sum(round(ms, 1) >= SLOW_MS for _, _, ms in answers)
    assert max((each.slowest_ms for each in windows), default=0) == max((round(ms, 1) for *_, ms in answers), default=0)
