"""What is said while something is missing or away, and where ingest listens."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from eventlog.connection import Broker
from eventlog.server import NatsServer
from services import http, ready
from services.http import HttpServer
from services.ingest.app import APPEND_S
from services.ingest.server import ingest_server
from tests.deliveries import body, raw
from tests.frozen import frozen
from tests.integration.ingest import CAMPAIGNS, ROUTE, configured, problem, running, stored
from tests.unit.ingest.forms import FORM
from tests.waiting import SOON_S, eventually


@pytest.fixture
async def ingest(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Patient: what it says of a broker that answers does not depend on how soon."""
    monkeypatch.setattr(ready, "PATIENCE_S", 60.0)
    async with running(broker) as client:
        yield client


async def test_ready_and_alive_say_so(ingest: httpx.AsyncClient) -> None:
    assert (await ingest.get("/ready")).json()["status"] == "ready"
    assert (await ingest.get("/health")).json()["status"] == "alive"


async def test_a_missing_stream_is_named_and_signups_are_unavailable(ingest: httpx.AsyncClient, broker: Broker) -> None:
    await broker.js.delete_stream("EVENTS")
    answer = await ingest.get("/ready")
    problem(answer, 503)
    assert "stream EVENTS" in answer.json()["detail"]
    assert "dripstream init" in answer.json()["detail"]
    refused = await ingest.post(ROUTE, json=FORM)
    problem(refused, 503)
    assert refused.headers["retry-after"] == "5"
    assert (await ingest.get("/health")).status_code == 200


async def test_probes_are_answered_from_memory_for_a_moment(
    ingest: httpx.AsyncClient, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "KEPT_S", 600.0)  # however long this takes
    await ingest.get("/ready")
    sent = broker.nc.stats["out_msgs"]
    await asyncio.gather(*(ingest.get("/ready") for _ in range(20)))
    assert broker.nc.stats["out_msgs"] == sent


async def test_a_server_that_hangs_is_told_apart_in_time(
    broker: Broker, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen, it keeps the connection: only the missing answer shows."""
    monkeypatch.setattr("services.ingest.app.APPEND_S", 0.5)
    monkeypatch.setattr("services.ready.PATIENCE_S", 0.5)
    async with running(replace(broker, timeout_s=600.0)) as client:  # what it would wait otherwise
        async with frozen(nats_server), asyncio.timeout(SOON_S):
            refused, unready = await asyncio.gather(client.post(ROUTE, json=FORM), client.get("/ready"))
        problem(refused, 503)
        problem(unready, 503)
        assert refused.headers["retry-after"] == "5"
        await eventually(lambda: is_taken(client))


async def is_taken(client: httpx.AsyncClient) -> bool:
    return (await client.post(ROUTE, json=FORM)).status_code == 202


async def test_unavailable_while_nats_is_away_and_fine_again_after(
    ingest: httpx.AsyncClient, broker: Broker, nats_server: NatsServer
) -> None:
    away, back = asyncio.Event(), asyncio.Event()
    watch(broker, away, back)
    await nats_server.stop()
    await asyncio.wait_for(away.wait(), SOON_S)

    async with asyncio.timeout(APPEND_S / 2):  # nothing is waited for
        refused = await ingest.post(ROUTE, json=FORM)
        unready = await ingest.get("/ready")
    problem(refused, 503)
    problem(unready, 503)
    assert refused.headers["retry-after"] == unready.headers["retry-after"] == "5"
    assert (await ingest.get("/health")).json()["status"] == "alive"

    await nats_server.start()
    await asyncio.wait_for(back.wait(), SOON_S)
    assert (await ingest.get("/ready")).status_code == 200
    assert await stored(broker) == 0
    assert (await ingest.post(ROUTE, json=FORM)).status_code == 202
    assert await stored(broker) == 1


async def test_what_resend_tells_is_asked_for_again_where_it_cannot_be_stored(
    ingest: httpx.AsyncClient, nats_server: NatsServer
) -> None:
    await nats_server.stop()
    answer = await ingest.post("/webhook/resend", content=raw(body("email.delivered")))
    problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert (await ingest.post("/webhook/resend", content=raw(body("email.received")))).status_code == 200


def watch(broker: Broker, away: asyncio.Event, back: asyncio.Event) -> None:
    async def on_disconnect() -> None:
        away.set()

    async def on_reconnect() -> None:
        back.set()

    broker.nc._disconnected_cb = on_disconnect
    broker.nc._reconnected_cb = on_reconnect


async def test_unsigned_ingest_is_not_reachable_from_outside(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ingest_server(broker, configured(host="0.0.0.0"), CAMPAIGNS) as server:  # noqa: S104
        assert server.host == "127.0.0.1"
    said = capsys.readouterr().out
    assert "DRIPSTREAM_ALLOW_UNSIGNED=true" in said
    async with running(broker):
        assert "SIGNUP_WEBHOOK_SECRET is not set" in capsys.readouterr().out


async def test_two_at_once_do_not_get_in_each_others_way(broker: Broker) -> None:
    async with ingest_server(broker, configured(), CAMPAIGNS) as one:
        with pytest.raises(OSError, match="in use"):
            async with ingest_server(broker, configured(port=one.port), CAMPAIGNS):
                pass
        async with ingest_server(broker, configured(), CAMPAIGNS) as two, httpx.AsyncClient() as client:
            assert one.port != two.port
            assert (await client.get(f"{one.url}/health")).is_success
            assert (await client.get(f"{two.url}/health")).is_success


def test_answers_leave_at_once() -> None:
    """Otherwise each waits 40 ms, on asyncio's own loop, for the client's delayed acknowledgement."""
    with http._listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_application_that_does_not_start_says_so() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": ""})

    with pytest.raises(RuntimeError, match="did not start"):
        await HttpServer(broken).start()
