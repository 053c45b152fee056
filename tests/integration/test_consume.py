"""The consumer on a real nats-server: nothing lost, nothing beside itself, everything settled as the outcome says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from nats.js.api import ConsumerPause, DeliverPolicy
from nats.js.errors import NotFoundError

from contracts import subjects
from contracts.codec import decode_fact, encode
from contracts.facts import AnyFact
from contracts.messages import Parked
from eventlog import attempts, consume, topology
from eventlog.connection import Broker, Unavailable
from eventlog.consume import Consumer
from eventlog.deliveries import Deliveries
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item, Outcome, Park, Pause, Retry, Work
from eventlog.pause import Paused, pause, paused, resume
from eventlog.server import NatsServer
from tests.factories import make_email_sent, make_signup
from tests.waiting import eventually, in_hand, is_idle, is_pulling

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
    return await is_idle(broker, topology.SCHEDULER)


async def shorten_ack_wait(broker: Broker, monkeypatch: pytest.MonkeyPatch, seconds: float) -> topology.Durable:
    short = replace(topology.SCHEDULER, config=replace(topology.SCHEDULER.config, ack_wait=seconds))
    await broker.js.add_consumer(short.stream, short.config)
    monkeypatch.setattr(topology, "SCHEDULER", short)
    return short


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


async def test_a_fact_appended_while_waiting_is_handled_at_once(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the next pull, which here would be long after nobody waits any more."""
    monkeypatch.setattr(consume, "PULL_S", 600.0)
    seen = Recorder()
    async with consuming(broker, seen):
        await eventually(lambda: is_pulling(broker, topology.SCHEDULER))
        await EventLog(broker).append(make_signup())
        await eventually(lambda: settled(broker))
    assert seen.batches == [["signup_received"]]


async def test_facts_of_one_contact_are_handled_together_and_never_beside_each_other(broker: Broker) -> None:
    log = EventLog(broker)
    running, most, batches = 0, 0, []

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        batches.append(len(items))
        await eventually(the_rest_waits)
        running -= 1
        return Done()

    async def the_rest_waits() -> bool:
        return await in_hand(broker, topology.SCHEDULER) == 8 - sum(batches[:-1])

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
    running, most, three = 0, 0, asyncio.Event()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            three.set()
        await three.wait()
        await asyncio.sleep(0.02)  # a fourth would have begun
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
        return (info.num_ack_pending, info.num_pending) == (8, 32)

    for n in range(40):
        await log.append(make_signup(f"p{n}@example.com"))
    async with consuming(broker, handle, in_hand=8):
        await eventually(eight_in_hand)
        block.set()
        await eventually(lambda: settled(broker))


async def test_a_retry_comes_again(broker: Broker) -> None:
    seen = Recorder(Retry(0.05, "not yet", label="broker"), Retry(0.05, "not yet", label="broker"))
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert len(seen.batches) == 3


async def test_waiting_does_not_count_as_failing(broker: Broker) -> None:
    seen = Recorder(*[Retry(0.01, "not yet", label="broker")] * 10, ValueError("a bug"))
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert len(seen.batches) == 12
    assert await parked(broker) == []


async def test_an_unforeseen_exception_is_tried_again_and_then_parked_with_its_traceback(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BACKOFF_S", (0.01,))
    seen = Recorder(*[ValueError("a bug")] * attempts.ATTEMPTS)
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert seen.batches == [["signup_received"]] * attempts.ATTEMPTS + [["handling_failed"]]
    [copy] = await parked(broker)
    assert (copy.consumer, copy.reason) == ("scheduler", "unforeseen ValueError")
    assert "Traceback" in copy.detail


async def test_a_parked_message_keeps_its_payload_and_never_comes_again(broker: Broker) -> None:
    seen = Recorder(Park("no template", "christmas_email_9", label="unknown_campaign"))
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    [copy] = await parked(broker)
    assert (copy.reason, copy.detail) == ("no template", "christmas_email_9")
    assert "signup_received" in copy.payload
    assert seen.batches == [["signup_received"], ["handling_failed"]]


@pytest.mark.parametrize("payload", [b"", b"{", b'{"type":"email_sent"}', b"\xff\xfe", b"[]"])
async def test_poison_is_parked_and_takes_no_neighbour_along(broker: Broker, payload: bytes) -> None:
    seen = Recorder()
    await broker.publish("events.cpoison.strange.x", payload)
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    [copy] = await parked(broker)
    assert copy.reason == "undecodable"
    assert sorted(seen.batches) == [["handling_failed"], ["signup_received"]]


async def test_a_fact_of_a_newer_version_waits_for_a_process_that_knows_it(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so does its contact: what it means for them, nobody here can tell. For an hour; then it is parked."""
    monkeypatch.setattr(attempts, "UNHEARD_S", 0.05)
    monkeypatch.setattr(attempts, "UNHEARD_LOOKS", 1_000_000)
    history, newer = EventLog(broker), b'{"type":"from_the_future","contact":"c1"}'

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        await history.history(items[0].value.contact)
        return Done()

    signup = make_signup()
    await broker.publish(f"events.{signup.contact}.from_the_future.x", newer)
    await history.append(signup)
    async with consuming(broker, handle):
        await eventually(lambda: redelivered(broker, 2))
        assert await parked(broker) == []
        monkeypatch.setattr(attempts, "UNHEARD_LOOKS", 1)
        await eventually(lambda: settled(broker))
    assert {copy.reason for copy in await parked(broker)} == {"undecodable"}


async def redelivered(broker: Broker, number: int) -> bool:
    info = await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)
    return (info.num_redelivered or 0) >= number


async def test_a_fact_that_says_it_is_another_than_its_subject_is_parked_and_handled_by_nobody(broker: Broker) -> None:
    seen, fact = Recorder(), make_email_sent()
    await broker.publish(f"events.{fact.contact}.signup_received.x", encode(fact), last_sequence=0)
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    [copy] = await parked(broker)
    assert (copy.reason, seen.batches) == ("undecodable", [["handling_failed"]])


async def test_a_pause_takes_nothing_more_until_it_is_over(broker: Broker) -> None:
    log, seen = EventLog(broker), Recorder(Pause(0.5, "quota", label="quota"))
    for n in range(5):
        await log.append(make_signup(f"p{n}@example.com"))
    started = asyncio.get_running_loop().time()
    async with consuming(broker, seen, slots=1):
        await eventually(lambda: settled(broker))
    assert asyncio.get_running_loop().time() - started > 0.5
    assert len(seen.batches) == 6


async def test_a_pause_is_on_the_broker_with_its_reason_and_lifted_by_hand(broker: Broker) -> None:
    log, seen = EventLog(broker), Recorder(Pause(3_600, "the key was revoked", label="key"))
    await log.append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: is_paused(broker))
    found = await paused(broker, topology.SCHEDULER)
    assert found
    assert found.reason == "the key was revoked"
    assert timedelta(minutes=59) < found.until - datetime.now(UTC) < timedelta(minutes=61)
    await log.append(make_signup("b@example.com"))
    async with consuming(broker, seen):  # another process: paused as well, until somebody says otherwise
        assert len(seen.batches) == 1
        await resume(broker, topology.SCHEDULER)
        await eventually(lambda: settled(broker))
    assert len(seen.batches) == 3


@pytest.mark.parametrize(("for_s", "stands"), [(60, True), (7_200, False)])
async def test_a_pause_of_our_own_only_ever_makes_it_longer(broker: Broker, for_s: float, stands: bool) -> None:
    """What was under way when a person paused it may end in a quota: that is over before the person's pause is."""
    log, seen = EventLog(broker), Recorder(Pause(for_s, "quota", label="quota"))
    await log.append(make_signup())
    handling, told = asyncio.Event(), asyncio.Event()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        handling.set()
        await told.wait()
        return await seen(items)

    async with consuming(broker, handle):
        await handling.wait()
        await pause(broker, topology.SCHEDULER, for_s=3_600, reason="by grace: a wrong price")
        by_hand = await paused(broker, topology.SCHEDULER)
        told.set()
    found = await paused(broker, topology.SCHEDULER)
    assert found
    assert by_hand
    assert (found == by_hand) is stands
    assert found.until >= by_hand.until


async def test_nobody_sees_a_pause_without_its_reason(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks between the two writes would take it for somebody's by hand."""
    to_pause, seen = broker.js.pause_consumer, list[Paused | None]()

    async def look_after(stream: str, name: str, until: str) -> ConsumerPause:
        done = await to_pause(stream, name, until)
        seen.append(await paused(broker, topology.SCHEDULER))
        return done

    monkeypatch.setattr(broker.js, "pause_consumer", look_after)
    assert await pause(broker, topology.SCHEDULER, for_s=60, reason="quota")
    [found] = seen
    assert found
    assert found.reason == "quota"


async def is_paused(broker: Broker) -> bool:
    return await paused(broker, topology.SCHEDULER) is not None


async def test_a_pause_outlives_another_reading_from_the_start(broker: Broker) -> None:
    """Somebody paused it for a reason, and another hand that replays does not know of that."""
    await EventLog(broker).append(make_signup())
    await pause(broker, topology.SCHEDULER, for_s=3_600, reason="by grace: a wrong price")
    before, seen = await paused(broker, topology.SCHEDULER), Recorder()
    await topology.rewind(broker, topology.SCHEDULER)
    assert before
    assert await paused(broker, topology.SCHEDULER) == before
    assert {check.state for check in await topology.check(broker)} == {"as wanted"}
    async with consuming(broker, seen):
        await resume(broker, topology.SCHEDULER)
        await eventually(lambda: settled(broker))
    assert seen.batches == [["signup_received"]]


async def test_a_consumer_ahead_of_its_stream_starts_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a power cut leaves it: the stream has lost its end, and everything new would be passed over."""
    monkeypatch.setattr(consume, "WATCH_S", 0.2)
    seen = Recorder()
    await broker.js.delete_consumer(subjects.EVENTS, subjects.SCHEDULER)
    ahead = replace(
        topology.SCHEDULER.config, deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=5_000, name=None
    )
    await broker.js.add_consumer(subjects.EVENTS, ahead)
    await EventLog(broker).append(make_signup())
    async with consuming(broker, seen):
        await eventually(lambda: handled(seen))
    assert seen.batches == [["signup_received"]]


async def handled(seen: Recorder) -> bool:
    return bool(seen.batches)


async def test_a_consumer_deleted_while_nobody_asks_is_put_back(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consume, "WATCH_S", 0.2)
    seen = Recorder()
    async with consuming(broker, seen):
        await broker.js.delete_consumer(subjects.EVENTS, subjects.SCHEDULER)
        await EventLog(broker).append(make_signup())
        await eventually(lambda: handled(seen))
    assert seen.batches == [["signup_received"]]


async def test_work_longer_than_ack_wait_is_not_delivered_twice(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so every third of that: this process may stand still for the rest."""
    await shorten_ack_wait(broker, monkeypatch, 5)
    calls = 0

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        nonlocal calls
        calls += 1
        await asyncio.sleep(6.5)
        return Done()

    await EventLog(broker).append(make_signup())
    async with consuming(broker, handle):
        await eventually(lambda: settled(broker))
    assert calls == 1


async def test_what_waits_behind_a_line_that_cannot_be_written_comes_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one contact, on a machine whose log is on a full disk: it was kept in hand until the next restart."""
    short = await shorten_ack_wait(broker, monkeypatch, 1)
    broken = [OSError("no space left on device")]
    seen: list[str] = []

    def settled_once_broken(*_: object) -> None:
        if broken:
            raise broken.pop()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        if not seen:
            await log.append(make_email_sent())
            await eventually(has_come)
        seen.extend(item.value.tag for item in items)
        return Done()

    async def has_come() -> bool:
        return bool((await broker.js.consumer_info(short.stream, short.name)).num_ack_pending == 2)

    log = EventLog(broker)
    monkeypatch.setattr(Deliveries, "settled", settled_once_broken)
    await log.append(make_signup())
    async with consuming(broker, handle):
        await eventually(lambda: settled(broker))
    assert seen == ["signup_received", "email_sent"]


async def test_stopping_finishes_what_is_in_hand_and_gives_back_the_rest(broker: Broker) -> None:
    log, both = EventLog(broker), asyncio.Event()
    begun, done = list[str](), list[str]()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        begun.append(items[0].value.contact)
        if len(begun) == 2:
            both.set()
        await asyncio.sleep(0.2)
        done.append(items[0].value.contact)
        return Done()

    for n in range(10):
        await log.append(make_signup(f"p{n}@example.com"))
    async with consuming(broker, handle, slots=2):
        await both.wait()
    assert done == begun
    assert len(done) in {2, 4}
    await broker.ping()
    seen = Recorder()
    async with consuming(broker, seen):
        await eventually(lambda: settled(broker))
    assert sum(map(len, seen.batches)) + len(done) == 10


async def test_a_restart_of_the_broker_loses_nothing_and_is_over_in_seconds(
    broker: Broker, nats_server: NatsServer
) -> None:
    log, seen = EventLog(broker), Recorder()
    async with consuming(broker, seen):
        await log.append(make_signup())
        await eventually(lambda: settled(broker))
        await nats_server.restart()
        await eventually(lambda: _appended(log))
        await eventually(lambda: settled(broker))
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
        await eventually(lambda: _settled_if_there(broker))
    assert seen.batches == [["signup_received"]]


async def _settled_if_there(broker: Broker) -> bool:
    try:
        return await is_idle(broker, topology.SCHEDULER)
    except NotFoundError:
        return False


async def test_while_the_broker_refuses_a_message_stays_in_hand_and_is_handled_once_it_does_not(broker: Broker) -> None:
    """It is not given back: that needs the very broker that does not answer, and a nak that is lost costs ack_wait."""
    attempts = list[int]()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        attempts.append(items[0].attempt)
        if len(attempts) < 3:
            raise Unavailable("no leader")
        return Done()

    async with consuming(broker, handle):
        await EventLog(broker).append(make_signup())
        await eventually(lambda: _settled_if_there(broker))
    assert attempts == [1, 1, 1]


async def test_what_is_unavailable_for_another_reason_goes_back_in_the_end(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is there, and this one cannot be handled: others are to have its place."""
    monkeypatch.setattr(attempts, "AWAY_S", 0.05)
    calls = list[int]()

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        calls.append(items[0].attempt)
        if items[0].attempt == 1:
            raise Unavailable("a replica lags")
        return Done()

    async with consuming(broker, handle):
        await EventLog(broker).append(make_signup())
        await eventually(lambda: _settled_if_there(broker))
    assert calls == [1] * attempts.TRIES + [2]
