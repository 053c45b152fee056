"""`dripstream notion rebuild` and `drift`: all of Notion beside all facts, and brought into line with them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import rich_click as click
from rich.console import Console
from rich.markup import escape

from cli.backends import reach, with_notion
from cli.notion import refused_anywhere
from cli.operate import print_json
from cli.output import output
from cli.rebuild_view import Watching, line_of, summary_of
from cli.runtime import stop_on_signal
from cli.who import Who
from eventlog import topology
from eventlog.connection import Broker
from eventlog.operations import note
from journey.campaign import load_campaigns
from services.notion_sync.answers import Refusal
from services.notion_sync.compare import Finding
from services.notion_sync.handlers import Shell, shell_for
from services.notion_sync.rebuild import Rebuild
from services.notion_sync.schema import Database
from services.notion_sync.survey import Survey
from services.settings import Settings

LISTED = 20
DIFFERENT = ("differs", "missing", "trashed", "gone", "hands", "doubled")
INTERRUPTED = 130


async def rebuild(
    settings: Settings, *, dry_run: bool, contact: str | None, recreate: bool | None, who: Who, as_json: bool
) -> int:
    """Exit code 1 where something was left that is not right, 130 if it was interrupted.

    Errors: NoBroker, Unavailable, CampaignError, NoNotion, BadDatabaseId; ValueError where Notion refuses everything.
    """
    used = with_notion(settings)
    with stop_on_signal() as stop, Watching(used.notion_rate_limit) as watching:
        async with _shell(used, only_looks=dry_run) as (broker, shell):
            found = _printer(as_json=as_json) if dry_run else _unheard
            survey = Survey(broker, shell, stop=stop, told=watching.told, found=found)
            await survey.look(contact)
            thrown_away = _thrown_away(survey)
            again = recreate
            if thrown_away and recreate is None and not dry_run and not stop.is_set():
                again = await _asked(thrown_away, watching)
            work = Rebuild(survey, recreate=bool(again))
            if not (dry_run or stop.is_set()):
                if _is_there_work(survey, recreate=bool(again)):
                    about = "rows thrown away too" if again else ""
                    await note(broker, "rebuild", about=about, by=who.by, why=who.why, now=datetime.now(UTC))
                await work.run()
            watching.stop()
            _conclude(survey, work, shell.notion.turns.made, as_json=as_json, done=not dry_run)
    if stop.is_set():
        _say("interrupted: run it again, and it goes on where it was")
        return INTERRUPTED
    left = bool(thrown_away and not again) and not dry_run
    if left:
        _say(f"{thrown_away} rows were thrown away by hand and are left so; --recreate brings them back")
    return int(left or bool(survey.unfit or work.refused))


async def drift(settings: Settings, *, as_json: bool) -> int:
    """Exit code 1 where anything differs. Errors: as `rebuild`."""
    used = with_notion(settings)
    with stop_on_signal() as stop, Watching(used.notion_rate_limit) as watching:
        async with _shell(used, only_looks=True) as (broker, shell):
            survey = Survey(broker, shell, stop=stop, told=watching.told)
            await survey.look()
            watching.stop()
    if stop.is_set():
        return INTERRUPTED
    counts = {each: _counts(survey, each) for each in survey.databases()}
    for database, found in counts.items():
        if as_json:
            print_json({"database": database, **found})
        else:
            state = "does not fit" if database in survey.unfit else "drift" if _differs(found) else "right"
            numbers = ", ".join(f"{number} {name}" for name, number in found.items() if number)
            print(f"{database}: {state}" + (f" ({numbers})" if numbers else ""))
    return int(bool(survey.unfit) or any(_differs(found) for found in counts.values()))


@asynccontextmanager
async def _shell(settings: Settings, *, only_looks: bool) -> AsyncIterator[tuple[Broker, Shell]]:
    campaigns = load_campaigns(settings.campaigns_dir)
    async with reach(settings, name="rebuild") as broker:
        await topology.require(broker, replicas=settings.replicas)
        shell = shell_for(broker, settings, campaigns, settings.pace, only_looks=only_looks)
        try:
            yield broker, shell
        except Refusal as refused:
            raise ValueError(refused_anywhere(refused)) from refused
        finally:
            await shell.notion.close()


def _is_there_work(survey: Survey, *, recreate: bool) -> bool:
    counts = [_counts(survey, each) for each in survey.databases()]
    return any(each[state] for each in counts for state in DIFFERENT if recreate or state != "trashed")


def _thrown_away(survey: Survey) -> int:
    """Rows that somebody threw away one by one; an emptied database is filled without asking."""
    trashed = sum(survey.counts[each, "trashed"] for each in survey.databases())
    return trashed + sum(not survey.is_emptied(each.database) for each in survey.gone)


async def _asked(count: int, watching: Watching) -> bool | None:
    """Asked once, and only where somebody is there to answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    watching.stop()
    question = f"{count} rows were thrown away by hand: recreate them?"
    answer = await asyncio.to_thread(click.confirm, question, default=False, err=True)
    watching.start()
    return answer


def _printer(*, as_json: bool) -> Any:
    """What would be done about a row: for the operator's eyes, and no log's."""
    console = output()

    def found(finding: Finding) -> None:
        if as_json:
            print_json(_document(finding))
        else:
            console.print(line_of(finding), highlight=False)

    return found


def _unheard(_: Finding) -> None:
    pass


def _document(finding: Finding) -> dict[str, Any]:
    every = {"changes": finding.changes, "hands": finding.hands}
    cells = {of: {name: {"shown": a, "wanted": b} for name, (a, b) in each.items()} for of, each in every.items()}
    page = finding.page.id if finding.page else None
    about = {"database": finding.row.database, "row": finding.name, "key": finding.row.key, "page": page}
    return {**about, "state": finding.state, **cells, "doubles": finding.doubles}


def _counts(survey: Survey, database: Database) -> dict[str, int]:
    states = ("right", "differs", "missing", "moving", "hands", "trashed", "gone")
    found = {each: survey.counts[database, each] for each in states}
    doubled = sum(each.row.database == database for each in survey.doubled)
    return {**found, "doubled": doubled, "foreign": sum(of == database for of, _ in survey.foreign)}


def _differs(counts: dict[str, int]) -> bool:
    return any(counts[each] for each in DIFFERENT)


def _conclude(survey: Survey, work: Rebuild, calls: int, *, as_json: bool, done: bool) -> None:
    rows = {each: _counts(survey, each) for each in survey.databases()}
    for database, counts in rows.items():
        if done:
            counts |= {each: work.done[database, each] for each in ("created", "updated")}
            counts["refused"] = sum(each.database == database for each in work.refused)
    if as_json:
        for database, counts in rows.items():
            print_json({"database": database, "fits": database not in survey.unfit, **counts})
        print_json({"calls": calls})
        return
    console = output()
    for database, counts in rows.items():
        console.print(summary_of(database, counts, done=done), highlight=False)
    console.print(f"{calls} calls to Notion", highlight=False)
    _list(console, [f"{each}: does not fit; `dripstream notion check` says why" for each in survey.unfit])
    _list(console, [f"{each.database}: refused by Notion ({each.reason}): {each.key}" for each in work.refused])
    _list(console, [_doubled(each) for each in survey.doubled])
    _list(console, [f"{database}: no fact explains page {page}" for database, page in survey.foreign])


def _doubled(finding: Finding) -> str:
    kept = finding.page.id if finding.page else ""
    return f"{finding.row.database}: doubled: {', '.join(finding.doubles)}; kept in step is {kept}"


def _list(console: Console, lines: list[str]) -> None:
    for each in lines[:LISTED]:
        console.print(escape(each), style="yellow", highlight=False)
    if len(lines) > LISTED:
        console.print(f"… and {len(lines) - LISTED} more like it; --json has the numbers", style="yellow")


def _say(text: str) -> None:
    click.secho(text, err=True, fg="yellow")
