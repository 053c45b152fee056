"""Whether a database in Notion is as we need it: its columns, its data source, what our token may do there."""

from typing import Literal

import msgspec

from services.notion_sync.answers import Refusal
from services.notion_sync.api import Notion
from services.notion_sync.columns import Resolved
from services.notion_sync.rights import Rights, rights
from services.notion_sync.schema import COLUMNS, Database, added

State = Literal["ok", "renamed", "retyped", "missing", "to come"]
TROUBLE: frozenset[State] = frozenset({"retyped", "missing"})


class Column(msgspec.Struct, frozen=True):
    """One of our columns, and the property in Notion that is written for it: its name there, id and type.

    `to come`: notion-sync makes it when it starts.
    """

    name: str
    wanted: str
    state: State
    property: str = ""
    id: str = ""
    type: str = ""

    def __str__(self) -> str:
        match self.state:
            case "renamed":
                return f"renamed from {self.name!r}"
            case "retyped":
                return f"is {self.type}, not {self.wanted}"
            case "to come":
                return "missing; notion-sync makes it when it starts"
            case state:
                return state


class Checked(msgspec.Struct, frozen=True):
    """A database as found; `problems`: one line for each thing a person has to put right."""

    database: Database
    id: str
    source: str = ""
    columns: tuple[Column, ...] = ()
    rights: Rights | None = None
    problems: tuple[str, ...] = ()


async def check(notion: Notion, database: Database) -> Checked:
    """Four calls, which change nothing. Errors: Refusal; Unavailable, where columns are remembered in a broker."""
    id_ = notion.databases[database]
    try:
        table = await notion.read(database)
    except Refusal as refused:
        if reason := UNREADABLE.get(refused.status):
            return Checked(database, id_, problems=(reason,))
        raise
    if not table.source_id:
        return Checked(database, id_, problems=table.columns.problems)
    may = await rights(notion, table.source_id)
    columns = compared(database, table.columns, may)
    return Checked(database, id_, table.source_id, columns, may, problems(columns, may))


UNREADABLE = {
    403: "the token may not read it: give the integration the capability to read content",
    404: "it is not there, or not shared with the integration: on its page, ••• → Connections",
}


def compared(database: Database, found: Resolved, may: Rights) -> tuple[Column, ...]:
    """Every column we need, in our order."""
    coming = added(database).keys() if may.update else ()
    return tuple(_column(name, wanted, found, is_coming=name in coming) for name, wanted in COLUMNS[database].items())


def _column(name: str, wanted: str, found: Resolved, *, is_coming: bool) -> Column:
    if name not in found.ids:
        return Column(name, wanted, "to come" if is_coming else "missing")
    kind, theirs = found.types[name], found.renamed.get(name, name)
    state: State = "retyped" if kind != wanted else "ok" if theirs == name else "renamed"
    return Column(name, wanted, state, theirs, found.ids[name], kind)


def problems(columns: tuple[Column, ...], may: Rights) -> tuple[str, ...]:
    named = [f"column {each.name!r} {_verb(each)}" for each in columns if each.state in TROUBLE]
    lacking = [f"the token may not {each}: give the integration that capability" for each in may.lacking]
    return (*named, *lacking)


def _verb(column: Column) -> str:
    return "is missing" if column.state == "missing" else str(column)
