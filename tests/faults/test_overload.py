"""More than can be done at once: memory stays bounded, the oldest goes first, and who cannot be taken is told so.

Bounds are counted, not timed: what a consumer was given and has not settled is what its service holds in memory.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import httpx
import pytest

from contracts import subjects
from contracts.ids import EmailId, contact_id
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.server import NatsServer
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from tests.factories import make_email_id, make_signup
from tests.faults.stage import (
    Post,
    Stage,
    accepted,
    crowd,
    email_ids,
    first_email_only,
    in_s,
    once,
    scheduled,
    stage,
)
from tests.integration.ingest import ROUTE, problem, running, stored
from tests.rounds import ROUNDS
from tests.unit.ingest.forms import SMALLEST
from tests.waiting import eventually, in_hand

SIGNUPS, DUE, AT_ONCE = 2_000, 600, 32
PER_SECOND = 50.0
BUSY = 200


async def test_a_scheduler_that_was_away_catches_up_within_its_bounds(durable_server: NatsServer) -> None:
    """Ingest takes it all meanwhile; the rest waits in the broker."""
    people = crowd(SIGNUPS)
    async with stage(durable_server, first_email_only()) as played:
        async with running(played.broker) as client:
            answers = await posted(client, people)
        assert answers == [202] * len(people)
        async with watched(played.broker, topology.SCHEDULER) as most, played.scheduling():
            await scheduled(played, patience_s=120)
        bound = scheduler.work(played.scheduler_shell()).in_hand
        print(f"{len(people)} signups waiting; the scheduler held {most[0]} at most, of {bound} allowed")
        assert 0 < most[0] <= bound
        assert {timer.email_id for timer in await played.keys()} == email_ids(people)


async def test_a_slow_provider_bounds_the_sender_and_the_oldest_goes_first(durable_server: NatsServer) -> None:
    """Nothing else is promised: what is due later waits for what is due earlier, and for nothing besides."""
    people, urgent = crowd(DUE), crowd(1, "urgent")
    first = in_s(14 * ROUNDS).timestamp()
    due = {make_email_id(email=person): first + n * 3 // len(people) for n, person in enumerate(people)}
    due |= dict.fromkeys(email_ids(urgent), first + 5)
    at = {EmailId.parse(key).contact: moment for key, moment in due.items()}
    async with stage(durable_server, first_email_only(), Post(PER_SECOND)) as played, played.scheduling():
        signups = [make_signup(each, at=datetime.fromtimestamp(at[contact_id(each)], UTC)) for each in people + urgent]
        await played.append(signups)
        await scheduled(played)
        assert time.time() < first, "too slow a machine to arm in time"
        async with watched(played.broker, topology.SENDER) as most, played.sending():
            await accepted(played, set(due), patience_s=120)
            bound = sender.work(played.sender_shell()).in_hand
        assert played.post.accepted == once(due)
        assert 0 < most[0] <= bound
        overtaken = most_overtaken(due[key] for key in played.post.calls)
        stalls = stalled(played.post.came_at, due)
        print(f"held {most[0]} at most; overtaken by {overtaken} at most; beyond the rate limit {max(stalls):.1f} s")
        assert overtaken <= bound


async def test_emails_that_wait_for_another_try_hold_up_nobody_else(durable_server: NatsServer) -> None:
    """Each of them is out at the sender, in the broker's books, until its next try."""
    busy, urgent, post = crowd(BUSY, "busy"), email_ids(crowd(1, "urgent")), Post()
    post.busy = email_ids(busy)
    async with stage(durable_server, first_email_only(), post) as played, played.scheduling(), played.sending():
        await played.append(make_signup(person, at=in_s(0)) for person in busy)
        await eventually(lambda: all_put_off(played), timeout=30)
        due = in_s(2)
        await played.append(make_signup(person, at=due) for person in crowd(1, "urgent"))
        await accepted(played, urgent, patience_s=30)
        late = post.lateness(lambda _: due.timestamp())[-1]
        print(f"{len(busy)} put off again and again; what came after was {late:.1f} s late")
        post.busy = set()
        await accepted(played, email_ids(busy))
    assert post.accepted == once(email_ids(busy) | urgent)


async def all_put_off(played: Stage) -> bool:
    return await in_hand(played.broker, topology.SENDER) >= BUSY * ROUNDS


def most_overtaken(dues: Iterable[float]) -> int:
    """The most emails due later that were sent before one due earlier."""
    order = list(dues)
    newest = list(accumulate(order, max))
    return max(
        sum(1 for before in order[:place] if before > moment) if newest[place] > moment else 0
        for place, moment in enumerate(order)
    )


def stalled(came_at: dict[str, float], due: dict[str, float]) -> list[float]:
    """How much later each was sent than a provider at its rate limit would have taken it, in order of due time."""
    free, waits = 0.0, []
    for key in sorted(due, key=lambda each: (due[each], came_at[each])):
        free = max(free + 1 / PER_SECOND, due[key])
        waits.append(came_at[key] - free)
    return waits


@asynccontextmanager
async def watched(broker: Broker, durable: topology.Durable) -> AsyncIterator[list[int]]:
    """The most messages the consumer had out at once, looked at the whole time."""
    most = [0]

    async def look() -> None:
        while True:
            most[0] = max(most[0], await in_hand(broker, durable))
            await asyncio.sleep(0.005)

    watcher = asyncio.create_task(look())
    try:
        yield most
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)


async def test_signups_are_refused_with_retry_after_when_the_stream_is_full_and_none_is_lost(
    durable_server: NatsServer,
) -> None:
    async with stage(durable_server, first_email_only()) as played, running(played.broker) as client:
        config = (await played.broker.js.stream_info(subjects.EVENTS)).config
        config.max_bytes = 64 * 1024
        await played.broker.js.update_stream(config)
        taken, refused = await flood(client, played)
        config.max_bytes = -1
        await played.broker.js.update_stream(config)
        assert await posted(client, refused) == [202] * len(refused)
        assert await stored(played.broker) == len(taken) + len(refused)


@pytest.fixture
async def small_disk(tmp_path: Path) -> AsyncIterator[NatsServer]:
    options = {"sync_interval": "always", "max_file": "256KB"}
    async with NatsServer(tmp_path / "small", options=options) as server:
        yield server


async def test_signups_are_refused_with_retry_after_when_the_store_is_full_and_none_is_lost(
    small_disk: NatsServer,
) -> None:
    async with stage(small_disk, first_email_only()) as played, running(played.broker) as client:
        taken, refused = await flood(client, played)
    small_disk.options["max_file"] = "64MB"
    await small_disk.restart()
    async with connect(small_disk.url, name="test", patience_s=20) as broker, running(broker) as client:
        assert await stored(broker) == len(taken)
        assert await posted(client, refused) == [202] * len(refused)
        assert await stored(broker) == len(taken) + len(refused)


async def flood(client: httpx.AsyncClient, played: Stage) -> tuple[list[str], list[str]]:
    """Who was taken and who was refused; what was taken is stored, and of what was refused nothing is."""
    people = crowd(800)
    answers = dict(zip(people, await asyncio.gather(*posts(client, people)), strict=True))
    taken = [person for person, answer in answers.items() if answer.status_code == 202]
    refused = [person for person, answer in answers.items() if answer.status_code != 202]
    assert taken
    assert refused
    for person in refused:
        problem(answers[person], 503)
        assert answers[person].headers["retry-after"] == "5"
        assert await played.events.history(contact_id(person)) == []
    assert await stored(played.broker) == len(taken)
    return taken, refused


async def posted(client: httpx.AsyncClient, people: list[str]) -> list[int]:
    return [answer.status_code for answer in await asyncio.gather(*posts(client, people))]


def posts(client: httpx.AsyncClient, people: list[str]) -> list[asyncio.Task[httpx.Response]]:
    free = asyncio.Semaphore(AT_ONCE)

    async def post(person: str) -> httpx.Response:
        async with free:
            return await client.post(ROUTE, json={**SMALLEST, "email": person}, timeout=30)

    return [asyncio.create_task(post(person)) for person in people]
