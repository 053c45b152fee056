"""The scheduler as a running service."""

import asyncio
from collections.abc import Mapping

from eventlog.clock import broker_clock
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.timers import Timers
from journey.campaign import Campaign
from services.metrics import watching
from services.micro import registered
from services.scheduler.endpoints import questions
from services.scheduler.handlers import Shell, sweep_every_minute, work
from services.settings import Settings


async def run(broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event) -> None:
    """Until `stop` is set; then what is in hand is finished."""
    async with broker_clock(broker) as clock, watching(broker, campaigns, allowed=settings.file_store):
        shell = Shell(
            broker=broker,
            events=EventLog(broker),
            timers=Timers(broker),
            campaigns=campaigns,
            pace=settings.pace,
            clock=clock.now,
        )
        listed = registered(broker, "scheduler", "turns facts into timers", questions(shell))
        async with listed, asyncio.TaskGroup() as group:
            group.create_task(sweep_every_minute(shell, stop))
            group.create_task(Consumer(broker, work(shell), stop=stop).run())
