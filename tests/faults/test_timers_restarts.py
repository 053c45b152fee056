"""A scheduler that dies half-way, and a bucket and a ledger that are gone: EVENTS alone restore what is pending."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts import subjects
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import connect
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.server import NatsServer
from eventlog.timers import Timers
from journey.plan import Pace
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from tests.factories import make_booking_created, make_email_id, make_signup
from tests.faults.stage import Stage, accepted, crowd, in_s, once, scheduled, stage
from tests.unit.journey.test_plan import HOURS, STEPS, campaign
from tests.waiting import eventually

START = in_s(24 * 3600)
SEVEN = {
    Timer.at(make_email_id(step), START + timedelta(hours=hours)) for step, hours in zip(STEPS, HOURS, strict=True)
}


@pytest.mark.parametrize("k", range(8))
async def test_a_scheduler_that_dies_after_k_of_seven_timers_leaves_exactly_seven(
    durable_server: NatsServer, k: int
) -> None:
    async with stage(durable_server, campaign()) as played:
        signup = make_signup(at=START)
        await played.append([signup])
        await die_after(k, played)
        assert await played.puts() == k
        await topology.take_over(played.broker)
        async with played.scheduling():
            await scheduled(played)
        assert await played.keys() == SEVEN
        await played.append([signup])
        await topology.rewind(played.broker, topology.SCHEDULER)
        async with played.scheduling():
            await scheduled(played)
        assert await played.keys() == SEVEN
        assert await played.puts() == 7


async def die_after(k: int, played: Stage) -> None:
    """A scheduler that stops dead: what it had in hand is neither finished nor given back."""
    async with connect(played.server.url, name="doomed", patience_s=20) as broker:
        timers: Any = Dying(Timers(broker), k)
        shell = replace(played.scheduler_shell(broker), timers=timers)
        doomed = asyncio.create_task(Consumer(broker, scheduler.work(shell), stop=asyncio.Event()).run())
        await timers.dead.wait()
        await broker.nc.close()
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)


class Dying:
    """Arms so many, and then never comes back."""

    def __init__(self, real: Timers, arms: int) -> None:
        self._real, self._left, self._under_way, self.dead = real, arms, 0, asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def arm(self, timer: Timer, *, over: int = 0) -> bool:
        if self._left == 0:
            await self._no_more()
        self._left -= 1
        self._under_way += 1
        armed = await self._real.arm(timer, over=over)
        self._under_way -= 1
        if not self._left:
            await self._no_more()
        return armed

    async def _no_more(self) -> None:
        if not self._under_way:
            self.dead.set()
        await asyncio.Event().wait()


PACE = Pace(testing=True, speedup=20)
"""An email every three seconds."""


async def test_timers_and_ledger_rebuilt_from_facts_are_the_same_and_every_email_is_sent_once(
    durable_server: NatsServer,
) -> None:
    people = crowd(40)
    async with stage(durable_server, campaign()) as played:
        played.pace = PACE
        async with played.scheduling(), played.sending():
            await played.append(make_signup(person, at=in_s(0)) for person in people)
            await accepted(played, {make_email_id("email-3", person) for person in people})
        async with played.scheduling():
            await scheduled(played)
        before = await played.keys()
        await rebuild(played)
        async with played.scheduling():
            await scheduled(played)
            assert await played.keys() == before
            assert before
            async with played.sending():
                every = {make_email_id(step, person) for step in STEPS for person in people}
                await accepted(played, every)
                await eventually(played.has_sent_everything)
        assert played.post.accepted == once(every)


async def rebuild(played: Stage) -> None:
    for bucket in (subjects.TIMERS, subjects.SENDS, subjects.PAGES):
        await played.broker.js.delete_stream(subjects.stream_of(bucket))
    await topology.init(played.broker)
    await topology.rewind(played.broker, topology.SCHEDULER)


async def test_an_email_accepted_but_not_recorded_when_the_ledger_is_lost_reaches_nobody_twice(
    durable_server: NatsServer,
) -> None:
    """Rendered again from the same facts it is the same to the byte, so the provider knows its key."""
    async with stage(durable_server, campaign()) as played:
        facts = [make_signup(at=in_s(0)), make_booking_created(start=in_s(72 * 3600 + 1), sent_at=in_s(-60))]
        await played.append(facts)
        async with played.scheduling():
            await scheduled(played)
        await send_without_recording(played, emails=2)
        unrecorded = dict(played.post.accepted)
        assert len(unrecorded) == 2
        await rebuild(played)
        async with played.scheduling(), played.sending():
            await eventually(lambda: all_recorded(played, facts[0].contact, 2))
        assert played.post.accepted == unrecorded
        assert [len(played.post.bodies[key]) for key in unrecorded] == [2, 2]
        assert all(len(set(played.post.bodies[key])) == 1 for key in unrecorded)


async def send_without_recording(played: Stage, *, emails: int) -> None:
    """The provider has them; before that can be written down the sender is gone."""
    async with connect(played.server.url, name="doomed", patience_s=20) as broker:
        events: Any = Mute(EventLog(broker), emails)
        shell = replace(played.sender_shell(broker), events=events)
        doomed = asyncio.create_task(Consumer(broker, sender.work(shell), stop=asyncio.Event()).run())
        async with asyncio.timeout(60):
            await events.silent.wait()
        await broker.nc.close()
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)


class Mute:
    """Reads, and never gets to write."""

    def __init__(self, real: EventLog, facts: int) -> None:
        self._real, self._left, self.silent = real, facts, asyncio.Event()

    async def history(self, contact: str) -> Any:
        return await self._real.history(contact)

    async def append(self, fact: Any) -> Any:  # noqa: ARG002 - it goes nowhere
        self._left -= 1
        if not self._left:
            self.silent.set()
        await asyncio.Event().wait()


async def all_recorded(played: Stage, contact: str, emails: int) -> bool:
    return [fact.tag for fact in await played.events.history(contact)].count("email_sent") == emails
