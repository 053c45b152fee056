"""How long, as people write it: `30m`, `2h`, `1d`, `1h30m`."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import rich_click as click

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3660)
_WHOLE = re.compile(r"(\d{1,6}[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")


def duration(text: str) -> timedelta:
    """Errors: ValueError, where it is none, nothing, or longer than ten years."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration: write 30m, 2h, 1d or 1h30m")
    long = timedelta(seconds=sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text)))
    if not timedelta(0) < long <= LONGEST:
        raise ValueError(f"{text!r} is nothing, or more than ten years")
    return long


def moment(text: str, now: datetime) -> datetime:
    """A time (UTC unless it says otherwise), or how long ago. Errors: ValueError."""
    if _WHOLE.fullmatch(text):
        return now - duration(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 10m (ago), 2026-11-20 or 2026-11-20T08:30:00") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


class Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return moment(value, datetime.now(UTC))
        except ValueError as error:
            self.fail(str(error), param, ctx)
