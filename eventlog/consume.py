"""Consume: pull, decode, group, handle, settle.

Messages of one group (a contact, an email) are handled together and never beside each other; groups run in parallel
up to a number of slots. No more is pulled than may be in hand at once, so memory is bounded and the rest waits in the
broker, oldest first. Whatever is in hand is kept from being redelivered; a handler never has to care.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from contracts.codec import Undecodable, Unheard, require_place
from contracts.ids import BadId
from eventlog.attempts import Attempts, unheard
from eventlog.connection import Broker, Unavailable, unheard_of
from eventlog.deliveries import Deliveries
from eventlog.lag import report_lag
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item, Outcome, Park, Pause, Retry, Work
from eventlog.parked import ParkingLot, tell_contact
from eventlog.pause import pause
from eventlog.topology import ensure_durable, mend

log = structlog.get_logger(__name__)
T = TypeVar("T")

PULL_S = 5.0
WATCH_S = 30.0
"""How often a consumer is looked after: deleted, or ahead of its stream, it would hear nothing, for ever."""

STOP_S, DRAIN_S = 3.5, 1.0


class Consumer(Generic[T]):
    """One running consumer. `run` until `stop` is set; then what is in hand is finished and nothing more pulled."""

    def __init__(self, broker: Broker, work: Work[T], *, stop: asyncio.Event) -> None:
        self._broker, self._work, self._stop = broker, work, stop
        self._parking = ParkingLot(broker)
        self._events = EventLog(broker)
        self._waiting: dict[str, list[Item[T]]] = defaultdict(list)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._in_hand: dict[int, Msg] = {}
        self._slots = asyncio.Semaphore(work.slots)
        self._changed = asyncio.Event()
        self._deaf = asyncio.Event()
        self._expected = 0
        self._give_back: dict[int, float] = {}
        self._pausing = asyncio.Lock()
        self._paused_at = 0.0
        self._pull = 0
        self._attempts = Attempts(broker, work, stop=stop)
        self._deliveries = Deliveries(work.durable.name)
        self._log = log.bind(service=work.durable.name)

    async def run(self) -> None:
        """Errors: none; an outage is waited out."""
        inbox = self._broker.nc.new_inbox()
        subscription = await self._broker.nc.subscribe(f"{inbox}.*", cb=self._receive)
        aside = [
            asyncio.create_task(self._keep_in_hand()),
            asyncio.create_task(self._look_after()),
            asyncio.create_task(self._wake_at_stop()),
            asyncio.create_task(report_lag(self._broker, self._work.durable)),
        ]
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
        if free < max(1, self._work.in_hand // 4) or not self._broker.nc.is_connected:
            await self._wait(1.0)
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
        while self._expected and not self._stop.is_set():
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
            require_place(item.value, msg.subject)
            key = self._work.group(item)
        except Unheard as error:
            self._spawn(msg, unheard(meta.num_delivered, error))
        except (Undecodable, BadId) as error:
            self._spawn(msg, Park("undecodable", str(error), label="undecodable"))
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

    def _spawn(self, msg: Msg, outcome: Outcome) -> None:
        """For what cannot be read, and so not be grouped."""
        key = f"unread {msg.metadata.sequence.stream}"
        item = Item(msg.data, msg.subject, msg.metadata.sequence.stream, msg.metadata.num_delivered, msg)
        self._running[key] = asyncio.create_task(self._end(key, [item], outcome))

    async def _end(self, key: str, items: Sequence[Item[Any]], outcome: Outcome) -> None:
        try:
            await self._settle_all(items, outcome, time.monotonic())
        finally:
            del self._running[key]

    async def _run_group(self, key: str) -> None:
        """Handle what waits under this key, again and again until nothing does."""
        items: list[Item[T]] = []
        try:
            while self._waiting.get(key):
                async with self._slots:
                    items = self._waiting.pop(key)
                    started = time.monotonic()
                    if back := await self._not_now(items):
                        await self._settle_each(items, back)
                        self._deliveries.given_back(items, back)
                        continue
                    with self._deliveries.handling(items):
                        outcome = await self._attempts(items)
                        await self._settle_all(items, outcome, started)
        finally:
            for item in [*items, *self._waiting.pop(key, [])]:  # kept in hand, what broke here would never come again
                self._in_hand.pop(item.sequence, None)
            del self._running[key]

    async def _not_now(self, items: Sequence[Item[T]]) -> Retry | None:
        """What was pulled and has not begun goes back to the broker: once it would not come straight back to us."""
        if self._stop.is_set():
            await self._deaf.wait()
            return Retry(0, "stopping", label="stopping")
        waits = [self._give_back[item.sequence] for item in items if item.sequence in self._give_back]
        return Retry(max(waits), "paused", label="paused") if waits else None

    async def _settle_all(self, items: Sequence[Item[Any]], outcome: Outcome, started: float) -> None:
        if isinstance(outcome, Pause):
            await self._pause(outcome, started)
        await self._settle_each(items, outcome)
        self._deliveries.settled(items, outcome, started)

    async def _settle_each(self, items: Sequence[Item[Any]], outcome: Outcome) -> None:
        for item in items:
            try:
                await self._settle(item, outcome)
            except Exception as error:  # noqa: BLE001 - it comes again after ack_wait
                self._log.warning("not_settled", subject=item.subject, error=type(error).__name__)
            self._in_hand.pop(item.sequence, None)
            self._give_back.pop(item.sequence, None)
            if isinstance(outcome, Done | Park):
                self._attempts.forget(item.sequence)
        if len(self._in_hand) <= self._work.in_hand * 3 // 4:
            self._changed.set()

    async def _pause(self, outcome: Pause, started: float) -> None:
        """Everything in hand goes back; the broker keeps it until the pause is over or lifted."""
        async with self._pausing:
            if started < self._paused_at:
                return  # it was under way when another heard the same no: a pause lifted since stays lifted
            wait_s = 0.0
            try:
                news = await pause(
                    self._broker, self._work.durable, for_s=outcome.for_s, reason=outcome.reason, extend_only=True
                )
            except Unavailable:
                news, wait_s = True, outcome.for_s
            self._paused_at = time.monotonic()
            self._give_back |= dict.fromkeys(self._in_hand, wait_s)
        if news:
            self._log.error(
                "paused",
                reason=outcome.reason,
                for_s=round(outcome.for_s),
                hint=f"dripstream resume {self._work.durable.service}",
            )

    async def _settle(self, item: Item[Any], outcome: Outcome) -> None:
        match outcome:
            case Done():
                await item.msg.ack()
            case Retry(after_s=seconds):
                await item.msg.nak(delay=seconds or None)
            case Pause():
                await item.msg.nak(delay=self._give_back.get(item.sequence) or None)
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
                await (self._work.parked or self._tell_contact)(item, outcome)
                await item.msg.term()

    async def _tell_contact(self, item: Item[Any], outcome: Park) -> None:
        await tell_contact(
            self._events,
            consumer=self._work.durable.name,
            subject=item.subject,
            sequence=item.sequence,
            value=item.value,
            reason=outcome.reason,
            now=datetime.now(UTC),
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

    async def _look_after(self) -> None:
        """A consumer that was deleted, or left ahead of its stream by a power cut, is put right."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                if trouble := await mend(self._broker, self._work.durable):
                    self._log.error("consumer_mended", was=trouble)
            except Exception as error:  # noqa: BLE001 - the broker is away; the next look is near
                self._log.warning("consumer_not_examined", error=type(error).__name__)

    async def _finish(self, subscription: Subscription) -> None:
        """Hear nothing more; let running handlers end; give back what has not begun."""
        draining = asyncio.create_task(subscription.drain())  # type: ignore[no-untyped-call]  # nats-py leaves it so
        draining.add_done_callback(unheard_of)
        await asyncio.wait({draining}, timeout=DRAIN_S)  # not broken off: see eventlog/connection.py
        self._deaf.set()
        if running := list(self._running.values()):
            _, late = await asyncio.wait(running, timeout=STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
