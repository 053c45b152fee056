"""The Notion workspace: held in memory for queries, written through to SQLite for restarts."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from services.sandbox.notion_model import Block, Database, DataSource, Page
from services.sandbox.notion_relations import page_ids
from services.sandbox.seed import seed

SCHEMA = "CREATE TABLE IF NOT EXISTS notion (kind TEXT, id TEXT, document BLOB NOT NULL, PRIMARY KEY (kind, id))"
Kept = TypeVar("Kept", Database, DataSource, Page, Block)


class NotionStore:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.databases: dict[str, Database] = {}
        self.sources: dict[str, DataSource] = {}
        self.pages: dict[str, Page] = {}
        self._by_source: defaultdict[str, dict[str, Page]] = defaultdict(dict)
        self.blocks: dict[str, Block] = {}
        self.revision = 0
        connection.execute(SCHEMA)
        self._load()
        if not self.databases:
            self._seed()

    def _load(self) -> None:
        self.databases = {each.id: each for each in self._read(Database)}
        self.sources = {each.id: each for each in self._read(DataSource)}
        for each in sorted(self._read(Page), key=lambda page: page.sequence):
            self._remember(each)
        self.blocks = {each.id: each for each in sorted(self._read(Block), key=lambda block: block.sequence)}
        # Page sequence numbers come from here and must go on rising after a restart.
        self.revision = max((each.sequence for each in self.pages.values()), default=0)

    def _read(self, kind: type[Kept]) -> list[Kept]:
        rows = self._connection.execute("SELECT document FROM notion WHERE kind = ?", (kind.__name__,))
        return [msgspec.json.decode(row[0], type=kind) for row in rows]

    def _seed(self) -> None:
        for database, source in seed(datetime.now(UTC)):
            self.save(database, source)

    def save(self, *documents: Database | DataSource | Page | Block) -> None:
        """All of them or none: a page and the select option it made belong together."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO notion VALUES (?, ?, ?)", map(_row, documents))
        for each in documents:
            self._remember(each)
        self.revision += 1

    def _remember(self, document: Database | DataSource | Page | Block) -> None:
        match document:
            case Database():
                self.databases[document.id] = document
            case DataSource():
                self.sources[document.id] = document
            case Page():
                self.pages[document.id] = document
                self._by_source[document.data_source_id][document.id] = document
            case Block():
                self.blocks[document.id] = document

    def delete(self, gone: Collection[Page]) -> None:
        """For good, with their blocks; relations to them go as well. All of it or nothing."""
        ids = {page.id for page in gone}
        blocks = [each.id for each in self.blocks.values() if each.parent_id in ids]
        kept = [each for each in self._without(ids) if each.id not in ids]
        with self._connection:
            self._connection.execute("BEGIN")
            rows = [("Page", each) for each in ids] + [("Block", each) for each in blocks]
            self._connection.executemany("DELETE FROM notion WHERE kind = ? AND id = ?", rows)
            self._connection.executemany("INSERT OR REPLACE INTO notion VALUES (?, ?, ?)", map(_row, kept))
        for page in gone:
            del self.pages[page.id]
            del self._by_source[page.data_source_id][page.id]
        for each in blocks:
            del self.blocks[each]
        for page in kept:
            self._remember(page)
        self.revision += 1

    def _without(self, ids: set[str]) -> Iterator[Page]:
        """The pages that point to one of these, pointing to it no longer."""
        for source in self.sources.values():
            relations = [each.id for each in source.columns if each.type == "relation"]
            for page in self.pages_of(source.id) if relations else []:
                left = {each: [to for to in page_ids(page.values.get(each)) if to not in ids] for each in relations}
                if any(len(to) < len(page_ids(page.values.get(each))) for each, to in left.items()):
                    yield msgspec.structs.replace(page, values={**page.values, **left})

    def sources_of(self, database_id: str) -> list[DataSource]:
        return [each for each in self.sources.values() if each.database_id == database_id]

    def pages_of(self, data_source_id: str) -> list[Page]:
        """In the order created."""
        return list(self._by_source[data_source_id].values())

    def children_of(self, parent_id: str) -> list[Block]:
        return [each for each in self.blocks.values() if each.parent_id == parent_id]

    def clear(self) -> None:
        self._connection.execute("DELETE FROM notion")
        for kept in (self.databases, self.sources, self.pages, self._by_source, self.blocks):
            kept.clear()
        self._seed()


def _row(document: Database | DataSource | Page | Block) -> tuple[str, str, bytes]:
    return type(document).__name__, document.id, msgspec.json.encode(document)
