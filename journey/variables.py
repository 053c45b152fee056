"""What a template may say about a contact: raw values in, texts and numbers fit to print out."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeGuard

from msgspec import Struct

Shown = str | int | float | bool | None
Format = Literal["text", "number", "money", "url"]


class Supplied(NamedTuple):
    format: Format
    optional: bool = False


MEETING: dict[str, Supplied] = {
    "meeting_day": Supplied("text", optional=True),
    "meeting_clock": Supplied("text", optional=True),
    "meeting_zone": Supplied("text", optional=True),
    "meeting_length": Supplied("text", optional=True),
    "meeting_title": Supplied("text", optional=True),
    "meeting_link": Supplied("url", optional=True),
    "organizer_name": Supplied("text", optional=True),
}
"""What a booking supplies: "Tuesday, 8 December 2026", "2:30 PM", "Toronto time", "30 minutes"…"""

SUPPLIED: dict[str, Supplied] = {
    "first_name": Supplied("text"),
    "business_name": Supplied("text", optional=True),
    "assessment_score": Supplied("number"),
    "red_systems": Supplied("number"),
    "orange_systems": Supplied("number"),
    "yellow_systems": Supplied("number"),
    "green_systems": Supplied("number"),
    "gps_score": Supplied("number", optional=True),
    "money_score": Supplied("number", optional=True),
    "weakest_system_1": Supplied("text", optional=True),
    "weakest_system_2": Supplied("text", optional=True),
    "revenue_leak_total": Supplied("number", optional=True),
    **MEETING,
}
"""What a contact's facts supply by themselves."""

TEXT_LIMIT = 200
"""Longest text from outside that an email repeats; a form field is not a place for a letter."""

URL_LIMIT = 2000
NUMBER_LIMIT = 10**15
"""Nobody counts so far in an email; a longer number is a mistake or an attack, and counts as missing."""

_URL = re.compile(
    r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"  # no user name, which would look like the host
    r"(?:[/?#][A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]*)?"
)
"""RFC 3986 without quotes."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


class Variable(Struct, frozen=True):
    """How one raw value is shown, and what stands in for it when there is none."""

    name: str
    format: Format
    fallback: str | None = None

    def shown(self, values: Mapping[str, object]) -> dict[str, Shown]:
        """`{name: value}`, and `has_<name>` where a fallback can hide that there is nothing to speak of."""
        value = _SHOW[self.format](values.get(self.name))
        if self.fallback is None:
            return {self.name: value if value is not None or self.format != "text" else ""}
        present = value is not None and value != self.fallback
        telling = present and not (self.format == "money" and value == "$0")
        return {self.name: value if present else self.fallback, f"has_{self.name}": telling}


def printable(value: str) -> str:
    """Without control characters: no parser, header or terminal downstream has to be trusted with them."""
    return _BIDI_CONTROLS.sub("", _UNPRINTABLE.sub(" ", value))


def text(value: object) -> str | None:
    """One printable line of bounded length.

    Line breaks would reach headers; the bidirectional controls would turn the rest of the email around.
    """
    if not isinstance(value, str) and not _is_number(value):
        return None
    line = " ".join(printable(str(value)[: TEXT_LIMIT * 4]).split())
    return (line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1].rstrip() + "…") or None


def _is_number(value: object) -> TypeGuard[int | float]:
    """Finite and bounded, which a comparison says of integers of any length, and of NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -NUMBER_LIMIT < value < NUMBER_LIMIT


def number(value: object) -> int | float | None:
    """As people write it: 61 and not 61.0, at most one decimal."""
    if not _is_number(value):
        return None
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def money(value: object) -> str | None:
    """Whole dollars: $14,700."""
    if not _is_number(value):
        return None
    return f"{'-' if value < 0 else ''}${abs(round(value)):,}"


def url(value: object) -> str | None:
    """An https URL that can stand in a link; anything else is as good as none."""
    address = value.strip() if isinstance(value, str) else ""
    return address if len(address) <= URL_LIMIT and _URL.fullmatch(address) else None


_SHOW = {"text": text, "number": number, "money": money, "url": url}
