"""Writes that are not heard, and connections that do not come back."""

import asyncio
import gc
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import pytest
from nats.aio.client import Server
from nats.aio.msg import Msg
from nats.errors import OutboundBufferLimitError

from cli.runtime import ends_with
from contracts.ids import contact_id
from eventlog import topology
from eventlog.claims import Claim, Claims
from eventlog.connection import DRAIN_S, HANG_UP_S, PENDING_BYTES, Broker, Unavailable, _any_server_soon, connect
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.outcomes import Done, Work
from eventlog.server import NatsServer
from tests.factories import ADA, NOW, make_email_id, make_signup
from tests.frozen import frozen
from tests.waiting import SOON_S, eventually, is_pulling


@pytest.fixture
def hasty(broker: Broker) -> Broker:
    """Asks again after a third of a second."""
    return replace(broker, timeout_s=1.0)


async def test_a_write_that_was_not_heard_is_asked_for_again_and_stored_once(
    broker: Broker, nats_server: NatsServer
) -> None:
    async with frozen(nats_server):
        writing = asyncio.create_task(EventLog(broker).append(make_signup()))
        await asyncio.sleep(broker.try_s + 0.5)  # past the patience of the first try, and two more are left
        assert not writing.done()
    stored = await writing
    assert stored.asked_again
    assert len(await EventLog(broker).history(contact_id(ADA))) == 1


async def test_a_claim_whose_answer_was_not_heard_is_still_ours(broker: Broker, nats_server: NatsServer) -> None:
    """Taken for somebody else's, it would leave the email to nobody for a while."""
    claims = Claims(broker)
    first = await claims.create(Claim(email_id=make_email_id(), body="{}", attempt_at=NOW))
    async with frozen(nats_server):
        beginning = asyncio.create_task(claims.start_attempt(first, NOW))
        await asyncio.sleep(broker.try_s + 0.5)
    begun = await beginning
    assert begun
    assert begun.value.attempt == 2


async def test_a_broker_that_stays_silent_is_said_in_time_and_nothing_is_written_twice(
    hasty: Broker, broker: Broker, nats_server: NatsServer
) -> None:
    async with frozen(nats_server):
        with pytest.raises(Unavailable):
            await EventLog(hasty).append(make_signup())
    await EventLog(broker).append(make_signup())
    assert len(await EventLog(broker).history(contact_id(ADA))) == 1


async def test_a_connection_closed_for_good_ends_the_process(nats_server: NatsServer) -> None:
    stop = asyncio.Event()
    async with connect(nats_server.url, name="test", patience_s=20) as broker:
        with pytest.raises(Unavailable, match="closed for good"):
            await _work_until(stop, broker)


async def _work_until(stop: asyncio.Event, broker: Broker) -> None:
    async with ends_with(broker, stop):
        await broker.nc.close()  # as a protocol error does it
        await asyncio.wait_for(stop.wait(), SOON_S)


async def test_leaving_is_no_closing_for_good(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, name="test", patience_s=20) as broker:
        pass
    assert not broker.closed.is_set()


async def test_a_cancellation_that_meets_its_answer_is_not_lost(bare_broker: Broker) -> None:
    """`asyncio.wait_for` of Python 3.11 loses it, and whoever was cancelled goes on."""
    nc, asked = bare_broker.nc, asyncio.Event()

    async def heard(_: Msg) -> None:
        asked.set()

    await nc.subscribe("test.question", cb=heard)
    asking = asyncio.create_task(nc.request("test.question", timeout=30))
    await asked.wait()
    (answer,) = nc._resp_map.values()
    answer.set_result(Msg(nc))
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()


def test_clients_come_back_at_different_moments_and_to_different_servers() -> None:
    servers = [Server(urlparse(f"nats://127.0.0.1:{port}")) for port in (4222, 4223, 4224)]
    choices = [_any_server_soon(servers, {}) for _ in range(100)]
    assert len({wait for _, wait in choices}) > 50
    assert all(0.5 <= wait <= 1.5 for _, wait in choices)
    assert {server.uri.port for server, _ in choices} == {4222, 4223, 4224}


async def test_what_waits_for_an_absent_broker_is_bounded(nats_server: NatsServer) -> None:
    """Acknowledgements wait; when there are too many, whoever writes another is told."""
    async with connect(nats_server.url, name="test", patience_s=20) as broker:
        await nats_server.stop(signal.SIGKILL)
        await eventually(lambda: _is_away(broker))
        with pytest.raises(OutboundBufferLimitError):
            await _write_on(broker, 2 * PENDING_BYTES)
        await nats_server.start()


async def _is_away(broker: Broker) -> bool:
    return not broker.nc.is_connected


async def _write_on(broker: Broker, size: int) -> None:
    for _ in range(size // 65_536):
        await broker.nc.publish("test", b"x" * 65_536)


async def test_a_server_that_hangs_keeps_nobody_from_another(nats_server: NatsServer, tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "hanging") as hanging, frozen(hanging):
        for _ in range(4):  # whichever is asked first
            async with connect(f"{hanging.url},{nats_server.url}", name="test", patience_s=8) as broker:
                assert broker.nc.is_connected


async def test_each_service_is_answered_under_a_name_of_its_own(nats_server: NatsServer) -> None:
    """So that its user at the broker may hear that and nothing else."""
    async with connect(nats_server.url, name="notion-sync", patience_s=20) as broker:
        assert broker.nc.new_inbox().startswith("_INBOX_notion_sync.")


async def test_a_consumer_that_stops_while_the_broker_hangs_leaves_a_working_connection(
    nats_server: NatsServer, broker: Broker
) -> None:
    """What other handlers of the process have in hand is still confirmed."""
    stop = asyncio.Event()
    work: Work[bytes] = Work(topology.SCHEDULER, bytes, lambda item: item.subject, nothing)
    running = asyncio.create_task(Consumer(broker, work, stop=stop).run())
    await eventually(lambda: is_pulling(broker, topology.SCHEDULER))
    async with frozen(nats_server):
        stop.set()
        await asyncio.wait([running])
    await broker.ping()
    assert (await broker.js.account_info()).streams > 0


async def nothing(_: object) -> Done:
    return Done()


async def test_leaving_a_broker_that_reads_nothing_any_more_takes_seconds(nats_server: NatsServer) -> None:
    """What waits to be written fills every buffer on the way, and would be waited for without end."""
    async with AsyncExitStack() as stack:
        async with connect(nats_server.url, name="test", patience_s=20) as broker:
            await stack.enter_async_context(frozen(nats_server))
            writing = asyncio.create_task(_write_on(broker, 64 * PENDING_BYTES))
            await asyncio.sleep(0.5)
            writing.cancel()
            began = time.monotonic()
        assert time.monotonic() - began < SOON_S


async def test_leaving_a_broker_that_hangs_waits_for_no_answer(nats_server: NatsServer) -> None:
    """Also where something is subscribed to, whose end the broker would have to confirm, and it wakes up after all.

    Broken off, nats-py waits 10 s for another answer; and the answer that was given up ends its reader.
    """
    gc.collect()  # what other tests left
    failed: list[dict[str, object]] = []
    async with AsyncExitStack() as stack:
        loop = asyncio.get_running_loop()
        stack.callback(loop.set_exception_handler, loop.get_exception_handler())
        loop.set_exception_handler(lambda _, context: failed.append(context))
        async with connect(nats_server.url, name="test", patience_s=20) as broker:
            await broker.nc.subscribe("test")
            thawed = await stack.enter_async_context(AsyncExitStack())
            await thawed.enter_async_context(frozen(nats_server))
            began = time.monotonic()
        assert broker.nc.is_closed
        assert time.monotonic() - began < DRAIN_S + HANG_UP_S + 6  # of the 10 s that it would wait besides
        await thawed.aclose()
        gc.collect()  # an error that nobody took is told when it is thrown away
        assert failed == []
