"""`/metrics`: what this process counts, and what the service that looks after timers reads from the broker.

Whoever scrapes, and how often, the broker is asked at most every KEPT_S, and for the counts of pending emails at most
every minute and a hundredth of the time.
"""

import asyncio
import contextlib
import platform
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

import msgspec
import structlog
from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eventlog import figures
from eventlog.connection import Broker, Unavailable
from eventlog.figures import ConsumerFigures, Step, Storage
from journey.campaign import Campaign

log = structlog.get_logger(__name__)

KEPT_S = 10.0
PATIENCE_S = 3.0
COUNT_S, SHARE = 60.0, 100
"""How often pending emails are counted, and how many times as long as that takes nobody counts again."""

BUILD = Gauge("dripstream_build_info", "1, with what runs here", ["version", "python"])
BUILD.labels(version("dripstream"), platform.python_version()).set(1)


class Seen(msgspec.Struct, frozen=True):
    """The broker at one moment, and since when the oldest unsent email is overdue."""

    consumers: dict[str, ConsumerFigures]
    overdue_since: datetime | None
    parked: int
    storage: Storage


class Counted(msgspec.Struct, frozen=True):
    """Pending emails at one moment."""

    by_step: dict[Step, int]
    total: int


class BrokerWatch:
    """What is read from the broker, kept for a moment; None while the broker does not answer."""

    def __init__(self, broker: Broker, steps: Sequence[Step], allowed: int | None) -> None:
        self._broker, self._steps, self._allowed = broker, steps, allowed
        self._lock = asyncio.Lock()
        self._seen_until = self._counted_until = 0.0
        self._counting: asyncio.Task[None] | None = None
        self.seen: Seen | None = None
        self.counted: Counted | None = None

    async def refresh(self) -> None:
        """What is old is read again; a count that takes long goes on while the last one is shown. Errors: none."""
        async with self._lock:
            if time.monotonic() >= self._seen_until:
                self.seen = await self._see()
                self._seen_until = time.monotonic() + KEPT_S
            if self._counting is None and time.monotonic() >= self._counted_until:
                self._counting = asyncio.create_task(self._count())
            if self._counting:
                await asyncio.wait({self._counting}, timeout=PATIENCE_S / 3)

    async def _see(self) -> Seen | None:
        now = datetime.now(UTC)
        try:
            async with asyncio.timeout(PATIENCE_S):
                consumers = await figures.consumers(self._broker, now)
                overdue = await figures.oldest_overdue(self._broker, now)
                storage = await figures.storage(self._broker, self._allowed)
                return Seen(consumers, overdue, await figures.parked(self._broker), storage)
        except (Unavailable, TimeoutError) as error:
            log.warning("figures_not_read", reason=str(error) or type(error).__name__)
            return None

    async def _count(self) -> None:
        started = time.monotonic()
        try:
            self.counted = Counted(*await figures.pending_by_step(self._broker, self._steps))
        except Unavailable as error:
            log.warning("pending_not_counted", reason=str(error))
            self.counted = None
        finally:
            took_s = time.monotonic() - started
            self._counted_until = time.monotonic() + max(COUNT_S, SHARE * took_s)
            self._counting = None

    async def close(self) -> None:
        if counting := self._counting:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)


class _Page(Collector):
    """Of the whole process: services that run together share it."""

    def __init__(self) -> None:
        self.connections: dict[str, Broker] = {}
        self.watches: list[BrokerWatch] = []

    async def refresh(self) -> None:
        if self.watches:
            await self.watches[-1].refresh()

    def collect(self) -> Iterable[Metric]:
        yield from _connections(self.connections)
        if self.watches:
            yield from _of_broker(self.watches[-1])


PAGE = _Page()


@contextlib.contextmanager
def showing_connection(name: str, broker: Broker) -> Iterator[None]:
    """Whether this process is connected, on its page of metrics."""
    PAGE.connections[name] = broker
    try:
        yield
    finally:
        PAGE.connections.pop(name, None)


@asynccontextmanager
async def watching(
    broker: Broker, campaigns: Mapping[str, Campaign], *, allowed: int | None = None
) -> AsyncIterator[BrokerWatch]:
    """How the broker stands, on this process's page of metrics. For one service: all others would say the same.

    `allowed`: bytes that all nodes together may keep.
    """
    steps = [Step(id_, sequence.id, step.id) for id_, each in campaigns.items() for sequence, step in each.all_steps()]
    watch = BrokerWatch(broker, steps, allowed)
    PAGE.watches.append(watch)
    try:
        yield watch
    finally:
        PAGE.watches.remove(watch)
        await watch.close()


async def exposition() -> bytes:
    """The page, in Prometheus's text format."""
    await PAGE.refresh()
    return generate_latest(REGISTRY)


@get("/metrics", include_in_schema=False)
async def metrics() -> Response[bytes]:
    return Response(await exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _connections(connections: Mapping[str, Broker]) -> Iterator[Metric]:
    connected = GaugeMetricFamily(
        "dripstream_nats_connected", "1 while the process is connected to NATS", labels=["service"]
    )
    reconnects = CounterMetricFamily("dripstream_nats_reconnects", "Times it had to connect again", labels=["service"])
    for name, broker in connections.items():
        connected.add_metric([name], float(broker.nc.is_connected))
        reconnects.add_metric([name], broker.generation)
    yield from (connected, reconnects)


def _of_broker(watch: BrokerWatch) -> Iterator[Metric]:
    if watch.seen:
        yield from _consumers(watch.seen.consumers)
        age_s = figures.age_s(watch.seen.overdue_since, datetime.now(UTC))
        yield GaugeMetricFamily("dripstream_oldest_overdue_seconds", "How late the oldest unsent email is", age_s)
        yield GaugeMetricFamily("dripstream_parked_messages", "Messages that wait for a person", watch.seen.parked)
        yield GaugeMetricFamily("dripstream_jetstream_bytes", "Bytes JetStream keeps for us", watch.seen.storage.used)
        limit = watch.seen.storage.limit
        yield GaugeMetricFamily(
            "dripstream_jetstream_limit_bytes",
            "Bytes JetStream may keep for us; +Inf where nobody has said it",
            float("inf") if limit is None else limit,
        )
    if watch.counted:
        yield from _pending(watch.counted)


def _consumers(found: Mapping[str, ConsumerFigures]) -> Iterator[Metric]:
    def family(name: str, about: str, values: Mapping[str, float]) -> Metric:
        made = GaugeMetricFamily(f"dripstream_consumer_{name}", about, labels=["consumer"])
        for consumer, value in values.items():
            made.add_metric([consumer], value)
        return made

    yield family("pending", "Messages not delivered yet", {name: each.pending for name, each in found.items()})
    yield family("ack_pending", "Delivered and not settled", {name: each.ack_pending for name, each in found.items()})
    yield family("oldest_seconds", "Age of the oldest of both", {name: each.oldest_s for name, each in found.items()})
    yield family("paused", "1 while it is paused on the broker", {name: each.paused for name, each in found.items()})


def _pending(counted: Counted) -> Iterator[Metric]:
    pending = GaugeMetricFamily(
        "dripstream_pending_emails", "Emails with a timer", labels=["campaign", "sequence", "step"]
    )
    for step, number in counted.by_step.items():
        pending.add_metric(step, number)
    pending.add_metric(["other"] * 3, max(0, counted.total - sum(counted.by_step.values())))
    yield pending


REGISTRY.register(PAGE)
