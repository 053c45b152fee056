"""How the broker stands, as a scraper reads it: the right figures, at a price that does not depend on the scraper."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from contracts.subjects import Timer
from eventlog import figures, topology
from eventlog.connection import Broker
from eventlog.figures import Step
from eventlog.log import EventLog
from eventlog.parked import ParkingLot
from eventlog.pause import pause
from eventlog.server import NatsServer
from eventlog.timers import Timers
from services import metrics
from services.health import health_server
from services.metrics import watching
from tests.factories import CAMPAIGN, make_email_id, make_signup
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=0)
STEPS = [Step(CAMPAIGN, "nurture", f"email-{number}") for number in (1, 2, 3)]


async def arm(broker: Broker, step: str, person: str, **away: float) -> Timer:
    timer = Timer.at(make_email_id(step, person), NOW + timedelta(**away))
    await Timers(broker).arm(timer)
    return timer


@pytest.fixture
async def page(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """Of a scheduler on its own port; every figure is waited for."""
    monkeypatch.setattr(metrics, "PATIENCE_S", 60.0)
    async with (
        watching(broker, {CAMPAIGN: campaign()}),
        health_server(broker, topology.SCHEDULER) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        yield client


async def read(page: httpx.AsyncClient) -> dict[str, float]:
    text = (await page.get("/metrics")).text
    return {name: float(value) for name, value in re.findall(r"^(dripstream_\S+) (\S+)$", text, re.MULTILINE)}


async def test_pending_emails_are_counted_by_step_and_the_rest_together(broker: Broker) -> None:
    for person in ("a@example.com", "b@example.com"):
        await arm(broker, "email-1", person, days=1)
        await arm(broker, "email-9", person, days=2)
    await arm(broker, "email-2", "a@example.com", days=400)
    await arm(broker, "email-3", "c@example.com", hours=-1)  # fires at once, and is pending no more
    await eventually(lambda: has_fired(broker))
    assert await figures.pending_by_step(broker, STEPS) == (dict(zip(STEPS, (2, 1, 0), strict=True)), 5)


async def has_fired(broker: Broker) -> bool:
    return len(await Timers(broker).fired()) == 1


async def test_nothing_is_overdue_while_everything_is_ahead(broker: Broker) -> None:
    await arm(broker, "email-1", "a@example.com", minutes=5)
    assert await figures.oldest_overdue(broker, NOW) is None


async def test_what_has_fired_and_was_not_handled_is_overdue_since_its_time(broker: Broker) -> None:
    timer = await arm(broker, "email-1", "a@example.com", hours=-3)
    await eventually(lambda: has_fired(broker))
    assert await figures.oldest_overdue(broker, NOW) == timer.due_at
    await Timers(broker).clear(timer)
    assert await figures.oldest_overdue(broker, NOW) is None


async def test_what_should_have_fired_and_did_not_is_overdue(broker: Broker) -> None:
    """As it would be after a full disk; here by a put without the headers of a schedule."""
    late = Timer.at(make_email_id(), NOW - timedelta(hours=5))
    await broker.publish(late.subject, b"{}")
    assert await figures.oldest_overdue(broker, NOW) == late.due_at


async def test_the_page_tells_how_the_broker_stands(broker: Broker, page: httpx.AsyncClient) -> None:
    await EventLog(broker).append(make_signup())
    await arm(broker, "email-2", "a@example.com", days=1)
    await pause(broker, topology.SENDER, for_s=600, reason="by hand")
    await ParkingLot(broker).park(
        consumer="sender", subject="email.due.x", sequence=1, reason="r", detail="", payload=b"", now=NOW
    )

    async def counted() -> bool:
        info = await broker.js.consumer_info(topology.SCHEDULER.stream, topology.SCHEDULER.name)
        return bool(info.num_pending == 1)

    await eventually(counted)
    found = await read(page)
    assert found['dripstream_consumer_pending{consumer="scheduler"}'] == 1
    assert found['dripstream_consumer_paused{consumer="sender"}'] == 1
    assert found['dripstream_consumer_paused{consumer="scheduler"}'] == 0
    assert found["dripstream_parked_messages"] == 1
    assert found["dripstream_jetstream_bytes"] > 0
    assert found["dripstream_jetstream_limit_bytes"] == float("inf")
    name = f'dripstream_pending_emails{{campaign="{CAMPAIGN}",sequence="nurture",step="email-%d"}}'
    assert (found[name % 1], found[name % 2]) == (0, 1)


async def test_the_page_has_the_limit_it_was_told_and_the_notifier_once_there_is_one(broker: Broker) -> None:
    async with watching(broker, {CAMPAIGN: campaign()}, allowed=3 * 2**30) as watch:
        await watch.refresh()
        assert watch.seen
        assert watch.seen.storage.limit == 3 * 2**30
        assert "notifier" not in watch.seen.consumers
    await topology.ensure_durable(broker, topology.NOTIFIER)
    async with watching(broker, {CAMPAIGN: campaign()}) as watch:
        await watch.refresh()
        assert watch.seen
        assert watch.seen.storage.limit is None
        assert "notifier" in watch.seen.consumers


async def test_a_scraper_that_asks_all_the_time_does_not_load_the_broker(
    broker: Broker, page: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in ("KEPT_S", "COUNT_S"):
        monkeypatch.setattr(metrics, kept, 600.0)  # however long this takes
    await read(page)
    before = broker.nc.stats["out_msgs"]
    for _ in range(20):
        await read(page)
    assert broker.nc.stats["out_msgs"] - before < 5  # the service's own health, if at all


async def test_figures_of_a_broker_that_is_away_are_absent_and_come_back(
    nats_server: NatsServer, broker: Broker, page: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "PATIENCE_S", 3.0)
    monkeypatch.setattr(metrics, "KEPT_S", 0.0)
    monkeypatch.setattr(metrics, "COUNT_S", 0.0)
    monkeypatch.setattr(metrics, "SHARE", 0)

    async def told() -> bool:
        found = await read(page)
        return "dripstream_parked_messages" in found and any("pending_emails" in name for name in found)

    async def silent() -> bool:
        found = await read(page)
        gone = ("dripstream_parked", "dripstream_consumer", "dripstream_pending")
        return not any(name.startswith(gone) for name in found)

    await eventually(told)
    await nats_server.stop()
    await eventually(silent, timeout=30)
    await nats_server.start()
    await eventually(told, timeout=30)
