"""Fields of a form that we do not know: kept as they came, within bounds. Pure."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from services.ingest.text import storable

FIELDS = 50
NAME_LENGTH = 100
DEPTH = 5
FIELD_BYTES, ALL_BYTES = 2 * 1024, 16 * 1024

_encode = msgspec.json.Encoder().encode


class Extra(NamedTuple):
    kept: dict[str, Any]
    dropped: int


class _Unfit(ValueError):
    """A value that is too deep, or that JSON cannot carry."""


def bounded(fields: Mapping[str, Any]) -> Extra:
    """What fits, in the order sent; a lead is never lost because of junk fields, so the rest is counted."""
    kept: dict[str, Any] = {}
    size = 0
    for name, value in fields.items():
        if len(kept) == FIELDS:
            break
        try:
            entry = {_name(name): _value(value, DEPTH)}
        except _Unfit:
            continue
        length = len(_encode(entry))
        if length <= FIELD_BYTES and size + length <= ALL_BYTES and not entry.keys() & kept.keys():
            kept |= entry
            size += length
    return Extra(kept, len(fields) - len(kept))


def _name(name: str) -> str:
    if len(name) > NAME_LENGTH:
        raise _Unfit
    return storable(name)


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _Unfit
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise _Unfit
    if isinstance(value, dict | list):
        if depth == 0:
            raise _Unfit
        return _container(value, depth - 1)
    return value


def _container(value: dict[str, Any] | list[Any], depth: int) -> Any:
    if isinstance(value, list):
        return [_value(item, depth) for item in value]
    return {_name(name): _value(item, depth) for name, item in value.items()}
