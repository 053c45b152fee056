"""What services are asked over NATS, and answers that fit into one message. Pure; `micro.py` asks and answers."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

LONGEST = 4_096
"""Bytes of a request: a few short fields."""

ENVELOPE = 4_096
"""Bytes kept free in a message for its headers and for what is around a list."""


LINE = 200
"""Characters of who and of why."""


class Refused(ValueError):
    """The request cannot be answered, and what to do about it; `code` as HTTP would have it.

    The text goes out as it is: it repeats nothing that somebody sent.
    """

    def __init__(self, code: int, what_to_do: str) -> None:
        super().__init__(what_to_do)
        self.code = code


def one_line(text: str) -> str:
    """Of what somebody typed: without what a terminal would obey, and without breaks."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def read(payload: bytes, kind: type[T]) -> T:
    """The request in these bytes; none at all is one without any field. Errors: Refused."""
    if len(payload) > LONGEST:
        raise Refused(413, f"the request has more than {LONGEST} bytes; send a JSON object of {_fields(kind)}")
    try:
        return msgspec.json.decode(payload.strip() or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"not a request: {_wrong(error)}; send a JSON object of {_fields(kind)}") from error


def _wrong(error: Exception) -> str:
    """Which field, and what is wrong with it. The name of an unknown field is somebody's text, and is left out."""
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        return "it has an unknown field" if "unknown field" in text else text[:200]
    return "it is not JSON"


def _fields(kind: type[msgspec.Struct]) -> str:
    return ", ".join(kind.__struct_encode_fields__)


def fitting(items: Iterable[Any], room: int) -> tuple[list[msgspec.Raw], bool]:
    """As many of the first items as fit into so many bytes, and whether any are left out."""
    taken: list[msgspec.Raw] = []
    for item in items:
        encoded = msgspec.json.encode(item)
        room -= len(encoded) + 1
        if room < 0:
            return taken, True
        taken.append(msgspec.Raw(encoded))
    return taken, False
