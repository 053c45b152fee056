"""What our token may do to a database, found out without changing anything."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from services.notion_sync.answers import Refusal
from services.notion_sync.api import Notion

NO_COLUMN = "Dripstream asks whether it may write"
"""A page with this column is never made; one who may not make pages is told that first."""


class Rights(NamedTuple):
    """As an integration has them under its capabilities at Notion."""

    update: bool
    insert: bool

    @property
    def lacking(self) -> tuple[str, ...]:
        named = {"update content": self.update, "insert content": self.insert}
        return tuple(name for name, has in named.items() if not has)


async def rights(notion: Notion, source_id: str) -> Rights:
    """Two calls. Errors: Refusal, where the answer says nothing of rights."""
    client, parent = notion.client, {"type": "data_source_id", "data_source_id": source_id}
    unwritable = {NO_COLUMN: {"number": 1}}
    return Rights(
        update=await _may(notion, lambda: client.data_sources.update(source_id, properties={})),
        insert=await _may(notion, lambda: client.pages.create(parent=parent, properties=unwritable)),
    )


async def _may(notion: Notion, call: Callable[[], Awaitable[Any]]) -> bool:
    try:
        await notion.turns.take(call, dict, probe=True)
    except Refusal as refused:
        if refused.status == 403:
            return False
        if refused.status != 400:
            raise
    return True
