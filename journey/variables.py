"""What a template may say about a contact: raw values in, texts and numbers fit to print out."""

import math
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

Shown = str | int | float | bool | None
Format = Literal["text", "number", "money"]


class Supplied(NamedTuple):
    format: Format
    optional: bool = False


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
}
"""What a contact's facts supply. Nothing else can be a variable or stand in a segment's `when`."""

TEXT_LIMIT = 200
"""Longest text from outside that an email repeats; a form field is not a place for a letter."""

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
    if value is None:
        return None
    line = " ".join(printable(str(value)[: TEXT_LIMIT * 4]).split())
    return (line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1].rstrip() + "…") or None


def number(value: object) -> int | float | None:
    """As people write it: 61 and not 61.0, at most one decimal."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    rounded = round(value, 1)
    return int(rounded) if rounded == int(rounded) else rounded


def money(value: object) -> str | None:
    """Whole dollars: $14,700."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return f"{'-' if value < 0 else ''}${abs(round(value)):,}"


_SHOW = {"text": text, "number": number, "money": money}
