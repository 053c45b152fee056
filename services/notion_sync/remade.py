"""Columns that somebody made anew: what stood in them is gone from every row, so every row is written once more.

The facts are read again from the first, and a row's digest counts how often this has happened. Rows of databases that
nobody touched have the same digest as before and cost Notion nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import structlog

from contracts import subjects
from contracts.ids import digest
from eventlog import topology
from eventlog.bucket import Bucket
from eventlog.connection import Broker
from eventlog.pages import Columns
from services.notion_sync.columns import Resolved
from services.notion_sync.schema import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Remade:
    """What is remembered of each database's columns, for every notion_sync there is."""

    broker: Broker
    columns: Bucket[Columns]

    async def generation(self, database: Database) -> int:
        """How often the columns were made anew. Errors: Unavailable."""
        entry = await self.columns.get(_key(database))
        return entry.value.generation if entry else 0

    async def ids(self, database: Database) -> Mapping[str, str]:
        """The property that each of our columns was last found to be. Errors: Unavailable."""
        entry = await self.columns.get(_key(database))
        return entry.value.ids if entry else {}

    async def look(self, database: Database, found: Resolved) -> None:
        """Compare with what was there before, and remember it.

        Can be stopped after any line: the next look goes on. Errors: Unavailable, Incomplete.
        """
        entry = await self.columns.get(_key(database))
        if entry is None and not found.identity:
            return
        before = entry.value if entry else Columns(identity=found.identity or "")
        after = _after(before, found)
        revision = entry.revision if entry else 0
        if entry is None or after != before:
            stored = await self.columns.put(_key(database), after, over=revision)
            if stored is None:
                return  # another notion_sync has seen it too
            revision = stored
        if not after.replayed:
            log.warning("notion_columns_remade", database=database)
            await topology.rewind(self.broker, topology.NOTION_SYNC)
            await self.columns.put(_key(database), msgspec.structs.replace(after, replayed=True), over=revision)


@dataclass(frozen=True)
class OnlyLooks:
    """The same memory, for who remembers nothing of what is seen."""

    remade: Remade

    async def ids(self, database: Database) -> Mapping[str, str]:
        return await self.remade.ids(database)

    async def look(self, database: Database, found: Resolved) -> None:
        pass


def _after(before: Columns, found: Resolved) -> Columns:
    """What a look makes of what was known; while a column is missing, nobody can tell whether it is made anew."""
    ids = {**before.ids, **found.ids}
    if found.identity is None or found.identity == before.identity:
        return msgspec.structs.replace(before, ids=ids)
    anew = bool(found.identity)
    return Columns(identity=found.identity, ids=ids, generation=before.generation + anew, replayed=not anew)


def remade(broker: Broker) -> Remade:
    return Remade(broker, Bucket(broker, subjects.PAGES, Columns))


def _key(database: Database) -> str:
    return f"columns.{digest(database)}"
