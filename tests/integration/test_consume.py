"""The consumer on a real nats-server: nothing lost, nothing beside itself, everything settled as the outcome says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest

from contracts import subjects
from contracts.codec import decode_fact
from contracts.facts import AnyFact
from contracts.messages import Parked
from eventlog import consume, topology
from eventlog.connection import Broker, Unavailable
from eventlog.consume import Consumer, Done, Item, Outcome, Park, Pause, Retry, Work
from eventlog.log import EventLog
from eventlog.server import NatsServer
from tests.factories import make_email_sent, make_signup
from tests.waiting import eventually

Handle = Callable[[Sequence[Item[AnyFact]]], Awaitable[Outcome]]


@asynccontextmanager
async def consuming(broker: Broker, handle: Handle, *, slots: int = 4, in_hand: int = 64) -> AsyncIterator[None]:
    stop = asyncio.Event()
    work = Work(
        durable=topology.SCHEDULER,
        decode=decode_fact,
        group=lambda item: subjects.contact_of(item.subject),
        handle=handle,
        slots=slots,
        in_hand=in_hand,
    )
    task = asyncio.create_task(Consumer(broker, work, stop=stop).run())
    try:
        yield
    finally:
        stop.set()
        await task


async def settled(broker: Broker) -> bool:
    info = await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)
    return not info.num_pending and not info.num_ack_pending


async def parked(broker: Broker) -> list[Parked]:
    found = (await broker.js.stream_info(subjects.PARKED, subjects_filter=">")).state.subjects or {}
    messages = [await broker.js.get_last_msg(subjects.PARKED, subject) for subject in found]
    return [msgspec.json.decode(message.data or b"", type=Parked) for message in messages]


class Recorder:
    """Handles everything as told, and remembers."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.outcomes = list(outcomes)
        self.batches: list[list[str]] = []

    async def __call__(self, items: Sequence[Item[AnyFact]]) -> Outcome:
        self.batches.append([item.value.tag for item in items])
        outcome = self.outcomes.pop(0) if self.outcomes else Done()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_every_fact_is_handled_and_settled(broker: Broker) -> None:
    log, seen = EventLog(broker), Recorder()
    for n in range(100):
        await log.append(make_signup(f"p{n}@example.com"))
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert sum(map(len, seen.batches)) == 100


async def test_a_fact_appended_while_waiting_is_handled_at_once(broker: Broker) -> None:
    seen = Recorder()
    async with consuming(broker, seen):
        await EventLog(broker).append(make_signup())
        await eventually(lambda: settled(broker), timeout=2)
    assert seen.batches == [["signup_received"]]


async def test_facts_of_one_contact_are_handled_together_and_never_beside_each_other(broker: Broker) -> None:
    log = EventLog(broker)
    running, most, batches = 0, 0, []

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        batches.append(len(items))
        await asyncio.sleep(0.05)
        running -= 1
        return Done()

    facts: list[AnyFact] = [make_signup(), *(make_email_sent(f"email-{n}") for n in range(1, 8))]
    for fact in facts:
        await log.append(fact)
    async with consuming(broker, handle):
        await eventually(lambda: settled(broker))
    assert most == 1
    assert sum(batches) == 8
    assert len(batches) < 8


async def test_different_contacts_are_handled_side_by_side_up_to_the_slots(broker: Broker) -> None:
    log = EventLog(broker)
    running, most = 0, 0

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return Done()

    for n in range(20):
        await log.append(make_signup(f"p{n}@example.com"))
    async with consuming(broker, handle, slots=3):
        await eventually(lambda: settled(broker))
    assert most == 3


async def test_no_more_is_pulled_than_may_be_in_hand(broker: Broker) -> None:
    log, block = EventLog(broker), asyncio.Event()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        await block.wait()
        return Done()

    async def eight_in_hand() -> bool:
        info = await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)
        return int(info.num_ack_pending or 0) == 8

    for n in range(40):
        await log.append(make_signup(f"p{n}@example.com"))
    async with consuming(broker, handle, in_hand=8):
        await eventually(eight_in_hand)
        info = await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)
        assert (info.num_ack_pending, info.num_pending) == (8, 32)
        block.set()
        await eventually(lambda: settled(broker))


async def test_a_retry_comes_again(broker: Broker) -> None:
    seen = Recorder(Retry(0.05, "not yet"), Retry(0.05, "not yet"))
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert len(seen.batches) == 3


async def test_waiting_does_not_count_as_failing(broker: Broker) -> None:
    seen = Recorder(*[Retry(0.01, "not yet")] * 10, ValueError("a bug"))
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert len(seen.batches) == 12
    assert await parked(broker) == []


async def test_an_unforeseen_exception_is_tried_again_and_then_parked_with_its_traceback(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "BACKOFF_S", (0.01,))
    seen = Recorder(*[ValueError("a bug")] * consume.ATTEMPTS)
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert len(seen.batches) == consume.ATTEMPTS
    [copy] = await parked(broker)
    assert (copy.consumer, copy.reason) == ("scheduler", "unforeseen ValueError")
    assert "Traceback" in copy.detail


async def test_a_parked_message_keeps_its_payload_and_never_comes_again(broker: Broker) -> None:
    seen = Recorder(Park("no template", "christmas_email_9"))
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    [copy] = await parked(broker)
    assert (copy.reason, copy.detail) == ("no template", "christmas_email_9")
    assert "signup_received" in copy.payload
    assert len(seen.batches) == 1


@pytest.mark.parametrize("payload", [b"", b"{", b'{"type":"from_the_future"}', b"\xff\xfe", b"[]"])
async def test_poison_is_parked_and_takes_no_neighbour_along(broker: Broker, payload: bytes) -> None:
    seen = Recorder()
    await broker.publish("events.cpoison.strange.x", payload)
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    [copy] = await parked(broker)
    assert copy.reason == "undecodable"
    assert seen.batches == [["signup_received"]]


async def test_a_pause_takes_nothing_more_until_it_is_over(broker: Broker) -> None:
    log, seen = EventLog(broker), Recorder(Pause(0.5, "quota"))
    for n in range(5):
        await log.append(make_signup(f"p{n}@example.com"))
    started = asyncio.get_running_loop().time()
    async with consuming(broker, seen, slots=1):
        await eventually(lambda: settled(broker))
    assert asyncio.get_running_loop().time() - started > 0.5
    assert len(seen.batches) == 6


async def test_work_longer_than_ack_wait_is_not_delivered_twice(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(topology.SCHEDULER, config=replace(topology.SCHEDULER.config, ack_wait=0.6))
    await broker.js.add_consumer(short.stream, short.config)
    monkeypatch.setattr(topology, "SCHEDULER", short)
    calls = 0

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        nonlocal calls
        calls += 1
        await asyncio.sleep(2)
        return Done()

    await EventLog(broker).append(make_signup())
    async with consuming(broker, handle):
        await eventually(lambda: settled(broker))
    assert calls == 1


async def test_stopping_finishes_what_is_in_hand_and_gives_back_the_rest(broker: Broker) -> None:
    log, begun = EventLog(broker), asyncio.Event()
    done: list[str] = []

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        begun.set()
        await asyncio.sleep(0.2)
        done.append(items[0].value.contact)
        return Done()

    for n in range(10):
        await log.append(make_signup(f"p{n}@example.com"))
    async with consuming(broker, handle, slots=2):
        await begun.wait()
    assert len(done) in {2, 4}
    await broker.nc.flush()
    seen = Recorder()
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker), timeout=3)
    assert sum(map(len, seen.batches)) + len(done) == 10


async def test_a_restart_of_the_broker_loses_nothing_and_is_over_in_seconds(
    broker: Broker, nats_server: NatsServer
) -> None:
    log, seen = EventLog(broker), Recorder()
    async with consuming(broker, seen):
        await log.append(make_signup())
        await eventually(lambda: settled(broker))
        await nats_server.restart()
        await eventually(lambda: _appended(log), timeout=10)
        await eventually(lambda: settled(broker), timeout=8)
    assert ["signup_received"] in seen.batches
    assert sum(map(len, seen.batches)) >= 2


async def _appended(log: EventLog) -> bool:
    try:
        await log.append(make_signup("bob@example.com"))
    except Unavailable:
        return False
    return True


async def test_a_deleted_consumer_is_put_back(broker: Broker) -> None:
    seen = Recorder()
    async with consuming(broker, seen):
        await broker.js.delete_consumer(subjects.EVENTS, subjects.SCHEDULER)
        await EventLog(broker).append(make_signup())
        await eventually(lambda: _settled_if_there(broker), timeout=15)
    assert seen.batches == [["signup_received"]]


async def _settled_if_there(broker: Broker) -> bool:
    try:
        info = await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)
    except Exception:  # noqa: BLE001 - not there yet
        return False
    return not info.num_pending and not info.num_ack_pending and bool(info.delivered and info.delivered.stream_seq)
