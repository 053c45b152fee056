"""The database Email Templates, for commands: read whole, written row by row, with patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import rich_click as click

from cli.backends import with_notion
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Forgetful, Notion
from services.notion_sync.columns import Resolved
from services.notion_sync.databases import variable
from services.notion_sync.ids import database_id
from services.notion_sync.schema import PUBLISHED, STATUS, TEMPLATES, Database
from services.notion_sync.template_rows import NAME, TemplateRow, by_name, row_of
from services.notion_sync.values import Value, select
from services.settings import Settings

T = TypeVar("T")
Name = tuple[str, str]

TRIES = 5
TOO_MANY = 429


class _Strict(Forgetful):
    """A command can say what is wrong with columns, and a person reads it."""

    async def look(self, _: Database, found: Resolved) -> None:
        if found.problems:
            raise ValueError(f"the database {TEMPLATES} does not fit: {'; '.join(found.problems)}")


class Rows:
    """Errors, of every call: Refusal, once patience is over; ValueError, naming columns that do not fit."""

    def __init__(self, notion: Notion) -> None:
        self._notion = notion

    async def all(self) -> dict[Name, list[TemplateRow]]:
        """By campaign and template."""
        return await _patiently(self._read)

    async def named(self, name: Name) -> list[TemplateRow]:
        """As they are at this moment, as far as a query shows."""
        title = await _patiently(lambda: self._notion.property_id(TEMPLATES, NAME))
        wanted = {"property": title, "title": {"equals": name[1]}}
        return (await _patiently(lambda: self._read(wanted))).get(name, [])

    async def _read(self, wanted: Mapping[str, object] | None = None) -> dict[Name, list[TemplateRow]]:
        found = self._notion.rows(TEMPLATES, filter=wanted)
        return by_name([row_of(each) async for each in found if not each.in_trash])

    async def create(self, properties: Mapping[str, Value]) -> None:
        """Not tried again where it may have been done."""
        shown = {**properties, STATUS: select(PUBLISHED)}
        await _patiently(lambda: self._notion.create(TEMPLATES, shown), again_if_maybe=False)

    async def update(self, page_id: str, properties: Mapping[str, Value]) -> None:
        await _patiently(lambda: self._notion.update(TEMPLATES, page_id, properties))


async def _patiently(call: Callable[[], Awaitable[T]], *, again_if_maybe: bool = True) -> T:
    """Where Notion itself says "not now": trouble a few times, its rate limit for ever, as notion_sync shares it."""
    attempt = 1
    while True:
        try:
            return await call()
        except Refusal as refused:
            is_held = not refused.status and refused.after_s is not None  # by Turns: Notion was not even asked
            is_said = refused.status or is_held  # else it cannot be reached
            if refused.kind != "busy" or not is_said or (refused.maybe and not again_if_maybe):
                raise
            attempt += refused.status != TOO_MANY and not is_held
            if attempt > TRIES:
                raise
            wait_s = refused.delay_s(attempt)  # all of it: nothing is asked before that
            click.echo(f"Notion: {refused}; trying again in {wait_s:.0f} s", err=True)
            await asyncio.sleep(wait_s)


@asynccontextmanager
async def rows_of(settings: Settings) -> AsyncIterator[Rows]:
    """Errors: ValueError, saying what is unset, what does not fit, or what Notion answered."""
    used = with_notion(settings)
    if settings.notion_email_templates_db_id is None:
        raise ValueError(f"{variable(TEMPLATES)} is unset: it names the database {TEMPLATES}")
    databases: dict[Database, str] = {TEMPLATES: str(database_id(settings.notion_email_templates_db_id))}
    notion = Notion.of(used, databases, _Strict())
    try:
        yield Rows(notion)
    except Refusal as refused:
        raise ValueError(_explained(refused)) from refused
    finally:
        await notion.close()


def _explained(refused: Refusal) -> str:
    again = "what was done stays done; run it again"
    if refused.maybe:
        return f"Notion did not say whether it made the last row ({refused}): {again} in a minute"
    return f"Notion: {refused}; {again}" if refused.kind == "busy" else f"Notion: {refused}"
