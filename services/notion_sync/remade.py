"""Columns that somebody made anew: what stood in them is gone from every row, so every row is written once more.

The facts are read again from the first, and a row's digest counts how often this has happened. Rows of databases that
nobody touched have the same digest as before and cost Notion nothing.
"""

from dataclasses import dataclass

import msgspec
import structlog

from contracts import subjects
from contracts.ids import digest
from eventlog import topology
from eventlog.bucket import Bucket
from eventlog.connection import Broker
from eventlog.pages import Columns
from services.notion_sync.projection import Database

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

    async def look(self, database: Database, identity: str | None) -> None:
        """Compare with what was there before; `identity` as in `columns.py`.

        Can be stopped after any line: the next look goes on. Errors: Unavailable, Incomplete.
        """
        entry = await self.columns.get(_key(database))
        if identity is None or (entry is None and not identity):
            return
        before = entry.value if entry else Columns(identity=identity)
        after = before
        if identity != before.identity:
            anew = bool(identity)
            after = Columns(identity=identity, generation=before.generation + anew, replayed=not anew)
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


def remade(broker: Broker) -> Remade:
    return Remade(broker, Bucket(broker, subjects.PAGES, Columns))


def _key(database: Database) -> str:
    return f"columns.{digest(database)}"
