"""notion_sync at work in hurried time: its real handler and consumer, a real nats-server, the sandbox over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import msgspec
from nats.js.errors import NotFoundError
from notion_client import AsyncClient

from contracts.facts import AnyFact
from contracts.subjects import PAGES, stream_of
from eventlog import topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.outcomes import Item, Outcome, Pause, Retry, Work
from journey.plan import Pace
from services.notion_sync.handlers import keep_looking, shell_for, work
from services.sandbox.app import Sandbox
from services.sandbox.notion_columns import change_columns
from services.sandbox.notion_model import Column
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.request_log import Entry
from services.sandbox.seed import BUSINESSX_DATA_SOURCE_ID, EMAIL_SEQUENCE_DATA_SOURCE_ID
from tests.factories import NOW
from tests.integration.notion_sync.kit import campaigns, settings_for
from tests.waiting import eventually, is_idle

SPEED = 120
"""A minute of waiting takes half a second."""

LOOK_S = 120
"""Instead of ten minutes."""

SLOTS = 4
CATCH_UP_S = 120
SOURCES = (EMAIL_SEQUENCE_DATA_SOURCE_ID, BUSINESSX_DATA_SOURCE_ID)

Tables = dict[str, list[dict[str, Any]]]


class HurriedClock:
    """What everybody on the stage looks at."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._started = monotonic()

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=(monotonic() - self._started) * self.speed)


def hurried(real: Work[AnyFact], speed: float) -> Work[AnyFact]:
    """The same work, with every wait as much shorter as the clock is faster."""

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        outcome = await real.handle(items)
        match outcome:
            case Retry(after_s=seconds):
                return replace(outcome, after_s=seconds / speed)
            case Pause(for_s=seconds):
                return replace(outcome, for_s=seconds / speed)
        return outcome

    return replace(real, handle=handle, slots=SLOTS)


@dataclass
class Stage:
    """One nats-server, one Notion, and as many notion_syncs as are asked for."""

    broker: Broker
    sandbox: Sandbox
    clock: HurriedClock
    person: AsyncClient
    """Somebody who works at Notion by hand."""
    facts: list[AnyFact] = field(default_factory=list)
    working: int = 0

    async def append(self, *facts: AnyFact) -> None:
        for fact in facts:
            await EventLog(self.broker).append(fact)
            self.facts.append(fact)

    @contextlib.asynccontextmanager
    async def at_work(self, count: int = 1) -> AsyncIterator[None]:
        self.working += count
        async with self._at_work(self.sandbox, count):
            yield
        self.working -= count

    @contextlib.asynccontextmanager
    async def _at_work(self, sandbox: Sandbox, count: int) -> AsyncIterator[None]:
        stop, speed = asyncio.Event(), self.clock.speed
        shells = [
            shell_for(self.broker, settings_for(sandbox), campaigns(), Pace(), clock=self.clock) for _ in range(count)
        ]
        looking = [asyncio.create_task(keep_looking(shell, every_s=LOOK_S / speed)) for shell in shells]
        running = [asyncio.create_task(Consumer(self.broker, hurried(work(s), speed), stop=stop).run()) for s in shells]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*running)
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
            for shell in shells:
                await shell.notion.close()

    async def caught_up(self) -> None:
        """Nothing waits any more, neither in the stream nor for another try."""

        async def nothing_waits() -> bool:
            try:
                return await is_idle(self.broker, topology.NOTION_SYNC)
            except NotFoundError:  # the consumer is being made anew
                return False

        await eventually(nothing_waits, timeout=CATCH_UP_S)

    async def shows(self, table: str, number: int) -> None:
        async def shown() -> bool:
            return len(self.rows()[table]) >= number

        await eventually(shown, timeout=CATCH_UP_S)

    async def looked(self, times: int) -> None:
        """So often since now, some notion_sync has read the columns of each database."""
        before = self._looks()

        async def again() -> bool:
            return all(now >= then + times for then, now in zip(before, self._looks(), strict=True))

        await eventually(again, timeout=CATCH_UP_S)

    def _looks(self) -> list[int]:
        done = [each.path for each in self.requests(status=200) if each.method == "GET"]
        return [sum(source in path for path in done) for source in SOURCES]

    async def differences(self) -> list[object]:
        """What Notion shows and should not, and what it should and does not."""
        assert not self.working, "leave `at_work` first: who is still at work takes facts from the clean run"
        shown, wanted = self.rows(), await self.clean_run()
        return [
            (table, row)
            for table in wanted
            for row in [
                *(row for row in shown[table] if row not in wanted[table] or shown[table].count(row) > 1),
                *(row for row in wanted[table] if row not in shown[table]),
            ]
        ]

    def rows(self) -> Tables:
        return _sorted(self.sandbox)

    def requests(self, fault: str | None = None, status: int | None = None) -> list[Entry]:
        return [
            each
            for each in self.sandbox.requests()
            if (fault is None or each.fault == fault) and (status is None or each.status == status)
        ]

    async def clean_run(self) -> Tables:
        """What the same facts come to where nothing ever goes wrong: another Notion, and nothing remembered."""
        await self.broker.js.delete_stream(stream_of(PAGES))
        await topology.init(self.broker)
        async with Sandbox(options=UNLIMITED, clock=self.clock) as other:
            await topology.rewind(self.broker, topology.NOTION_SYNC)
            async with self._at_work(other, 1):
                await self.caught_up()
            return _sorted(other)


def _sorted(sandbox: Sandbox) -> Tables:
    """By address, without Notion's ids: a doubled row is a row too many."""
    return {
        table: sorted(({k: v for k, v in row.items() if k != "id"} for row in rows), key=lambda row: str(row["Email"]))
        for table, rows in sandbox.notion_rows().items()
    }


@contextlib.asynccontextmanager
async def stage_on(
    broker: Broker, options: SandboxOptions = UNLIMITED, *, speed: float = SPEED
) -> AsyncIterator[Stage]:
    clock = HurriedClock(speed)
    async with (
        Sandbox(options=options, clock=clock) as sandbox,
        AsyncClient(auth="ntn_test", base_url=sandbox.url, retry=False) as person,
    ):
        yield Stage(broker, sandbox, clock, person)


def change(stage: Stage, source_id: str, **properties: Any) -> None:
    """Columns changed by a person in the app, whom no trouble of the API meets: null removes, `name` renames."""
    store = stage.sandbox.state.store.notion
    source = store.sources[source_id]
    columns = change_columns(source, properties)
    store.save(msgspec.structs.replace(source, columns=columns, edited_at=stage.clock()))


def retype(stage: Stage, source_id: str, name: str, kind: str) -> None:
    """Another type, by a person in the app; Notion drops what it cannot convert."""
    store = stage.sandbox.state.store.notion
    source = store.sources[source_id]
    column = source.column(name)
    assert column is not None
    columns = [Column(each.id, name, kind) if each.id == column.id else each for each in source.columns]
    pages = [
        msgspec.structs.replace(page, values={key: value for key, value in page.values.items() if key != column.id})
        for page in store.pages_of(source_id)
    ]
    store.save(msgspec.structs.replace(source, columns=columns), *pages)
