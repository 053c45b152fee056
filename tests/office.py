"""A scheduler and a sender at work in this process, on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from contracts.facts import AnyFact
from contracts.ids import EmailId, contact_id
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.timers import Timers
from journey.contact import Contact, Email, fold
from journey.plan import Pace
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from tests.factories import ADA, CAMPAIGN
from tests.unit.journey.test_plan import campaign

P = TypeVar("P", bound=sender.Provider)


@dataclass
class Office(Generic[P]):
    """`async with office.open()`: both services run until the end of the block."""

    broker: Broker
    provider: P
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def events(self) -> EventLog:
        return EventLog(self.broker)

    async def facts(self, address: str = ADA) -> list[AnyFact]:
        return await self.events.history(contact_id(address))

    async def contact(self, address: str = ADA) -> Contact:
        return fold(contact_id(address), await self.facts(address))

    async def email(self, email_id: str) -> Email:
        contact = EmailId.parse(email_id).contact
        return fold(contact, await self.events.history(contact)).email(email_id)

    async def is_sent(self, email_id: str) -> bool:
        return (await self.email(email_id)).is_sent

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        stop, campaigns = asyncio.Event(), {CAMPAIGN: campaign()}
        sending = sender.shell_for(self.broker, self.provider, campaigns, self.pace, self.clock)
        planning = scheduler.Shell(
            broker=self.broker,
            events=self.events,
            timers=Timers(self.broker),
            campaigns=campaigns,
            pace=self.pace,
            clock=self.clock,
        )
        tasks = [
            asyncio.create_task(Consumer(self.broker, scheduler.work(planning), stop=stop).run()),
            asyncio.create_task(Consumer(self.broker, sender.work(sending), stop=stop).run()),
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)
