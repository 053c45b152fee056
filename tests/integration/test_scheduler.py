"""Facts become timers on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog
from nats.aio.msg import Msg

from contracts import subjects
from contracts.facts import AnyFact
from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item
from eventlog.server import NatsServer
from eventlog.timers import STREAM, Mark, Timers
from journey.contact import fold
from journey.plan import Pace, plan_all
from services.scheduler.handlers import LOOKS, Shell, bring_into_line, on_facts, sweep, sweep_every_minute, work
from tests.factories import (
    CAMPAIGN,
    at,
    make_attempt_failed,
    make_booking_created,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_signup,
)
from tests.fakes import Clock
from tests.unit.journey.test_plan import HOURS, STEPS, campaign
from tests.waiting import SOON_S, eventually, is_idle

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
    return await is_idle(broker, topology.SCHEDULER)


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


async def test_only_what_names_an_unknown_campaign_is_parked(shell: Shell) -> None:
    """They arrive together, and the rest of what they say is served."""
    await shell.events.append(make_signup())
    await shell.events.append(make_signup(campaign="from-the-future"))
    await shell.events.append(make_email_sent("email-2"))
    async with scheduling(shell):
        pass
    assert await keys(shell) == [SEVEN[0], *SEVEN[2:]]
    parked = (await shell.broker.js.stream_info(subjects.PARKED, subjects_filter=">")).state.subjects or {}
    assert [subject.rpartition("from-the-future")[1] for subject in parked] == ["from-the-future"]


async def test_what_another_scheduler_arms_while_we_look_is_not_purged(shell: Shell) -> None:
    """It was armed for a fact we have not read: to us it looks unwanted, and nothing would ever arm it again."""
    signup, booked = make_signup(), make_booking_created()
    await shell.events.append(signup)
    events: Any = BookedMeanwhile(shell, booked)
    await bring_into_line(signup.contact, replace(shell, events=events))
    planned = plan_all(fold(signup.contact, [signup, booked]), shell.campaigns, Pace()).values()
    assert set(await keys(shell)) == {Timer.at(each.email_id, each.due) for each in planned if each.is_pending}


class BookedMeanwhile:
    """Right after our look at the facts somebody books, and another scheduler arms what follows."""

    def __init__(self, shell: Shell, fact: AnyFact) -> None:
        self._shell, self._fact = shell, fact

    async def history(self, contact: str) -> list[AnyFact]:
        found = await self._shell.events.history(contact)
        await self._shell.events.append(self._fact)
        await bring_into_line(contact, self._shell)
        return found


async def test_a_replica_that_lags_cancels_nothing(shell: Shell) -> None:
    """It does not know of the signup yet; what is armed for it would look unwanted."""
    await shell.events.append(make_signup())
    async with scheduling(shell):
        pass
    events: Any = Lagging(shell.events)
    async with scheduling(replace(shell, events=events)):
        await shell.events.append(make_email_sent("email-7"))
    assert await keys(shell) == SEVEN[:6]
    assert events.looks > 1


class Lagging:
    """The first look finds nothing yet."""

    def __init__(self, real: EventLog) -> None:
        self._real, self.looks = real, 0

    async def history(self, contact: str) -> list[AnyFact]:
        self.looks += 1
        return await self._real.history(contact) if self.looks > 1 else []


async def test_what_was_heard_of_somebody_erased_is_not_waited_for(shell: Shell) -> None:
    fact = make_signup()
    woken = Item[AnyFact](fact, subjects.fact_subject(fact), 1, LOOKS, Msg(shell.broker.nc))
    assert isinstance(await on_facts([woken], shell), Done)


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


async def test_the_sweep_passes_over_whom_it_cannot_read_and_repairs_the_rest(shell: Shell) -> None:
    people = [f"p{n}@example.com" for n in range(4)]
    for person in people:
        await shell.events.append(make_signup(person))
    async with scheduling(shell):
        pass
    for person in people[:3]:
        unreadable = f"events.{contact_id(person)}.from_the_future.1"
        await shell.broker.js.publish(unreadable, b'{"type":"from_the_future"}')
    readable, stuck = contact_id(people[3]), Timer.at(make_email_id("email-2", people[3]), at(hours=24))
    before = {entry.timer: entry.sequence for entry in (await shell.timers.of(readable)).armed}
    with structlog.testing.capture_logs() as logs:
        await sweep(replace(shell, clock=Clock(at(hours=24, seconds=61))))
    after = {entry.timer: entry.sequence for entry in (await shell.timers.of(readable)).armed}
    assert after[stuck] > before[stuck]
    assert len([line for line in logs if line["event"] == "not_swept"]) == 3


async def test_a_stop_waits_for_no_look_at_what_is_new(shell: Shell) -> None:
    """Half a minute, seen after a million writes: no supervisor waits so long."""
    looking, stop = asyncio.Event(), asyncio.Event()

    class Endless(Timers):
        async def spoilt_since(self, mark: Mark) -> tuple[set[Timer], Mark]:
            looking.set()
            await asyncio.Event().wait()
            return set(), mark

    sweeping = asyncio.create_task(sweep_every_minute(replace(shell, timers=Endless(shell.broker)), stop))
    await looking.wait()
    stop.set()
    done, _ = await asyncio.wait({sweeping}, timeout=SOON_S)
    sweeping.cancel()
    assert done


async def test_a_wake_up_the_sender_gave_up_on_stays_bounded_and_ends_with_its_email(shell: Shell) -> None:
    """It is armed again each minute while its email has not ended: a wake-up too many decides nothing."""
    await shell.events.append(make_signup())
    async with scheduling(shell):
        pass
    minute_later = replace(shell, clock=Clock(at(seconds=90)))
    for _ in range(12):
        await eventually(lambda: sender_has_work(shell.broker))
        await take_and_ack(shell.broker)
        await sweep(minute_later)
    found = (await shell.broker.js.stream_info(STREAM, subjects_filter=subjects.ALL_DUE)).state.subjects or {}
    assert found.keys() == {SEVEN[0].fires_as}
    assert found[SEVEN[0].fires_as] <= 8
    await eventually(lambda: sender_has_work(shell.broker))
    await take_and_ack(shell.broker)
    await shell.events.append(make_email_failed("email-1"))
    await sweep(minute_later)
    assert await shell.timers.fired() == []
    assert await sweep(minute_later) == 0


async def has_fired(shell: Shell, timer: Timer) -> bool:
    return timer in await shell.timers.fired()


async def sender_has_work(broker: Broker) -> bool:
    return bool((await broker.js.consumer_info(STREAM, subjects.SENDER)).num_pending)


async def take_and_ack(broker: Broker) -> None:
    subscription = await broker.js.pull_subscribe_bind(subjects.SENDER, STREAM)
    for message in await subscription.fetch(1, timeout=20):
        await message.ack_sync()
