"""Whether anybody asks a consumer for messages: a service that runs has a request open nearly always."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from eventlog.connection import Broker, Unavailable
from eventlog.topology import Durable


@dataclass(frozen=True)
class Pulling:
    """Open requests, and when a message was last handed out, by the broker's clock."""

    waiting: int
    active_at: datetime | None


class _Delivered(msgspec.Struct):
    last_active: datetime | None = None


class _Error(msgspec.Struct):
    description: str = ""


class _Info(msgspec.Struct):
    num_waiting: int = 0
    delivered: _Delivered = msgspec.field(default_factory=_Delivered)
    error: _Error | None = None


async def pulling(broker: Broker, durable: Durable) -> Pulling:
    """Errors: Unavailable, also while the consumer does not exist."""
    info = msgspec.json.decode(await broker.request(f"CONSUMER.INFO.{durable.stream}.{durable.name}"), type=_Info)
    if info.error:
        raise Unavailable(f"consumer {durable.name} not readable: {info.error.description}")
    return Pulling(info.num_waiting, info.delivered.last_active)
