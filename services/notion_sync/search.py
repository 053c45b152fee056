"""Is there a page for this row already? One query for a person's rows in a database that has our keys."""

from collections.abc import Mapping
from typing import Any

import structlog

from services.notion_sync.api import Notion
from services.notion_sync.found import Found
from services.notion_sync.row import Row
from services.notion_sync.schema import KEY, Database

log = structlog.get_logger(__name__)


class Search:
    """Answers for as long as one batch of facts is handled; older ones may be out of date."""

    def __init__(self, notion: Notion) -> None:
        self._notion = notion
        self._known: dict[tuple[Database, str], list[Found]] = {}

    async def find(self, row: Row) -> Found | None:
        """The oldest page that fits. Errors: Refusal.

        Only one column is asked for: a filter by an option that the column does not have yet is refused.
        """
        column, text = next(iter(row.find_by.items()))
        if not text:
            return None
        asked = (row.database, row.contact if column == KEY else row.key)
        if asked not in self._known:
            wanted = await self._filter(row, column, text)
            self._known[asked] = [found async for found in self._notion.rows(row.database, filter=wanted)]
        fitting = [found for found in self._known[asked] if fits(found, row)]
        if len(fitting) > 1:
            pages = [found.id for found in fitting]
            log.warning("notion_rows_doubled", database=row.database, key=row.key, pages=pages)
        return fitting[0] if fitting else None

    async def _filter(self, row: Row, column: str, text: str) -> Mapping[str, Any]:
        id_ = await self._notion.property_id(row.database, column)
        if column == KEY:
            return {"property": id_, "rich_text": {"starts_with": row.contact}}
        return {"or": [{"property": id_, "email": {"equals": each}} for each in sorted({text, text.casefold()})]}


def fits(found: Found, row: Row) -> bool:
    """Not in the trash, and the same in every column that tells rows apart; addresses are compared without case."""
    shown = found.shows(row.database)
    same = all(_same(name, shown.get(name), text) for name, text in row.find_by.items())
    return same and not found.in_trash


def _same(column: str, shown: object, text: str) -> bool:
    return shown == text or (column == "Email" and str(shown).casefold() == text.casefold())
