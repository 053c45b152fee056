"""What a cell shows, as a bare value that can be compared: from what Notion answers or from what we write. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Scalar = str | float | bool | None
Bare = Scalar | tuple[str | None, ...]
"""Text, number, tick, the name of an option; start and end of a date, in UTC; ids of pages, sorted."""


def bare(kind: str, cell: Mapping[str, Any]) -> Bare:
    """An empty cell is "" for text, False for a tick, () for a relation, and None for the rest."""
    value = cell.get(kind)
    match kind:
        case "title" | "rich_text":
            return "".join(map(_text, value or ()))
        case "select":
            return str(value["name"]) if value else None
        case "date":
            return (_moment(value["start"]), _moment(value.get("end"))) if value else None
        case "checkbox":
            return bool(value)
        case "relation":
            return tuple(sorted(_page_ids(value or ())))
        case _:
            return value  # a number or an address, as it is


def _text(piece: Mapping[str, Any]) -> str:
    found = piece.get("plain_text")
    return str(piece["text"]["content"] if found is None else found)


def _moment(text: str | None) -> str | None:
    """To the second; a day without a time is a day, and no moment, and so is what is beyond our calendar."""
    if text is None or len(text) <= len("2026-11-21"):
        return text
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return text


def _page_ids(pages: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(page["id"]).replace("-", "") for page in pages]
