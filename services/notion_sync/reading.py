"""The rows of Notion's databases, read once and a hundred a call. While Notion has no time for us, we wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from services.notion_sync.answers import Refusal
from services.notion_sync.api import Batch, Notion
from services.notion_sync.compare import Sheet, seen
from services.notion_sync.schema import COLUMNS, KEY, Database

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
Told = Callable[[int], None]


async def patiently(call: Callable[[], Awaitable[T]], sleep: Sleep = asyncio.sleep) -> T:
    """Until Notion has time for it. Errors: Refusal, `closed` or `wrong`."""
    attempt = 0
    while True:
        try:
            return await call()
        except Refusal as refused:
            if refused.kind != "busy":
                raise
            attempt += 1
            await sleep(refused.delay_s(attempt))


class Person:
    """Whose rows alone are meant."""

    def __init__(self, contact: str, addresses: set[str]) -> None:
        self.contact = contact
        self.addresses = addresses | {each.casefold() for each in addresses}


class Reader:
    """Errors, of every call: Refusal, `closed` or `wrong`."""

    def __init__(self, notion: Notion, sleep: Sleep, person: Person | None = None) -> None:
        self._notion = notion
        self._sleep = sleep
        self._person = person

    async def sheet(self, database: Database, told: Told = lambda _: None) -> Sheet:
        """Every row, or a person's; `told` of every hundred."""
        sheet = Sheet(database)
        await self._fill(sheet, await self._filter(database), told)
        return sheet

    async def add_trash(self, sheet: Sheet) -> None:
        """Those that were thrown away. Where Notion does not tell them, their pages count as gone."""
        await self._fill(sheet, None, lambda _: None, in_trash=True)

    async def _fill(
        self, sheet: Sheet, wanted: Mapping[str, Any] | None, told: Told, *, in_trash: bool = False
    ) -> None:
        """Notion ends a query after 10,000 rows: the next one begins at the time of the last row."""
        since: datetime | None = None
        while True:
            conditions = [each for each in (wanted, since and _created_since(since)) if each]
            before, is_cut = len(sheet.pages), False
            async for batch in self._batches(sheet.database, _all_of(conditions), in_trash=in_trash):
                for each in batch.found:
                    if each.in_trash == in_trash:
                        sheet.add(seen(sheet.database, each))
                    since = each.created_at or since
                told(len(batch.found))
                is_cut = is_cut or batch.is_cut
            if not is_cut:
                return
            if len(sheet.pages) == before:
                raise Refusal("wrong", "more rows of one minute than a query gives")

    async def _batches(
        self, database: Database, wanted: Mapping[str, Any] | None, *, in_trash: bool
    ) -> AsyncIterator[Batch]:
        cursor: str | None = None
        while True:
            ask = partial(self._notion.some_rows, database, filter=wanted, cursor=cursor, in_trash=in_trash)
            batch = await patiently(ask, self._sleep)
            yield batch
            if batch.cursor is None:
                return
            cursor = batch.cursor

    async def add_page(self, sheet: Sheet, page_id: str) -> None:
        """One page, if it is there: asked for by its id, it shows itself at once."""
        try:
            found = await patiently(lambda: self._notion.retrieve(sheet.database, page_id), self._sleep)
        except Refusal as refused:
            if refused.status not in {400, 404}:
                raise
            return
        if found:
            sheet.add(seen(sheet.database, found))

    async def _filter(self, database: Database) -> Mapping[str, Any] | None:
        if self._person is None:
            return None
        by_key = KEY in COLUMNS[database]
        column = await patiently(lambda: self._notion.property_id(database, KEY if by_key else "Email"), self._sleep)
        if by_key:
            return {"property": column, "rich_text": {"starts_with": self._person.contact}}
        return {"or": [{"property": column, "email": {"equals": each}} for each in sorted(self._person.addresses)]}


def _created_since(moment: datetime) -> dict[str, Any]:
    return {"timestamp": "created_time", "created_time": {"on_or_after": moment.isoformat()}}


def _all_of(conditions: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    if len(conditions) > 1:
        return {"and": conditions}
    return conditions[0] if conditions else None
