"""What the chat's answers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.answer import Closed, NotNow, Outcome, Posted, Unfit, judge


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Posted), (204, Posted), (400, Unfit), (413, Unfit), (429, NotNow), (408, NotNow), (500, NotNow),
        (503, NotNow), (301, Closed), (401, Closed), (403, Closed), (404, Closed), (410, Closed),
    ],
)  # fmt: skip
def test_each_status_has_its_meaning(status: int, kind: type[Outcome]) -> None:
    assert isinstance(judge(status, {}, b"", failures=0), kind)


@pytest.mark.parametrize("status", range(200, 300))
def test_whatever_says_yes_has_it(status: int) -> None:
    assert judge(status, {}, b"", failures=0) == Posted()


def test_discords_own_wait_counts_before_the_header() -> None:
    found = judge(429, {"retry-after": "1"}, b'{"message":"limited","retry_after":0.35,"global":false}', failures=0)
    assert found == NotNow(0.35, "status 429")


def test_slacks_wait_is_in_the_header() -> None:
    assert judge(429, {"retry-after": "30"}, b"rate_limited", failures=0) == NotNow(30, "status 429")


def test_trouble_that_lasts_is_asked_about_more_and_more_rarely() -> None:
    waits = [judge(500, {}, b"", failures=failures) for failures in range(5)]
    assert [each.after_s for each in waits if isinstance(each, NotNow)] == [5, 15, 60, 300, 300]


@given(st.integers(100, 599), st.text(max_size=20), st.binary(max_size=60), st.integers(0, 100))
def test_any_answer_means_something_and_waits_are_bounded(
    status: int, header: str, content: bytes, failures: int
) -> None:
    found = judge(status, {"retry-after": header}, content, failures=failures)
    assert not isinstance(found, NotNow) or 0 < found.after_s <= 3600
