from datetime import UTC, datetime, timedelta

import pytest

from cli.durations import moment
from services.durations import LONGEST_PAUSE, duration

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(("text", "minutes"), [("30m", 30), ("2h", 120), ("1d", 1440), ("1h30m", 90), ("90s", 1.5)])
def test_a_duration_is_read_as_people_write_it(text: str, minutes: float) -> None:
    assert duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 h", "0m", "2w", "9999999d", "2h!", "١h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no duration|nothing, or more"):
        duration(text)


def test_a_pause_is_no_longer_than_a_month() -> None:
    assert duration("30d", LONGEST_PAUSE) == timedelta(days=30)
    with pytest.raises(ValueError, match="more than 30 days"):
        duration("30d1s", LONGEST_PAUSE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("2026-11-20", NOW.replace(hour=0)),
        ("2026-11-20T08:30:00", NOW.replace(hour=8, minute=30)),
        ("2026-11-20T08:30:00Z", NOW.replace(hour=8, minute=30)),
        ("2026-11-20T10:30:00+02:00", NOW.replace(hour=8, minute=30)),
    ],
)
def test_a_moment_is_utc_or_how_long_ago(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="is no time"):
        moment("yesterday", NOW)
