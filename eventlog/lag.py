"""How far a service is behind its stream: the figure, and a line in the log while it is worth one."""

import asyncio
from datetime import UTC, datetime
from time import monotonic

import msgspec
import structlog
from nats.js.api import ConsumerInfo
from nats.js.errors import APIError, NotFoundError

from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.topology import Durable

log = structlog.get_logger(__name__)

LOOK_S = 5.0
LATE_S = 15.0
"""Younger than that, a message is simply being worked on."""

TELL_S = 60.0


class Lag(msgspec.Struct, frozen=True):
    """Messages not done with, whether they were delivered or not, and the age of the oldest of them."""

    behind: int
    oldest_s: float

    @property
    def is_late(self) -> bool:
        return self.oldest_s >= LATE_S


async def lag(broker: Broker, durable: Durable, now: datetime) -> Lag:
    """Errors: Unavailable, also while the consumer does not exist."""
    try:
        info = await broker.js.consumer_info(durable.stream, durable.name)
        return await lag_of(broker, durable, info, now)
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"consumer {durable.name} not readable: {type(error).__name__}") from error


async def lag_of(broker: Broker, durable: Durable, info: ConsumerInfo, now: datetime) -> Lag:
    """From what the broker just said of the consumer. Errors: UNREACHABLE, APIError."""
    behind = int(info.num_pending or 0) + int(info.num_ack_pending or 0)
    first = info.ack_floor.stream_seq + 1 if info.ack_floor else 1
    stored_at = await _stored_at(broker, durable, first) if behind else None
    return Lag(behind, max(0.0, (now - stored_at).total_seconds()) if stored_at else 0.0)


async def _stored_at(broker: Broker, durable: Durable, first: int) -> datetime | None:
    """When the first message from there on was stored; None if there is none any more."""
    subject = str(durable.config.filter_subject or ">")
    try:
        return (await broker.js.get_msg(durable.stream, seq=first, subject=subject, next=True)).time
    except NotFoundError:
        return None


async def report_lag(broker: Broker, durable: Durable) -> None:
    """Until cancelled: `lag` at most once a minute while the oldest message is late, `caught_up` once none is.

    A broker that does not answer is not reported here: the connection and the consumer say so themselves.
    """
    told = log.bind(service=durable.name)
    since, told_at = 0.0, 0.0
    while True:
        try:
            found = await lag(broker, durable, datetime.now(UTC))
        except Unavailable:
            await asyncio.sleep(LOOK_S)
            continue
        now = monotonic()
        if found.is_late and (not since or now - told_at >= TELL_S):
            since, told_at = since or now, now
            told.warning("lag", behind=found.behind, oldest_s=round(found.oldest_s))
        elif since and not found.is_late:
            told.info("caught_up", behind=found.behind, after_s=round(now - since))
            since = 0.0
        await asyncio.sleep(LOOK_S)
