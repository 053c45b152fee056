"""The limit of the same work: nats-py alone, raw messages of the same bytes, a plain file stream, the same fsync."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from nats.js import JetStreamContext

from bench.figures import Setting
from bench.people import signup, timers_of
from bench.stage import stage
from contracts import subjects
from contracts.codec import encode
from contracts.facts import AnyFact
from contracts.messages import EmailDue
from contracts.subjects import Timer
from eventlog.timers import FIRED_TTL
from journey.campaign import Campaign

STREAM = "RAW"


@dataclass(frozen=True)
class Raw:
    """One message: as many bytes of subject, headers and payload as the real one, and no meaning."""

    subject: str
    payload: bytes
    headers: dict[str, str]

    @classmethod
    def like(cls, subject: str, payload: bytes, headers: dict[str, str]) -> Self:
        """Headers keep their lengths under names that the server does not know."""
        return cls(f"raw.{subject.replace('$', '-')}", payload, {f"X{name[1:]}": headers[name] for name in headers})


def raw_fact(fact: AnyFact) -> Raw:
    headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
    return Raw.like(subjects.fact_subject(fact), encode(fact), headers)


def raw_timer(timer: Timer) -> Raw:
    headers = {
        "Nats-Schedule": f"@at {timer.due_at:%Y-%m-%dT%H:%M:%SZ}",
        "Nats-Schedule-Target": timer.fires_as,
        "Nats-Schedule-TTL": FIRED_TTL,
        "Nats-Expected-Last-Subject-Sequence": "0",
    }
    return Raw.like(timer.subject, encode(EmailDue(email_id=timer.email_id, due=timer.due_at)), headers)


def raw_due(timer: Timer) -> Raw:
    return Raw.like(timer.fires_as, encode(EmailDue(email_id=timer.email_id, due=timer.due_at)), {})


def raw_signups(count: int, campaign: Campaign) -> list[Raw]:
    """One fact and seven timers for each."""
    facts = [signup(number, datetime.now(UTC)) for number in range(count)]
    return [raw for fact in facts for raw in (raw_fact(fact), *map(raw_timer, timers_of(fact, campaign)))]


async def publish_rate(setting: Setting, messages: Sequence[Raw], *, in_flight: int) -> float:
    """Messages a second from the first publish to the last acknowledgement, with so many unacknowledged at most."""
    async with _plain_stream(setting) as js:
        return len(messages) / await _publish_all(js, messages, in_flight)


async def publish_delays_ms(setting: Setting, messages: Sequence[Raw], *, per_second: float) -> list[float]:
    """Publishes at a constant rate: from the moment each was planned to its acknowledgement, in ms."""
    async with _plain_stream(setting) as js:
        await _publish_all(js, [Raw(f"raw.warm.{n}", b"", {}) for n in range(100)], 8)
        start = time.monotonic() + 0.1

        async def one(message: Raw, planned: float) -> float:
            await js.publish(message.subject, message.payload, headers=message.headers)
            return 1000 * (time.monotonic() - planned)

        async with asyncio.TaskGroup() as group:
            tasks = []
            for number, message in enumerate(messages):
                planned = start + number / per_second
                await asyncio.sleep(planned - time.monotonic())
                tasks.append(group.create_task(one(message, planned)))
        return [task.result() for task in tasks]


async def pull_and_ack_rate(setting: Setting, messages: Sequence[Raw], *, batch: int) -> float:
    """Messages a second through one durable pull consumer, `batch` at a time, each acknowledged, nothing else done."""
    async with _plain_stream(setting) as js:
        await _publish_all(js, messages, 256)
        consumer = await js.pull_subscribe("raw.>", "raw", stream=STREAM)
        left, start = len(messages), time.monotonic()
        while left:
            for msg in await consumer.fetch(min(batch, left), timeout=5):
                await msg.ack()
                left -= 1
        return len(messages) / (time.monotonic() - start)


@asynccontextmanager
async def _plain_stream(setting: Setting) -> AsyncIterator[JetStreamContext]:
    """A fresh broker with one file stream without any option."""
    async with stage(setting.fsync) as played:
        await played.broker.js.add_stream(name=STREAM, subjects=["raw.>"])
        yield played.broker.js


async def _publish_all(js: JetStreamContext, messages: Sequence[Raw], in_flight: int) -> float:
    """Seconds it took."""
    slots, start = asyncio.Semaphore(in_flight), time.monotonic()
    for message in messages:
        await slots.acquire()
        sent = await js.publish_async(message.subject, message.payload, headers=message.headers)
        sent.add_done_callback(lambda _: slots.release())
    await js.publish_async_completed()
    return time.monotonic() - start
