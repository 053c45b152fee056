"""Facts followed live: each once, in order, whatever becomes of the broker meanwhile."""

import asyncio
import contextlib

import pytest

from cli.facts import Wanted, read
from cli.tail import follow
from contracts.ids import contact_id
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.direct import PAGE, DirectReader
from eventlog.log import EventLog
from eventlog.server import NatsServer
from tests.factories import ADA, NOW, make_email_sent, make_signup
from tests.waiting import eventually


async def test_facts_are_followed_across_a_restart_of_the_broker(
    nats_server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    stop = asyncio.Event()
    async with connect(nats_server.url, name="test", patience_s=5) as broker:
        await topology.init(broker)
        events = EventLog(broker)
        await events.append(make_signup("before@example.com"))

        async def watch() -> None:
            async for message in follow(broker, Wanted(since=NOW), stop):
                seen.append(message.sequence)  # noqa: PERF401 - the list is looked at meanwhile

        watching = asyncio.create_task(watch())
        try:
            await eventually(lambda: has(seen, 1))
            await nats_server.stop()
            await eventually(lambda: is_told(capsys), timeout=20)
            await nats_server.start()
            await eventually(lambda: is_connected(broker), timeout=20)
            for number in range(5):
                await events.append(make_signup(f"after{number}@example.com"))
            await eventually(lambda: has(seen, 6), timeout=20)
        finally:
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    assert seen == [1, 2, 3, 4, 5, 6]


async def is_told(capsys: pytest.CaptureFixture[str]) -> bool:
    return "the broker does not answer; waiting for it" in capsys.readouterr().err


async def is_connected(broker: Broker) -> bool:
    return bool(broker.nc.is_connected)


async def has(seen: list[int], number: int) -> bool:
    return len(seen) >= number


async def test_more_facts_than_a_page_are_all_read_in_order(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, name="test", patience_s=5) as broker:
        await topology.init(broker)
        events = EventLog(broker)
        for begin in range(0, PAGE + 100, 100):
            await asyncio.gather(*(events.append(make_signup(f"p{begin + n}@example.com")) for n in range(100)))
        await events.append(make_email_sent())
        every = [message.sequence async for message in read(DirectReader(broker), Wanted())]
        mine = [message async for message in read(DirectReader(broker), Wanted(contact_id(ADA)))]
    assert every == list(range(1, PAGE + 102))
    assert [message.sequence for message in mine] == [PAGE + 101]
