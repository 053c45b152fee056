"""Durations and moments on the command line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import rich_click as click

from services.durations import LONGEST, duration, is_duration


def moment(text: str, now: datetime) -> datetime:
    """A time (UTC unless it says otherwise), or how long ago. Errors: ValueError."""
    if is_duration(text):
        return now - duration(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 10m (ago), 2026-11-20 or 2026-11-20T08:30:00") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


class Duration(click.ParamType[timedelta]):
    name = "duration"

    def __init__(self, longest: timedelta = LONGEST) -> None:
        self._longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return duration(value, self._longest)
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
