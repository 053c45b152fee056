"""A page as Notion shows it, under our names for its columns. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from services.notion_sync.cells import Bare, bare
from services.notion_sync.schema import COLUMNS, Database


class Found(msgspec.Struct, frozen=True):
    """`edited_by`: the id of the user who changed it last; to the minute, and that may be us."""

    id: str
    in_trash: bool
    edited_at: datetime
    edited_by: str
    cells: Mapping[str, Mapping[str, Any]]
    created_at: datetime | None = None

    def shows(self, database: Database) -> dict[str, Bare]:
        """Every column of ours that it has, and that is of our type: what stands in others nobody can tell."""
        kinds = COLUMNS[database]
        return {name: bare(kinds[name], cell) for name, cell in self.cells.items() if kinds[name] in cell}


class User(msgspec.Struct):
    id: str = ""


class Parent(msgspec.Struct):
    data_source_id: str = ""


class Page(msgspec.Struct):
    """As on the wire; `properties` are by the names people see."""

    id: str
    last_edited_time: datetime
    created_time: datetime | None = None
    archived: bool = False
    in_trash: bool = False
    parent: Parent = msgspec.field(default_factory=Parent)
    last_edited_by: User = msgspec.field(default_factory=User)
    properties: dict[str, dict[str, Any]] = {}

    def found(self, ids: Mapping[str, str]) -> Found:
        """`ids`: the property of each of our columns."""
        ours = {id_: name for name, id_ in ids.items()}
        cells = {ours[cell["id"]]: cell for cell in self.properties.values() if cell.get("id") in ours}
        in_trash = self.archived or self.in_trash
        return Found(self.id, in_trash, self.last_edited_time, self.last_edited_by.id, cells, self.created_time)
