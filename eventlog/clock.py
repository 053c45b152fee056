"""One time for all services: the broker's, since it is the broker that fires the timers.

Every service measures how far its own clock is from the broker's and corrects for it. So a service whose clock is
wrong stamps no fact wrongly and calls no email expired before its time; and the sender, which takes the earlier of
both, sends nothing early even if it is the broker's clock that is wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from contracts import subjects
from contracts.base import Utc
from eventlog.connection import Broker, Unavailable

log = structlog.get_logger(__name__)

EVERY_S = 30.0
NOISE = timedelta(seconds=1)
"""Clocks that agree as well as this are left alone: the measurement itself takes time."""


class _Info(msgspec.Struct):
    ts: Utc | None = None


class BrokerClock:
    """`now` is the broker's time, `earliest` the earlier of that and our own."""

    def __init__(self, broker: Broker, own: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._broker = broker
        self._own = own
        self.ahead = timedelta(0)
        """How far our clock is ahead of the broker's; zero while they agree."""

    def now(self) -> datetime:
        return self._own() - self.ahead

    def earliest(self) -> datetime:
        return self._own() - max(self.ahead, timedelta(0))

    async def measure(self) -> None:
        """Compare once. Errors: Unavailable."""
        before = self._own()
        answer = msgspec.json.decode(await self._broker.request(f"STREAM.INFO.{subjects.EVENTS}"), type=_Info)
        after = self._own()
        if answer.ts is None:
            return
        trip = after - before
        ahead = before + trip / 2 - answer.ts
        self._take(ahead if abs(ahead) > NOISE + trip / 2 else timedelta(0))

    def _take(self, ahead: timedelta) -> None:
        if abs(ahead - self.ahead) > NOISE:
            log.error("clock_differs_from_broker", ahead_s=round(ahead.total_seconds(), 1), hint="set NTP right")
        self.ahead = ahead


@asynccontextmanager
async def broker_clock(broker: Broker) -> AsyncIterator[BrokerClock]:
    """A clock that is measured now, and again every half minute while the block lasts."""
    clock = BrokerClock(broker)
    await _measure(clock)
    task = asyncio.create_task(_keep_measuring(clock))
    try:
        yield clock
    finally:
        task.cancel()


async def _keep_measuring(clock: BrokerClock) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        await _measure(clock)


async def _measure(clock: BrokerClock) -> None:
    try:
        await clock.measure()
    except (Unavailable, msgspec.DecodeError):
        return  # what was measured last holds until the broker answers
