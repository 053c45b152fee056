"""A bare value, as a person types it into a cell, in the form the API would be sent. Pure."""

from collections.abc import Iterator, Mapping

from services.sandbox.notion_model import Column, DataSource, invalid
from services.sandbox.notion_text import MAX_TEXT, length


def properties_of(source: DataSource, cells: Mapping[str, object]) -> dict[str, object]:
    """By column name or id.

    Errors: Refused, 400 for a column that is not there.
    """
    return {name: typed(_column(source, name), value) for name, value in cells.items()}


def _column(source: DataSource, name: str) -> Column:
    column = source.column(name)
    if column is None:
        invalid(f"{name} is not a property that exists.")
    return column


def typed(column: Column, bare: object) -> dict[str, object]:
    """What no person could type is passed on as it is, for the rules of the API to refuse."""
    return {column.type: _value(column.type, bare)}


def _value(kind: str, bare: object) -> object:
    match kind:
        case "title" | "rich_text":
            return [{"text": {"content": part}} for part in _parts(bare)] if isinstance(bare, str | None) else bare
        case "select" | "status":
            return {"name": bare} if bare not in (None, "") else None
        case "multi_select":
            return [{"name": each} for each in bare] if isinstance(bare, list) else bare
        case "relation":
            return [{"id": each} for each in bare] if isinstance(bare, list) else bare
        case "date":
            return {"start": bare} if isinstance(bare, str) and bare else bare or None
        case "checkbox":
            return bare
        case _:
            return None if bare == "" else bare


def _parts(text: str | None) -> Iterator[str]:
    """Pieces that one text object holds; an emoji is not torn."""
    part, size = "", 0
    for letter in text or "":
        if size + length(letter) > MAX_TEXT:
            yield part
            part, size = "", 0
        part, size = part + letter, size + length(letter)
    if part:
        yield part
