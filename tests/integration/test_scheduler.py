"""Facts become timers on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog

from contracts import subjects
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.server import NatsServer
from eventlog.timers import STREAM, Timers
from journey.plan import Pace
from services.scheduler.handlers import Shell, sweep, work
from tests.factories import CAMPAIGN, at, make_attempt_failed, make_email_id, make_email_sent, make_signup
from tests.fakes import Clock
from tests.unit.journey.test_plan import HOURS, STEPS, campaign
from tests.waiting import eventually

SEVEN = [
    Timer.at(make_email_id(step), at(hours=hours))
    for step, hours in zip(STEPS, HOURS, strict=True)
]  # fmt: skip


@pytest.fixture
def shell(broker: Broker) -> Shell:
    return Shell(
        broker=broker,
        events=EventLog(broker),
        timers=Timers(broker),
        campaigns={CAMPAIGN: campaign()},
        pace=Pace(),
        clock=Clock(),
    )


@asynccontextmanager
async def scheduling(shell: Shell) -> AsyncIterator[None]:
    """A running scheduler; at the end it has handled everything."""
    stop = asyncio.Event()
    task = asyncio.create_task(Consumer(shell.broker, work(shell), stop=stop).run())
    try:
        yield
        await eventually(lambda: idle(shell.broker))
    finally:
        stop.set()
        await task


async def idle(broker: Broker) -> bool:
    info = await broker.js.consumer_info(subjects.EVENTS, subjects.SCHEDULER)
    return not info.num_pending and not info.num_ack_pending


async def keys(shell: Shell) -> list[Timer]:
    """Armed timers and fired wake-ups: email-1 is due at once and fires."""
    return sorted({*await shell.timers.pending(), *await shell.timers.fired()}, key=lambda timer: timer.due)


async def test_a_signup_arms_seven_timers(shell: Shell) -> None:
    await shell.events.append(make_signup())
    async with scheduling(shell):
        pass
    assert await keys(shell) == SEVEN


async def test_a_repeated_or_changed_signup_arms_nothing_more(shell: Shell) -> None:
    async with scheduling(shell):
        await shell.events.append(make_signup())
        await shell.events.append(make_signup())
        await shell.events.append(make_signup(red_systems=0, at=at(days=2)))
    assert await keys(shell) == SEVEN


async def test_what_was_sent_is_not_armed_when_everything_is_replayed(shell: Shell) -> None:
    """The bucket is a view: deleting it and replaying EVENTS restores what is pending, and only that."""
    for fact in (make_signup(), make_email_sent("email-1"), make_email_sent("email-2")):
        await shell.events.append(fact)
    async with scheduling(shell):
        pass
    before = await shell.timers.pending()
    await shell.broker.js.purge_stream(STREAM)
    await topology.rewind(shell.broker, topology.SCHEDULER)
    async with scheduling(shell):
        pass
    assert await shell.timers.pending() == before == SEVEN[2:]


async def test_a_failed_attempt_arms_the_retry_and_drops_the_old_time(shell: Shell) -> None:
    async with scheduling(shell):
        await shell.events.append(make_signup())
        await shell.events.append(make_attempt_failed("email-2", retry_at=at(days=2)))
    timers = await keys(shell)
    assert Timer.at(make_email_id("email-2"), at(days=2)) in timers
    assert SEVEN[1] not in timers
    assert len(timers) == 7


async def test_two_schedulers_at_once_arm_each_timer_once(shell: Shell) -> None:
    people = [f"p{n}@example.com" for n in range(50)]
    async with scheduling(shell), scheduling(shell):
        for person in people:
            await shell.events.append(make_signup(person))
    timers = await keys(shell)
    assert len(timers) == len(set(timers)) == 7 * 50


async def test_a_broker_restart_in_the_middle_leaves_nobody_unscheduled(
    shell: Shell, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = replace(topology.SCHEDULER, config=replace(topology.SCHEDULER.config, ack_wait=3.0))
    await shell.broker.js.add_consumer(soon.stream, soon.config)  # what was in hand comes again after that
    monkeypatch.setattr(topology, "SCHEDULER", soon)
    people = [f"p{n}@example.com" for n in range(200)]
    for person in people:
        await shell.events.append(make_signup(person))
    async with scheduling(shell):
        await nats_server.restart()
        await eventually(lambda: connected_and_idle(shell.broker), timeout=90)
    assert len(await keys(shell)) == 7 * 200


async def connected_and_idle(broker: Broker) -> bool:
    return broker.nc.is_connected and await idle(broker)


async def test_a_signup_for_a_campaign_we_do_not_have_is_parked_and_not_lost(shell: Shell) -> None:
    async with scheduling(shell):
        await shell.events.append(make_signup(campaign="from-the-future"))
    parked = (await shell.broker.js.stream_info(subjects.PARKED, subjects_filter=">")).state.subjects or {}
    assert [subject.split(".")[:2] for subject in parked] == [["parked", "scheduler"]]


async def test_the_sweep_arms_a_stuck_timer_again(shell: Shell) -> None:
    """Due while the store was full: the key is there, its time is over, and it does not fire by itself."""
    await shell.events.append(make_signup())
    async with scheduling(shell):
        pass
    shell = replace(shell, clock=Clock(at(hours=24, seconds=61)))
    before = {entry.timer: entry.sequence for entry in (await shell.timers.of(SEVEN[0].contact)).armed}
    assert await sweep(shell) == 1
    after = {entry.timer: entry.sequence for entry in (await shell.timers.of(SEVEN[0].contact)).armed}
    assert after[SEVEN[1]] > before[SEVEN[1]]
    assert {timer: after[timer] for timer in SEVEN[2:]} == {timer: before[timer] for timer in SEVEN[2:]}


async def test_the_sweep_purges_what_is_overdue_and_unwanted(shell: Shell) -> None:
    for fact in (make_signup(), make_email_sent("email-2")):
        await shell.events.append(fact)
    await shell.timers.arm(SEVEN[1])
    shell = replace(shell, clock=Clock(at(hours=25)))
    await sweep(shell)
    assert SEVEN[1] not in await shell.timers.pending()


async def test_the_sweep_brings_back_a_wake_up_that_got_lost(shell: Shell) -> None:
    """It fired and was taken for settled, and the email was never sent: its message is still there, unhandled."""
    await shell.events.append(make_signup())
    async with scheduling(shell):
        pass
    await eventually(lambda: has_fired(shell, SEVEN[0]))
    await take_and_ack(shell.broker)
    await sweep(replace(shell, clock=Clock(at(seconds=90))))
    await eventually(lambda: sender_has_work(shell.broker))


async def test_the_sweep_leaves_alone_what_waits_for_a_slow_sender(shell: Shell) -> None:
    await shell.events.append(make_signup())
    async with scheduling(shell):
        pass
    await eventually(lambda: has_fired(shell, SEVEN[0]))
    assert await sweep(replace(shell, clock=Clock(at(hours=2)))) == 0


async def test_the_sweep_reads_only_hours_that_are_over(shell: Shell) -> None:
    """Its cost follows what is overdue: with nothing overdue, nobody's history is read."""
    for n in range(20):
        await shell.events.append(make_signup(f"p{n}@example.com"))
    async with scheduling(shell):
        pass
    with structlog.testing.capture_logs() as logs:
        assert await sweep(shell) == 0
    assert not [line for line in logs if line["event"] == "swept"]


async def has_fired(shell: Shell, timer: Timer) -> bool:
    return timer in await shell.timers.fired()


async def sender_has_work(broker: Broker) -> bool:
    return bool((await broker.js.consumer_info(STREAM, subjects.SENDER)).num_pending)


async def take_and_ack(broker: Broker) -> None:
    subscription = await broker.js.pull_subscribe_bind(subjects.SENDER, STREAM)
    for message in await subscription.fetch(1, timeout=5):
        await message.ack_sync()
