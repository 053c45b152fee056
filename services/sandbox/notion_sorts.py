"""Sorting of query results: stable, empty cells last in both directions."""

from collections.abc import Callable, Sequence

from services.sandbox.notion_filters import TIMESTAMPS, timestamp
from services.sandbox.notion_model import DataSource, Page, body_invalid, invalid
from services.sandbox.notion_text import shown
from services.sandbox.notion_values import as_moment, plain_value

Key = Callable[[Page], object]


def sort_pages(source: DataSource, pages: Sequence[Page], sorts: object) -> list[Page]:
    """Errors: Refused, 400 validation_error."""
    if not isinstance(sorts, list):
        body_invalid("sorts", f"should be an array, instead was `{shown(sorts)}`")
    found = list(pages)
    # The last sort is the least significant, and Python's sort is stable.
    for key, descending in reversed([_parse(source, raw) for raw in sorts]):
        filled = [page for page in found if key(page) is not None]
        empty = [page for page in found if key(page) is None]
        filled.sort(key=key, reverse=descending)  # type: ignore[arg-type]  # one column holds one type
        found = filled + empty
    return found


def _parse(source: DataSource, raw: object) -> tuple[Key, bool]:
    if not isinstance(raw, dict):
        body_invalid("sorts", f"should hold objects, instead was `{shown(raw)}`")
    direction = raw.get("direction")
    if direction not in {"ascending", "descending"}:
        body_invalid("sorts.direction", f"should be `ascending` or `descending`, instead was `{shown(direction)}`")
    return _key(source, raw), direction == "descending"


def _key(source: DataSource, raw: dict[str, object]) -> Key:
    if raw.get("timestamp") in TIMESTAMPS:
        name = str(raw["timestamp"])
        return lambda page: (timestamp(page, name), page.sequence)
    column = source.column(str(raw.get("property")))
    if column is None:
        invalid(f"Could not find sort property with name or id: {raw.get('property')}")
    return lambda page: _comparable(column.type, plain_value(column, page.values.get(column.id)))


def _comparable(kind: str, value: object) -> object:
    if value in (None, "", []):
        return None
    return as_moment(value) if kind == "date" and isinstance(value, str) else value
