"""How long, as people write it: `30m`, `2h`, `1d`, `1h30m`. Pure; the one home of it, for commands and services."""

import re
from datetime import timedelta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3660)
LONGEST_PAUSE = timedelta(days=30)
"""Whoever wants a service to be off for longer stops it."""

_WHOLE = re.compile(r"([0-9]{1,7}[smhd])+")
_PART = re.compile(r"([0-9]+)([smhd])")


def is_duration(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None


def duration(text: str, longest: timedelta = LONGEST) -> timedelta:
    """Errors: ValueError, where it is none, nothing, or too long."""
    if not is_duration(text):
        raise ValueError(f"{text!r} is no duration: write 30m, 2h, 1d or 1h30m")
    long = timedelta(seconds=sum(int(number) * UNITS[unit] for number, unit in _PART.findall(text)))
    if not timedelta(0) < long <= longest:
        raise ValueError(f"{text!r} is nothing, or more than {longest.days} days")
    return long
