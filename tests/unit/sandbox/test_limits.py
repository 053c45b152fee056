from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.limits import SlidingWindow, TokenBucket

START = datetime(2026, 11, 20, tzinfo=UTC)


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 10))
def test_no_second_ever_holds_more_than_the_rate(gaps: list[float], rate: int) -> None:
    window, now = SlidingWindow(), START
    passed: list[float] = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if window.take(rate, now).allowed:
            passed.append(now.timestamp())
    assert all(sum(at <= each < at + 0.999 for each in passed) <= rate for at in passed)


def test_a_window_says_what_is_left_and_when_it_frees() -> None:
    window = SlidingWindow()
    first, second = window.take(2, START), window.take(2, START + timedelta(milliseconds=500))
    third = window.take(2, START + timedelta(milliseconds=900))

    assert [(each.allowed, each.remaining) for each in (first, second, third)] == [
        (True, 1),
        (True, 0),
        (False, 0),
    ]
    assert third.reset_s == 1
    assert window.take(2, START + timedelta(seconds=1)).allowed


def test_a_bucket_lets_a_burst_pass_and_then_the_average() -> None:
    bucket = TokenBucket()
    assert [bucket.take(0.5, 3, START) for _ in range(4)] == [0, 0, 0, 2]
    assert bucket.take(0.5, 3, START + timedelta(seconds=2)) == 0
    assert bucket.take(0.5, 3, START + timedelta(seconds=2)) == 2


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    bucket = TokenBucket()
    bucket.take(3, 2, START)
    later = START + timedelta(days=1)
    assert [bucket.take(3, 2, later) for _ in range(3)] == [0, 0, 1]
