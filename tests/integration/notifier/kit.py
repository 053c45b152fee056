"""A chat to post to, on real HTTP, and notifiers at work in this process, on a real nats-server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from eventlog import topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.notices import notices, standings
from eventlog.pages import pages
from services.notifier.handlers import Shell, work
from services.notifier.observe import QUESTIONS, Question
from services.notifier.poster import Poster
from services.notifier.rules import Limits
from services.notifier.service import _made_ready
from services.notifier.target import Kind, target
from services.notifier.watch import Watch, look
from services.sandbox.app import Sandbox
from services.sandbox.chat_store import ChatMessage
from tests.factories import CAMPAIGN
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually, is_idle

PATHS: Mapping[Kind, str] = {"discord": "/discord/api/webhooks/12/t0ken", "slack": "/slack/services/T0/B0/t0ken"}
LIMITS = Limits(late=timedelta(minutes=15), lag=timedelta(minutes=10), no_signups=timedelta(hours=24))


@dataclass
class Clock:
    """The real time, and as much as a test says beside it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Room:
    """`async with room.open()`: a notifier runs until the end of the block."""

    broker: Broker
    sandbox: Sandbox
    kind: Kind = "discord"
    clock: Clock = field(default_factory=Clock)
    posters: list[Poster] = field(default_factory=list)

    @property
    def events(self) -> EventLog:
        return EventLog(self.broker)

    @property
    def chat(self) -> list[ChatMessage]:
        return self.sandbox.chat()

    def poster(self, **options: Any) -> Poster:
        where = target(f"{self.sandbox.url}{PATHS[self.kind]}")
        poster = Poster(where, **({"gap_s": 0, "timeout_s": 15.0} | options))
        self.posters.append(poster)
        return poster

    async def prepare(self) -> None:
        """The consumer is there."""
        await _made_ready(self.broker)

    async def redeliver_soon(self) -> None:
        """What a killed process had in hand comes again after a second, and not after half a minute."""
        config = replace(topology.NOTIFIER.config, ack_wait=1.0)
        await self.broker.js.add_consumer(topology.NOTIFIER.stream, config)

    @asynccontextmanager
    async def open(self, *, link: bool = False, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
        stop, shell = asyncio.Event(), self.shell(link=link, **options)
        task = asyncio.create_task(Consumer(self.broker, work(shell), stop=stop).run())
        try:
            yield task
        finally:
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def shell(self, *, link: bool = False, **options: Any) -> Shell:
        return Shell(
            notices=notices(self.broker),
            poster=self.poster(**options),
            campaigns={CAMPAIGN: campaign()},
            clock=self.clock,
            pages=pages(self.broker) if link else None,
        )

    async def has_said(self, number: int) -> None:
        async def said() -> bool:
            return len(self.chat) >= number

        await eventually(said)

    async def is_done(self) -> None:
        """Every signup was settled."""
        await eventually(lambda: is_idle(self.broker, topology.NOTIFIER))

    def watch(self, *alerts: str, limits: Limits = LIMITS) -> "Watching":
        questions = {alert: QUESTIONS[alert] for alert in alerts}
        return Watching(self, questions, limits)

    async def close(self) -> None:
        for poster in self.posters:
            await poster.close()


class Watching:
    """One notifier's watch, looking when a test says so."""

    def __init__(self, room: Room, questions: Mapping[str, Question], limits: Limits) -> None:
        self.room = room
        self.watch = Watch(
            broker=room.broker,
            poster=room.poster(),
            standings=standings(room.broker),
            limits=limits,
            every=timedelta(minutes=1),
            clock=room.clock,
            questions=questions,
        )

    async def look(self, times: int = 1) -> list[str]:
        """So many looks a minute apart, and the first lines of what was said meanwhile."""
        before = len(self.room.chat)
        for _ in range(times):
            self.room.clock.ahead += timedelta(minutes=1)
            await look(self.watch)
        return [each.text.splitlines()[0].strip("*") for each in self.room.chat[before:]]
