"""`dripstream notion init` and `check`: the databases in Notion made, and looked over."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import rich_click as click
from rich.markup import escape
from rich.table import Table

from cli.backends import NoBroker, reach, with_notion
from cli.operate import print_json
from cli.output import output
from eventlog.connection import Denied, Unavailable
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Forgetful, Memory, Notion
from services.notion_sync.checkup import Checked, check
from services.notion_sync.databases import SETTINGS, configured, unset, variable
from services.notion_sync.ids import database_id, page_id
from services.notion_sync.remade import remade
from services.notion_sync.schema import DATABASES, Database
from services.notion_sync.setup import Made, Unsaid, set_up
from services.settings import Settings

PATIENCE_S = 3
SHOWN = 60
STYLE = {"ok": "dim", "renamed": "yellow", "to come": "yellow", "retyped": "red", "missing": "red"}
SHARE = "share it with the integration: on the page, ••• → Connections"


async def init(settings: Settings, parent: str, *, as_json: bool) -> int:
    """The variables for `.env` on standard output, words for people on the other. Exit code 1 if a column is wrong.

    Errors: ValueError, saying what to do.
    """
    page = page_id(parent)
    if page is None:
        raise ValueError(f"{parent!r} is no id of a Notion page, nor a link to one")
    used, wrong = with_notion(settings), False
    async with _memory(settings) as (memory, _), _notion(used, {}, memory, refused_for_init) as notion:
        async for made in set_up(notion, page):
            wrong |= bool(made.problems)
            _tell(made, database_id(getattr(settings, SETTINGS[made.database]) or ""))
            if as_json:
                print_json({"variable": variable(made.database), **msgspec.to_builtins(made)})
            else:
                print(f"{variable(made.database)}={made.id}", flush=True)
    return int(wrong)


def _tell(made: Made, before: str | None) -> None:
    """As each comes, on standard error; `before` is the one that the variable names until now."""
    added = f"; added {', '.join(made.added)}" if made.added else ""
    _say(f"{made.database}: {'made' if made.state == 'made' else 'was there'}{added}")
    for problem in made.problems:
        _say(f"{made.database}: {problem}; put it right in Notion, then run this again", fg="red")
    if before not in {None, made.id}:
        _say(f"{made.database}: {variable(made.database)} names another database until now, {before}", fg="yellow")


def refused_for_init(refused: Refusal) -> str:
    match refused.status:
        case 403:
            return "the token may not do this: give the integration the capabilities to read, update and insert content"
        case 404:
            return f"the page is not there, or not shared with the integration; {SHARE}"
        case 400:
            return f"Notion refuses ({refused}): does --parent name a page, and not a database?"
        case _:
            return refused_anywhere(refused)


def refused_anywhere(refused: Refusal) -> str:
    """One line that says what to do."""
    if refused.status == 401:
        return "NOTION_TOKEN is not valid: take the secret of the integration again"
    if refused.kind == "busy":
        return f"Notion does not answer now ({refused}); run this again later"
    return f"Notion refuses ({refused})"


async def check_all(settings: Settings, *, as_json: bool) -> int:
    """Exit code 1 where a person has to put something right. Errors: ValueError, saying what to do."""
    used = with_notion(settings)
    on, right = configured(used), True
    async with _memory(settings) as (memory, remembers), _notion(used, on, memory, refused_anywhere) as notion:
        if not remembers:
            _say("no broker is reachable: columns are known by name only, and a renamed one is taken for missing")
        for database in DATABASES:
            if database not in on:
                _print_off(database, unset(used, database), as_json=as_json)
                continue
            found = await check(notion, database)
            right = right and not found.problems
            if as_json:
                print_json(document(found))
            else:
                _print(found)
    return int(not right)


def document(found: Checked) -> dict[str, Any]:
    """For programs."""
    return {
        "database": found.database,
        "variable": variable(found.database),
        "state": "wrong" if found.problems else "ok",
        "id": found.id,
        "data_source": found.source,
        "problems": found.problems,
        "may_update": found.rights and found.rights.update,
        "may_insert": found.rights and found.rights.insert,
        "columns": msgspec.to_builtins(found.columns),
    }


def _print_off(database: Database, name: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"database": database, "variable": name, "state": "off"})
    else:
        output().print(f"[bold]{database}[/]: off, as {name} is unset\n", highlight=False)


def _print(found: Checked) -> None:
    console = output()
    console.print(f"[bold]{found.database}[/]: {found.id} ({variable(found.database)})", highlight=False)
    if found.columns:
        table = Table("column", "in Notion", "id", "type", "", box=None)
        for each in found.columns:
            state = f"[{STYLE[each.state]}]{escape(str(each))}[/]"
            table.add_row(each.name, escape(each.property[:SHOWN]), escape(each.id), escape(each.type), state)
        console.print(table)
    for problem in found.problems:
        console.print(f"[red]{escape(problem)}[/]", highlight=False)
    if not found.problems:
        console.print("[green]right[/]; the token may write")
    console.print()


@asynccontextmanager
async def _memory(settings: Settings) -> AsyncIterator[tuple[Memory, bool]]:
    """What notion-sync remembers of columns, and whether there is anybody to ask."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            broker = await stack.enter_async_context(reach(settings, name="notion", patience_s=PATIENCE_S))
        except Denied:
            raise
        except (NoBroker, Unavailable):
            yield Forgetful(), False
        else:
            yield remade(broker), True


@asynccontextmanager
async def _notion(
    settings: Settings, databases: Mapping[Database, str], memory: Memory, explain: Callable[[Refusal], str]
) -> AsyncIterator[Notion]:
    """Errors: ValueError, in the words of `explain`."""
    notion = Notion.of(settings, databases, memory)
    try:
        yield notion
    except Refusal as refused:
        raise ValueError(explain(refused)) from refused
    except Unsaid as unsaid:
        raise ValueError(f"{unsaid}; run this again in a minute, when it would show") from unsaid
    finally:
        await notion.close()


def _say(text: str, **style: Any) -> None:
    click.secho(text, err=True, **style)
