"""How far behind a service is: the figure, and what the log says of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from eventlog import lag as module
from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.lag import Lag, lag, report_lag
from eventlog.log import EventLog
from eventlog.server import NatsServer
from eventlog.topology import DURABLES, NOTION_SYNC, SCHEDULER
from tests.factories import make_signup
from tests.waiting import eventually

Said = list[dict[str, Any]]


def now() -> datetime:
    return datetime.now(UTC)


async def append(broker: Broker, number: int) -> None:
    """So many, and until both that read EVENTS count them: nats-server does so a moment after it has taken them."""
    for n in range(number):
        await EventLog(broker).append(make_signup(f"p{n}@example.com"))

    async def counted() -> bool:
        return [(await lag(broker, each, now())).behind for each in (SCHEDULER, NOTION_SYNC)] == [number, number]

    await eventually(counted)


async def handle(broker: Broker, number: int, *, done: bool) -> None:
    """Take so many messages and be done with them, or put them off for a minute."""
    subscription = await broker.js.pull_subscribe_bind(NOTION_SYNC.name, NOTION_SYNC.stream)
    for msg in await subscription.fetch(number, timeout=20):
        await (msg.ack_sync() if done else msg.nak(delay=60))
    await subscription.unsubscribe()


async def test_nobody_is_behind_an_empty_stream(broker: Broker) -> None:
    assert [await lag(broker, each, now()) for each in DURABLES] == [Lag(0, 0.0)] * len(DURABLES)


async def test_what_waits_and_what_was_put_off_both_count(broker: Broker) -> None:
    await append(broker, 5)
    await handle(broker, 1, done=True)
    await handle(broker, 1, done=False)
    found = await lag(broker, NOTION_SYNC, now() + timedelta(hours=1))
    assert found.behind == 4
    assert 3600 <= found.oldest_s < 3700
    assert (await lag(broker, SCHEDULER, now())).behind == 5


async def test_the_oldest_is_the_oldest_that_is_not_done(broker: Broker) -> None:
    await append(broker, 1)
    between = now()
    await EventLog(broker).append(make_signup("later@example.com"))
    assert (await lag(broker, NOTION_SYNC, between)).oldest_s > 0
    await handle(broker, 1, done=True)
    assert (await lag(broker, NOTION_SYNC, between)).oldest_s == 0, "it came later"


async def test_an_erased_person_is_waited_for_no_more(broker: Broker) -> None:
    await append(broker, 1)
    await handle(broker, 1, done=False)
    await broker.js.purge_stream(NOTION_SYNC.stream)
    assert (await lag(broker, NOTION_SYNC, now() + timedelta(hours=1))).oldest_s == 0


async def test_without_its_consumer_nobody_can_tell(broker: Broker) -> None:
    await broker.js.delete_consumer(NOTION_SYNC.stream, NOTION_SYNC.name)
    with pytest.raises(Unavailable):
        await lag(broker, NOTION_SYNC, now())


OURS = {"lag", "caught_up"}
"""What else this process logs meanwhile, as of a connection that is closed, is not the report's."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(module, "LATE_S", 0.2)


@contextlib.asynccontextmanager
async def reporting(broker: Broker) -> AsyncIterator[Said]:
    with capture_logs() as logs:
        task = asyncio.create_task(report_lag(broker, NOTION_SYNC))
        try:
            yield cast("Said", logs)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def has_said(said: Said, event: str, times: int = 1) -> None:
    async def found() -> bool:
        return len([line for line in said if line["event"] == event]) >= times

    await eventually(found)


@pytest.mark.usefixtures("soon")
async def test_a_late_service_says_so_once_a_minute_and_when_it_has_caught_up(broker: Broker) -> None:
    await append(broker, 3)
    async with reporting(broker) as said:
        await has_said(said, "lag")
        await asyncio.sleep(0.3)  # a dozen looks
        await handle(broker, 3, done=True)
        await has_said(said, "caught_up")
        lines = [(line["event"], line["service"], line["behind"]) for line in said if line["event"] in OURS]
    assert lines == [("lag", "notion_sync", 3), ("caught_up", "notion_sync", 0)]


@pytest.mark.usefixtures("soon")
async def test_a_service_that_stays_late_says_so_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TELL_S", 0.1)
    await append(broker, 1)
    async with reporting(broker) as said:
        await has_said(said, "lag", times=3)


@pytest.mark.usefixtures("soon")
async def test_a_service_that_keeps_up_says_nothing(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_S", 60.0)
    await append(broker, 1)
    async with reporting(broker) as said:
        await asyncio.sleep(0.3)  # a dozen looks
        assert [line for line in said if line["event"] in OURS] == []


@pytest.mark.usefixtures("soon")
async def test_the_report_outlives_its_consumer_and_its_broker(nats_server: NatsServer, broker: Broker) -> None:
    async with reporting(broker) as said:
        await broker.js.delete_consumer(NOTION_SYNC.stream, NOTION_SYNC.name)
        await nats_server.restart()
        await eventually(lambda: _connected(broker))
        await topology.init(broker)
        await append(broker, 1)
        await has_said(said, "lag")


async def _connected(broker: Broker) -> bool:
    return broker.nc.is_connected
