"""One value in Notion's write format, and never one that Notion would refuse. Pure.

Source: Notion's "Page property values" and "Request limits"; lengths are counted in UTF-16 units, as it seems to do.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from journey.variables import printable

Value = dict[str, Any]

PIECE, PIECES, TOTAL = 2_000, 100, 20_000
EMAIL_LIMIT, OPTION_LIMIT = 200, 100


def title(text: str) -> Value:
    return {"title": _pieces(text)}


def rich_text(text: str | None) -> Value:
    """Nothing is an empty cell."""
    return {"rich_text": _pieces(text or "")}


def verbatim(text: str) -> Value:
    """Every character as it is. Errors: ValueError, where a cell cannot hold so much."""
    pieces = [_piece(each) for each in _split(text)]
    if len(pieces) > PIECES:
        raise ValueError(f"is longer than the {PIECE * PIECES:,} characters that a cell of Notion takes")
    return {"rich_text": pieces}


def number(value: float | None) -> Value:
    return {"number": value}


def email(address: str) -> Value:
    """An address no mail server would take is left out: Notion refuses the whole page for it."""
    clean = printable(address).strip()
    return {"email": clean if 0 < _length(clean) <= EMAIL_LIMIT else None}


def select(name: str | None) -> Value:
    """Options are made as they are named, and a comma in a name is refused."""
    clean = option(name or "")
    return {"select": {"name": clean} if clean else None}


def option(name: str) -> str:
    """The name as it stands in a select column."""
    return _cut(" ".join(printable(name).replace(",", " ").split()), OPTION_LIMIT)


def checkbox(value: bool) -> Value:
    return {"checkbox": value}


def relation(page_id: str | None) -> Value:
    """To one page, or to none."""
    return {"relation": [{"id": page_id}] if page_id else []}


def date(moment: datetime | None, until: datetime | None = None, *, zone: tzinfo = UTC) -> Value:
    """To the second, with the offset that `zone` has then. An end before the start is left out: it is refused."""
    if moment is None:
        return {"date": None}
    start = {"start": _clock(moment, zone)}
    return {"date": start | {"end": _clock(until, zone)} if until and until > moment else start}


def _clock(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")


def _pieces(text: str) -> list[Value]:
    clean = _cut(printable(text).strip(), TOTAL)
    return [_piece(each) for each in _split(clean)]


def _piece(text: str) -> Value:
    return {"type": "text", "text": {"content": text}}


def _split(text: str) -> Iterator[str]:
    """Pieces of at most 2000 units; no character is cut in two."""
    while text:
        piece = _head(text, PIECE)
        yield piece
        text = text[len(piece) :]


def _cut(text: str, limit: int) -> str:
    return text if _length(text) <= limit else _head(text, limit - 1).rstrip() + "…"


def _head(text: str, units: int) -> str:
    """As many whole characters from the front as fit."""
    return text.encode("utf-16-le")[: units * 2].decode("utf-16-le", errors="ignore")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
