"""Consume: pull, decode, group, handle, settle.

Messages of one group (a contact, an email) are handled together and never beside each other; groups run in parallel
up to a number of slots. No more is pulled than may be in hand at once, so memory is bounded and the rest waits in the
broker, oldest first. Whatever is in hand is kept from being redelivered; a handler never has to care.
"""

import asyncio
import contextlib
import time
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from contracts.codec import Undecodable
from contracts.ids import BadId
from eventlog.connection import Broker, Unavailable
from eventlog.parked import ParkingLot
from eventlog.topology import Durable, ensure_durable

log = structlog.get_logger(__name__)
T = TypeVar("T")

PULL_S = 5.0
STOP_S = 3.5
ATTEMPTS = 5
"""Failures in a row after which an exception nobody foresaw is taken for poison."""

BACKOFF_S = (1.0, 5.0, 15.0, 30.0)


@dataclass(frozen=True)
class Done:
    """Handled, for good."""

    what: str = "done"


@dataclass(frozen=True)
class Retry:
    """Not now: deliver again after so many seconds. It does not count as a failure."""

    after_s: float
    reason: str


@dataclass(frozen=True)
class Park:
    """No code we run today can handle it."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Pause:
    """The world behind this service is closed: take nothing more for so many seconds."""

    for_s: float
    reason: str


Outcome = Done | Retry | Park | Pause


@dataclass(frozen=True)
class Item(Generic[T]):
    """One delivery, decoded."""

    value: T
    subject: str
    sequence: int
    attempt: int
    msg: Msg


@dataclass(frozen=True)
class Work(Generic[T]):
    """What a service does with a stream: how to read a message, what belongs together, what to do with it."""

    durable: Durable
    decode: Callable[[bytes], T]
    group: Callable[[Item[T]], str]
    handle: Callable[[Sequence[Item[T]]], Awaitable[Outcome]]
    slots: int = 8
    """Groups handled at the same time."""
    in_hand: int = 256
    """Messages pulled and not settled."""


class Consumer(Generic[T]):
    """One running consumer. `run` until `stop` is set; then what is in hand is finished and nothing more pulled."""

    def __init__(self, broker: Broker, work: Work[T], *, stop: asyncio.Event) -> None:
        self._broker, self._work, self._stop = broker, work, stop
        self._parking = ParkingLot(broker)
        self._waiting: dict[str, list[Item[T]]] = defaultdict(list)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._in_hand: dict[int, Msg] = {}
        self._slots = asyncio.Semaphore(work.slots)
        self._changed = asyncio.Event()
        self._deaf = asyncio.Event()
        self._expected = 0
        self._paused_until = 0.0
        self._pull = 0
        self._failures: dict[int, int] = {}
        self._log = log.bind(service=work.durable.name)

    @property
    def paused_s(self) -> float:
        """Seconds until pulling goes on."""
        return max(0.0, self._paused_until - time.monotonic())

    async def run(self) -> None:
        """Errors: none; an outage is waited out."""
        inbox = self._broker.nc.new_inbox()
        subscription = await self._broker.nc.subscribe(f"{inbox}.*", cb=self._receive)
        aside = [asyncio.create_task(self._keep_in_hand()), asyncio.create_task(self._wake_at_stop())]
        try:
            while not self._stop.is_set():
                await self._pull_once(inbox)
        finally:
            await self._finish(subscription)
            for task in aside:
                task.cancel()

    async def _pull_once(self, inbox: str) -> None:
        """One pull request, until it is used up, over, or the connection it was made on is gone."""
        free = self._work.in_hand - len(self._in_hand)
        if self.paused_s or free < max(1, self._work.in_hand // 4) or not self._broker.nc.is_connected:
            await self._wait(min(1.0, self.paused_s or 1.0))
            return
        self._pull += 1
        self._expected, generation = free, self._broker.generation
        request = {"batch": free, "expires": int(PULL_S * 1e9)}
        where = f"{self._broker.api}.CONSUMER.MSG.NEXT.{self._work.durable.stream}.{self._work.durable.name}"
        try:
            await self._broker.nc.publish(where, msgspec.json.encode(request), reply=f"{inbox}.{self._pull}")
        except NatsError:
            await self._wait(1.0)
            return
        deadline = time.monotonic() + PULL_S + 1
        while self._expected and not self._stop.is_set() and not self.paused_s:
            if time.monotonic() > deadline or self._broker.generation != generation:
                return
            await self._wait(1.0)

    async def _wait(self, seconds: float) -> None:
        """Until something changes, `stop` is set, or the time is over."""
        self._changed.clear()
        if self._stop.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _wake_at_stop(self) -> None:
        await self._stop.wait()
        self._changed.set()

    async def _receive(self, msg: Msg) -> None:
        if status := (msg.headers or {}).get("Status"):
            if msg.subject.endswith(f".{self._pull}"):
                await self._end_of_pull(status, (msg.headers or {}).get("Description", ""))
            return
        self._expected -= 1
        meta = msg.metadata
        self._in_hand[meta.sequence.stream] = msg
        try:
            item = Item(self._work.decode(msg.data), msg.subject, meta.sequence.stream, meta.num_delivered, msg)
            key = self._work.group(item)
        except (Undecodable, BadId) as error:
            self._spawn_poison(msg, str(error))
        else:
            self._waiting[key].append(item)
            if key not in self._running:
                self._running[key] = asyncio.create_task(self._run_group(key))
        if not self._expected:
            self._changed.set()

    async def _end_of_pull(self, status: str, description: str) -> None:
        self._expected = 0
        if status in {"404", "408"} or "Batch Completed" in description:
            self._changed.set()
            return
        self._log.warning("consumer_unavailable", status=status, description=description)
        await asyncio.sleep(1.0)
        try:
            await ensure_durable(self._broker, self._work.durable)
        except Exception as error:  # noqa: BLE001 - the broker is away; the next pull asks again
            self._log.warning("consumer_not_restored", error=type(error).__name__)
        self._changed.set()

    def _spawn_poison(self, msg: Msg, detail: str) -> None:
        key = f"poison {msg.metadata.sequence.stream}"
        item = Item(msg.data, msg.subject, msg.metadata.sequence.stream, msg.metadata.num_delivered, msg)
        self._running[key] = asyncio.create_task(self._end(key, [item], Park("undecodable", detail)))

    async def _end(self, key: str, items: Sequence[Item[Any]], outcome: Outcome) -> None:
        try:
            await self._settle_all(items, outcome, time.monotonic())
        finally:
            del self._running[key]

    async def _run_group(self, key: str) -> None:
        """Handle what waits under this key, again and again until nothing does."""
        try:
            while self._waiting.get(key):
                async with self._slots:
                    items = self._waiting.pop(key)
                    started = time.monotonic()
                    outcome = await self._not_now() or await self._handled(items)
                    await self._settle_all(items, outcome, started)
        finally:
            self._waiting.pop(key, None)
            del self._running[key]

    async def _not_now(self) -> Retry | None:
        """What was pulled and has not begun goes back to the broker: once it would not come straight back to us."""
        if self._stop.is_set():
            await self._deaf.wait()
            return Retry(0, "stopping")
        return Retry(self.paused_s, "paused") if self.paused_s else None

    async def _handled(self, items: Sequence[Item[T]]) -> Outcome:
        attempt = max(item.attempt for item in items)
        failed = max(self._failures.get(item.sequence, 0) for item in items) + 1
        try:
            return await self._work.handle(items)
        except Unavailable as error:
            return Retry(_backoff(attempt), str(error))
        except (Undecodable, BadId) as error:
            return Park("undecodable", str(error))
        except Exception as error:  # noqa: BLE001 - a bug we have not met: tried again, then kept for a person
            self._log.error("unforeseen", error=type(error).__name__, attempt=failed, where=_where(error))
            self._failures |= {item.sequence: failed for item in items}
            if failed >= ATTEMPTS:
                return Park(f"unforeseen {type(error).__name__}", traceback.format_exc())
            return Retry(_backoff(failed), f"unforeseen {type(error).__name__}")

    async def _settle_all(self, items: Sequence[Item[Any]], outcome: Outcome, started: float) -> None:
        if isinstance(outcome, Pause) and not self.paused_s:
            self._paused_until = time.monotonic() + outcome.for_s
            self._log.error("paused", reason=outcome.reason, for_s=round(outcome.for_s))
        for item in items:
            try:
                await self._settle(item, outcome)
            except (Unavailable, NatsError) as error:  # it comes again after ack_wait
                self._log.warning("not_settled", subject=item.subject, error=type(error).__name__)
            self._in_hand.pop(item.sequence, None)
            if isinstance(outcome, Done | Park):
                self._failures.pop(item.sequence, None)
        self._report(items, outcome, started)
        if len(self._in_hand) <= self._work.in_hand * 3 // 4:
            self._changed.set()

    async def _settle(self, item: Item[Any], outcome: Outcome) -> None:
        match outcome:
            case Done():
                await item.msg.ack()
            case Retry(after_s=seconds) | Pause(for_s=seconds):
                await item.msg.nak(delay=seconds or None)
            case Park(reason, detail):
                await self._parking.park(
                    consumer=self._work.durable.name,
                    subject=item.subject,
                    sequence=item.sequence,
                    reason=reason,
                    detail=detail,
                    payload=item.msg.data,
                    now=datetime.now(UTC),
                )
                await item.msg.term()

    def _report(self, items: Sequence[Item[Any]], outcome: Outcome, started: float) -> None:
        level = {Done: "info", Retry: "warning", Pause: "warning", Park: "error"}[type(outcome)]
        words = {name: value for name, value in vars(outcome).items() if name != "detail"}
        getattr(self._log, level)(
            type(outcome).__name__.lower(),
            subject=items[0].subject,
            messages=len(items),
            attempt=max(item.attempt for item in items),
            ms=round(1000 * (time.monotonic() - started), 1),
            **words,
        )

    async def _keep_in_hand(self) -> None:
        """Tell the broker, well inside ack_wait, that what is in hand is being worked on."""
        while True:
            await asyncio.sleep(self._work.durable.ack_wait_s / 3)
            for msg in list(self._in_hand.values()):
                try:
                    await msg.in_progress()
                except NatsError:
                    break  # the connection is away; so is the redelivery

    async def _finish(self, subscription: Subscription) -> None:
        """Hear nothing more; let running handlers end; give back what has not begun."""
        with contextlib.suppress(NatsError, TimeoutError):  # the connection may be gone, and the subscription with it
            async with asyncio.timeout(1):
                await subscription.drain()  # type: ignore[no-untyped-call]  # nats-py leaves it so
        self._deaf.set()
        if running := list(self._running.values()):
            _, late = await asyncio.wait(running, timeout=STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _backoff(attempt: int) -> float:
    return BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1]


def _where(error: BaseException) -> list[str]:
    """The way to the error, without its message: that may quote a person's data."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
