"""Making the databases on a page in Notion. Repeated, it makes nothing twice."""

from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Literal

import msgspec

from services.notion_sync.answers import Refusal
from services.notion_sync.api import PAGE, Notion
from services.notion_sync.schema import BUSINESSX, COLUMNS, DATABASES, Database, definition, definitions

ORDER: tuple[Database, ...] = (BUSINESSX, *(each for each in DATABASES if each != BUSINESSX))
"""Others point to people, so people come first."""


class Doubled(ValueError):
    """Two databases of one name on the page, and nobody but a person knows which one is meant."""


class Unfit(ValueError):
    """A database that is there and cannot be ours."""


class Unsaid(Exception):
    """Notion did not say whether it made a database."""

    def __init__(self, database: Database, refused: Refusal) -> None:
        super().__init__(f"Notion did not say whether it made {database} ({refused})")


class Made(msgspec.Struct, frozen=True):
    """A database that is there now. `problems`: one line for each column that a person has to put right."""

    database: Database
    id: str
    source: str
    state: Literal["made", "there"]
    added: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class _Title(msgspec.Struct):
    title: str


class _Block(msgspec.Struct):
    id: str
    child_database: _Title | None = None


class _Blocks(msgspec.Struct):
    results: list[_Block]
    next_cursor: str | None = None


class _Source(msgspec.Struct):
    id: str


class _Database(msgspec.Struct):
    id: str
    data_sources: list[_Source]


async def set_up(notion: Notion, parent: str) -> AsyncIterator[Made]:
    """Each database in turn: taken where the page has one of that name, else made.

    Can be stopped anywhere: the next run finds what this one made. Errors: Refusal, Unsaid, Doubled, Unfit.
    """
    there = by_name([each async for each in _children(notion, parent)])
    notion.databases = there
    customers = ""
    for database in ORDER:
        made = await (_take if database in there else _make)(notion, parent, database, customers)
        customers = customers or made.source
        yield made


def by_name(found: Iterable[tuple[str, str]]) -> dict[Database, str]:
    """The ids of those that are ours, from pairs of title and id. Errors: Doubled."""
    there: dict[Database, str] = {}
    for title, id_ in found:
        for database in DATABASES:
            if title.strip() != database:
                continue
            if database in there:
                raise Doubled(
                    f"the page has two databases named {database}: {there[database]} and {id_}; "
                    "move one of them into the trash, or give it another name"
                )
            there[database] = id_
    return there


async def _children(notion: Notion, parent: str) -> AsyncIterator[tuple[str, str]]:
    cursor: str | None = None
    while True:
        children = partial(notion.client.blocks.children.list, parent, page_size=PAGE, start_cursor=cursor)
        answer = await notion.turns.take(children, _Blocks)
        for each in answer.results:
            if each.child_database:
                yield each.child_database.title, each.id
        cursor = answer.next_cursor
        if cursor is None:
            return


async def _make(notion: Notion, parent: str, database: Database, customers: str) -> Made:
    asked = {
        "parent": {"type": "page_id", "page_id": parent},
        "title": [{"type": "text", "text": {"content": database}}],
        "initial_data_source": {"properties": definitions(database, customers=customers)},
    }
    try:
        answer = await notion.turns.take(lambda: notion.client.databases.create(**asked), _Database)
    except Refusal as refused:
        if refused.maybe:
            raise Unsaid(database, refused) from None
        raise
    return Made(database, answer.id, answer.data_sources[0].id, "made")


async def _take(notion: Notion, _: str, database: Database, customers: str) -> Made:
    """Columns are only added: what else differs, a person has to put right."""
    table = await notion.read(database)
    if not table.source_id:
        raise Unfit(f"{database} ({notion.databases[database]}): {'; '.join(table.columns.problems)}")
    missing = _addable(database, table.columns.ids)
    if missing:
        wanted = {name: definition(database, name, customers=customers) for name in missing}
        await notion.turns.take(lambda: notion.client.data_sources.update(table.source_id, properties=wanted), dict)
        table = await notion.read(database)
    id_ = notion.databases[database]
    return Made(database, id_, table.source_id, "there", missing, table.columns.problems)


def _addable(database: Database, there: Mapping[str, str]) -> tuple[str, ...]:
    """A database has one title; a second one is refused."""
    return tuple(name for name, kind in COLUMNS[database].items() if name not in there and kind != "title")
