"""What Notion costs: calls, and the hours they take at its average of three a second.

The full size is counted exactly, against the sandbox without its limit: 3,000 people with seven sent emails have some
48,000 rows in four databases, and their rebuild would take hours at three calls a second. That the hours follow from
the calls is shown by a small rebuild with the limit on. What is read and written does not depend on the disk, so all
of it is measured once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
from notion_client import AsyncClient

from bench.figures import Figure, Setting
from bench.people import campaign, signup, steps
from bench.stage import Stage, in_flight, is_finished, stage, until
from contracts.facts import AnyFact, EmailSent
from eventlog import topology
from eventlog.consume import Consumer
from eventlog.log import EventLog
from services.notion_sync.databases import SETTINGS
from services.notion_sync.handlers import Shell, shell_for, work
from services.notion_sync.rebuild import Rebuild
from services.notion_sync.schema import ANALYTICS, BUSINESSX, EMAIL_SEQUENCE, QUEUE, Database, definitions
from services.notion_sync.survey import Survey
from services.sandbox.seed import BUSINESSX_DATA_SOURCE_ID, BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from services.settings import Settings

PEOPLE, PEOPLE_LIMITED, SIGNUPS = 3_000, 10, 1_000
EDITED = 10
"""One page in so many is changed by a hand."""

RATE = 3.0
WRITES_PER_PAGE, READS_PER_100_ROWS, WRITES_PER_PERSON = 1.05, 1.0, 2.1
APPENDING = 64
NO_LIMIT = 10_000
MAIN: dict[Database, str] = {EMAIL_SEQUENCE: EMAIL_SEQUENCE_DB_ID, BUSINESSX: BUSINESSX_DB_ID}


@dataclass(frozen=True)
class Cost:
    """Calls of one rebuild. `reads` are queries for rows; `found`: calls that find the databases and their columns."""

    rows: int
    changed: int
    found: int
    reads: int
    writes: int
    took_s: float

    @property
    def calls(self) -> int:
        return self.found + self.reads + self.writes

    def __str__(self) -> str:
        hours = self.calls / RATE / 3_600
        at_rate = f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.1f} min"
        return (
            f"{self.rows:,} rows: {self.found} calls to find the databases, {self.reads:,} reads, {self.writes:,} "
            f"writes = {at_rate} at {RATE:g} a second"
        )


@dataclass(frozen=True)
class Workspace:
    """Databases in the sandbox, and settings that name them."""

    played: Stage
    url: str
    ids: dict[Database, str]

    @asynccontextmanager
    async def shell(self, *, rate: float = NO_LIMIT) -> AsyncIterator[Shell]:
        names = {SETTINGS[database]: id_ for database, id_ in self.ids.items()}
        given = {"notion_token": "ntn_bench", "notion_api_url": self.url, "notion_rate_limit": rate}
        settings = Settings.load(**(given | names))
        shell = shell_for(self.played.broker, settings, {campaign().id: campaign()}, settings.pace)
        try:
            yield shell
        finally:
            await shell.notion.close()

    async def rebuild(self, *, rate: float = NO_LIMIT) -> Cost:
        async with self.shell(rate=rate) as shell:
            start = time.monotonic()
            survey = Survey(self.played.broker, shell)
            await survey.look()
            found, read = 2 * len(self.ids), shell.notion.turns.made
            await Rebuild(survey).run()
            writes = shell.notion.turns.made - read
            rows = sum(count for (_, state), count in survey.counts.items() if state != "hands")
            return Cost(rows, survey.writes, found, read - found, writes, time.monotonic() - start)

    async def control(self, path: str, body: Any) -> Any:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            answer = await (client.post(path, json=body) if body is not None else client.get(path))
            answer.raise_for_status()
            return answer.json() if answer.content else None


async def measure(setting: Setting) -> list[Figure]:
    if setting.fsync == "always":
        return []
    return [*await _full(setting), *await _limited(setting), *await _live(setting)]


async def _full(setting: Setting) -> list[Figure]:
    async with _workspace(setting) as office:
        await _facts(office.played, setting.count(PEOPLE))
        empty = await office.rebuild()
        intact = await office.rebuild()
        await _edit(office)
        edited = await office.rebuild()
    assert intact.writes == 0, f"{intact.writes} writes though all was right"
    figure = partial(Figure, fsync=setting.fsync, at_most=True)
    return [
        figure(
            name=f"notion: rebuild, {kind}",
            value=cost.writes / cost.changed,
            unit="writes per page that changes",
            target=WRITES_PER_PAGE,
            detail=str(cost),
        )
        for kind, cost in (("empty workspace", empty), (f"one page in {EDITED} changed by hand", edited))
    ] + [
        figure(
            name="notion: rebuild, all is right",
            value=intact.reads * 100 / intact.rows,
            unit="reads per 100 rows",
            target=READS_PER_100_ROWS if not setting.quick else None,  # the last read of a database is not full
            detail=str(intact),
        )
    ]


async def _limited(setting: Setting) -> list[Figure]:
    """The limit on, and we at its rate: how long the calls take, and how long they should."""
    people = max(2, setting.count(PEOPLE_LIMITED))
    async with _workspace(setting) as office:
        await _facts(office.played, people)
        await office.control("/_control/options", {"notion_rate": RATE, "notion_burst": 30})
        cost = await office.rebuild(rate=RATE)
    return [
        Figure(
            name=f"notion: rebuild of {people} people, limit on",
            fsync=setting.fsync,
            value=cost.took_s,
            unit="s",
            at_most=True,
            limit=cost.calls / RATE,
            limit_is=f"{cost.calls} calls at {RATE:g} a second",
            detail=str(cost),
        )
    ]


async def _live(setting: Setting) -> list[Figure]:
    """notion_sync's own work: a burst of signups and everything that became of them, in the two main databases."""
    people = setting.count(SIGNUPS)
    async with _workspace(setting, optional=False) as office, office.shell() as shell:
        facts = await _facts(office.played, people)
        stop, start = asyncio.Event(), time.monotonic()
        running = asyncio.create_task(Consumer(office.played.broker, work(shell), stop=stop).run())
        await until(partial(is_finished, office.played.broker, topology.NOTION_SYNC), patience_s=900)
        took = time.monotonic() - start
        stop.set()
        await running
        requests = await office.control("/_control/requests", None)
    writes = sum(each["path"].startswith("/v1/pages") and each["method"] in {"POST", "PATCH"} for each in requests)
    made = shell.notion.turns.made
    return [
        Figure(
            name=f"notion: burst of {people:,} signups, {facts:,} facts",
            fsync=setting.fsync,
            value=writes / people,
            unit="writes per person",
            at_most=True,
            target=WRITES_PER_PERSON,
            detail=f"{made:,} calls, {writes:,} of them writes = {made / RATE / 60:.0f} min at {RATE:g} a second; "
            f"without the limit {took:.0f} s",
        )
    ]


@asynccontextmanager
async def _workspace(setting: Setting, *, optional: bool = True) -> AsyncIterator[Workspace]:
    async with stage(setting.fsync) as played, played.sandbox() as env:
        url = f"http://127.0.0.1:{env['DRIPSTREAM_SANDBOX_PORT']}"
        yield Workspace(played, url, MAIN | (await _optional(url) if optional else {}))


async def _optional(url: str) -> dict[Database, str]:
    made: dict[Database, str] = {}
    async with AsyncClient(auth="ntn_bench", base_url=url) as client:
        for database in (ANALYTICS, QUEUE):
            answer = await client.databases.create(
                parent={"type": "page_id", "page_id": "5a9d1c00-0000-4000-8000-0000000ffffe"},
                title=[{"text": {"content": database}}],
                initial_data_source={"properties": definitions(database, customers=BUSINESSX_DATA_SOURCE_ID)},
            )
            made[database] = answer["id"]
    return made


async def _facts(played: Stage, people: int) -> int:
    """A signup and seven sent emails each, as they would have come: everybody's first, then everybody's second."""
    now, each_step = datetime.now(UTC), steps(campaign())
    signups = [signup(number, now) for number in range(people)]
    facts: list[AnyFact] = [*signups]
    for tail, delay in each_step:
        facts += [
            EmailSent(
                contact=each.contact,
                at=now + delay,
                email_id=f"{each.contact}.{tail}",
                provider_id=f"re_{each.contact[:8]}",
                template="bench",
            )
            for each in signups
        ]
    log = EventLog(played.broker)
    await in_flight([partial(log.append, fact) for fact in facts], APPENDING)
    return len(facts)


async def _edit(office: Workspace) -> None:
    """Somebody types where nobody should."""
    rows = (await office.control("/_control/notion", None))[BUSINESSX]
    for row in rows[::EDITED]:
        await office.control(f"/_control/notion/pages/{row['id']}", {"cells": {"Phase": "somewhere else"}})
