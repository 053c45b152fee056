"""What every test of timers under fire plays on: a durable nats-server, the real scheduler and sender, a counted post.

`DRIPSTREAM_ROUNDS` multiplies the number of people, and the time to get ready: 1 is for every day, 7 for the long run.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from contracts.base import Fact
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.server import NatsServer
from eventlog.timers import STREAM, Timers
from journey.model import Campaign, Sequence
from journey.plan import Pace
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from services.sender.outcome import SAME_KEY_BUSY, Answer, Refused
from tests.factories import CAMPAIGN, make_email_id
from tests.fakes import Provider
from tests.rounds import ROUNDS
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually, is_idle

AT_ONCE = 64
LATE_S = 60.0
"""How late an email may be, whatever was done to the broker."""


def crowd(number: int, name: str = "person") -> list[str]:
    return [f"{name}-{n}@example.com" for n in range(number * ROUNDS)]


def in_s(seconds: float) -> datetime:
    """A whole second so far away, as timers are."""
    return datetime.fromtimestamp(int(time.time()) + seconds, UTC)


def first_email_only() -> Campaign:
    """One email a signup, due at once, with its real template."""
    nurture = campaign().sequence("nurture")
    assert nurture
    return with_sequences(msgspec.structs.replace(nurture, steps=nurture.steps[:1]))


def one_reminder() -> Campaign:
    """One email a booking, an hour before its start, for every time the meeting is moved to."""
    precall = campaign().sequence("precall")
    assert precall
    step = msgspec.structs.replace(precall.steps[1], after=timedelta(hours=-1), again_when_moved=True)
    return with_sequences(msgspec.structs.replace(precall, steps=(step,), min_notice=timedelta(0)))


def with_sequences(*sequences: Sequence) -> Campaign:
    return msgspec.structs.replace(campaign(), sequences=sequences)


class Post(Provider):
    """Accepts like Resend, counts like a letterbox, and knows when; at most so many calls a second.

    What is `busy` is told to come again in a moment.
    """

    def __init__(self, per_second: float | None = None) -> None:
        super().__init__()
        self.came_at: dict[str, float] = {}
        self.busy: set[str] = set()
        self._pace_s = 1 / per_second if per_second else 0.0
        self._free_at = 0.0

    async def send(self, body: str, *, key: str) -> Answer:
        await self._turn()
        if key in self.busy:
            return Refused(409, SAME_KEY_BUSY)
        answer = await super().send(body, key=key)
        self.came_at.setdefault(key, time.time())
        return answer

    async def _turn(self) -> None:
        now = time.time()
        turn = max(self._free_at, now)
        self._free_at = turn + self._pace_s
        await asyncio.sleep(turn - now)

    def lateness(self, due: Callable[[str], float]) -> list[float]:
        return sorted(moment - due(key) for key, moment in self.came_at.items())


@dataclass
class Stage:
    """A broker with everything in place, and what the services work with."""

    server: NatsServer
    broker: Broker
    campaign: Campaign
    post: Post = field(default_factory=Post)
    pace: Pace = field(default_factory=Pace)

    @property
    def events(self) -> EventLog:
        return EventLog(self.broker)

    @property
    def timers(self) -> Timers:
        return Timers(self.broker)

    def scheduler_shell(self, broker: Broker | None = None) -> scheduler.Shell:
        mine = broker or self.broker
        return scheduler.Shell(mine, EventLog(mine), Timers(mine), {CAMPAIGN: self.campaign}, self.pace)

    def sender_shell(self, broker: Broker | None = None) -> sender.Shell:
        return sender.shell_for(broker or self.broker, self.post, {CAMPAIGN: self.campaign}, self.pace)

    @asynccontextmanager
    async def scheduling(self, shell: scheduler.Shell | None = None) -> AsyncIterator[None]:
        """A running scheduler with its sweep, over a connection of its own; what is in hand is finished at the end."""
        async with connect(self.server.url, name="scheduler", patience_s=20) as broker:
            mine = shell or self.scheduler_shell(broker)
            async with until_left(
                lambda stop: Consumer(broker, scheduler.work(mine), stop=stop).run(),
                lambda stop: scheduler.sweep_every_minute(mine, stop),
            ):
                yield

    @asynccontextmanager
    async def sending(self, *, slots: int = 8) -> AsyncIterator[None]:
        """A running sender, likewise."""
        async with connect(self.server.url, name="sender", patience_s=20) as broker:
            work = sender.work(self.sender_shell(broker), slots=slots)
            async with until_left(lambda stop: Consumer(broker, work, stop=stop).run()):
                yield

    async def append(self, facts: Iterable[Fact]) -> None:
        """Many at a time, each acknowledged."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(fact: Fact) -> None:
            async with free:
                await self.events.append(fact)

        await asyncio.gather(*map(one, facts))

    async def has_scheduled_everything(self) -> bool:
        return await is_idle(self.broker, topology.SCHEDULER)

    async def has_sent_everything(self) -> bool:
        return await is_idle(self.broker, topology.SENDER)

    async def keys(self) -> set[Timer]:
        """Armed timers, and wake-ups nobody has handled."""
        return {*await self.timers.pending(), *await self.timers.fired()}

    async def puts(self) -> int:
        """Messages ever written to the bucket."""
        return int((await self.broker.js.stream_info(STREAM)).state.last_seq)


@asynccontextmanager
async def stage(server: NatsServer, campaign: Campaign, post: Post | None = None) -> AsyncIterator[Stage]:
    async with connect(server.url, name="test", patience_s=20) as broker:
        await topology.init(broker)
        yield Stage(server, broker, campaign, post or Post())


@asynccontextmanager
async def until_left(*run: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Services beside the block; told to stop at its end."""
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(each(stop)) for each in run]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def scheduled(played: Stage, *, patience_s: float = 60) -> None:
    await eventually(played.has_scheduled_everything, timeout=patience_s * ROUNDS)


async def accepted(played: Stage, keys: set[str], *, patience_s: float = 120) -> None:
    """Until all of these have reached somebody."""

    async def all_are_there() -> bool:
        return keys <= played.post.accepted.keys()

    await eventually(all_are_there, timeout=patience_s * ROUNDS)


def email_ids(people: Iterable[str], step: str = "email-1") -> set[str]:
    return {make_email_id(step, person) for person in people}


def once(keys: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(keys, 1)
