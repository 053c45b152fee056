"""How webhooks were answered is in the operators' diary, whatever becomes of the broker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from contracts.operations import OPERATIONS, Answers, WebhooksCounted
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from eventlog.server import NatsServer
from services.ingest import counting
from services.ingest.signature import utc_now
from tests.integration.ingest import ROUTE, ROUTES, configured, running
from tests.unit.ingest.forms import FORM
from tests.waiting import eventually


async def told(broker: Broker) -> list[WebhooksCounted]:
    return [each for each in await EventLog(broker).history(OPERATIONS) if isinstance(each, WebhooksCounted)]


def without_times(routes: dict[str, Answers]) -> dict[str, tuple[int, int, int]]:
    return {name: (each.accepted, each.refused, each.failed) for name, each in routes.items()}


async def test_what_was_answered_is_told_when_the_process_stops(broker: Broker) -> None:
    async with running(broker) as ingest:
        for route in ROUTES:
            assert (await ingest.post(route, json=FORM)).status_code == 202
        assert (await ingest.post(ROUTE, json={})).status_code == 400
        assert (await ingest.post("/webhook/signup/no-such", json=FORM)).status_code == 404
        assert (await ingest.post("/webhook/calcom", json={"triggerEvent": "PING"})).status_code == 200
        assert await told(broker) == []
    [fact] = await told(broker)
    assert without_times(fact.routes) == {"signup": (3, 2, 0), "calcom": (1, 0, 0)}
    assert fact.since < fact.at
    assert all(each.slowest_ms > 0 for each in fact.routes.values())


async def test_what_is_no_webhook_of_ours_is_not_counted(broker: Broker) -> None:
    async with running(broker, configured(cors_origins=("https://www.example.com",))) as ingest:
        for path in ("/", "/.env", "/wp-login.php", "/webhook", "/webhook/other"):
            assert (await ingest.post(path)).status_code == 404
        assert (await ingest.get(ROUTE)).status_code == 405
        for path in ("/health", "/ready", "/metrics"):
            assert (await ingest.get(path)).status_code == 200
        asked = {"origin": "https://www.example.com", "access-control-request-method": "POST"}
        await ingest.options(ROUTE, headers=asked)
    assert await told(broker) == []


async def test_counts_are_told_again_and_again_while_it_runs(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "EVERY_S", 0.05)
    async with running(broker) as ingest:
        await ingest.post(ROUTE, json=FORM)
        await eventually(lambda: has_told(broker, 1))
        await ingest.post(ROUTE, json=FORM)
        await eventually(lambda: has_told(broker, 2))
    first, second = await told(broker)
    assert first.process == second.process
    assert first.at <= second.since <= second.at
    assert without_times(first.routes) == without_times(second.routes) == {"signup": (1, 0, 0)}


async def has_told(broker: Broker, times: int) -> bool:
    return len(await told(broker)) == times


async def test_while_the_broker_is_away_counts_are_kept_and_then_told_once(
    nats_server: NatsServer, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = counting.Counting(broker, utc_now)
    async with counted_site(broker, tally, monkeypatch) as ingest:
        assert (await ingest.post(ROUTE, json=FORM)).status_code == 202
        await nats_server.stop()
        with capture_logs() as logs:
            await tally.tell(within_s=0.2)
            await tally.tell(within_s=0.2)
        assert [each["event"] for each in logs].count("webhooks_not_counted") == 2
        await nats_server.start()
        await eventually(lambda: answers(broker))
        await tally.tell()
        await tally.tell()
    [fact] = await told(broker)
    assert without_times(fact.routes) == {"signup": (1, 0, 0)}


async def test_counts_that_a_process_ends_with_are_not_said_to_be_kept(
    nats_server: NatsServer, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = counting.Counting(replace(broker, timeout_s=0.2), utc_now)
    with capture_logs() as logs:
        async with counted_site(broker, tally, monkeypatch) as ingest:
            assert (await ingest.post(ROUTE, json=FORM)).status_code == 202
            await nats_server.stop()
            await tally.tell()
    assert [each["kept"] for each in logs if each["event"] == "webhooks_not_counted"] == [True, False]


async def test_an_answer_that_was_not_heard_does_not_count_twice(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has it, and we do not know: asked again it is the very same fact."""
    tally = counting.Counting(broker, utc_now)
    async with counted_site(broker, tally, monkeypatch) as ingest:
        await ingest.post(ROUTE, json=FORM)
        fact = tally._tally.take(utc_now())
        assert fact
        tally._untold = fact
        await EventLog(broker).append(fact)
        await tally.tell()
    assert await told(broker) == [fact]


@asynccontextmanager
async def counted_site(
    broker: Broker, tally: counting.Counting, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """An ingest that counts with this tally, and so can be told when to tell."""
    monkeypatch.setattr("services.ingest.app.Counting", lambda *_: tally)
    async with running(broker) as ingest:
        yield ingest


async def answers(broker: Broker) -> bool:
    try:
        await broker.ping()
    except Unavailable:
        return False
    return True
