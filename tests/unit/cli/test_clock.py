"""How far our clock is off, from a time in whole seconds that was told between two looks at it."""

from datetime import datetime, timedelta

import pytest

from cli.checks.clock import CHECK, ahead, by_the_kernel, kernel_state
from tests.factories import NOW

SAID = NOW.replace(microsecond=0)


def at(seconds: float) -> datetime:
    return SAID + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("before", "after", "off_s"),
    [
        (0.2, 0.4, 0),
        (0.999, 1.4, 0),  # it was cut off
        (-0.5, 0.1, 0),  # it was on its way
        (-30.0, 30.0, 0),  # so slow that nothing can be told
        (6.0, 6.5, 5),
        (3600.0, 3602.0, 3599),
        (-8.0, -7.0, -7),
    ],
)
def test_only_what_cannot_be_explained_otherwise_counts(before: float, after: float, off_s: float) -> None:
    assert ahead(at(before), at(after), SAID) == timedelta(seconds=off_s)


@pytest.mark.parametrize(("state", "graded"), [(0, "ok"), (4, "ok"), (5, "not checked"), (-1, "not checked")])
def test_what_the_kernel_does_not_know_is_no_alarm(state: int, graded: str) -> None:
    assert by_the_kernel(state).state == graded


def test_the_kernel_can_be_asked() -> None:
    assert by_the_kernel(kernel_state()).check == CHECK
