"""Pausing a consumer: on the broker, so that it holds for every process and outlives all of them.

`nats consumer info` and `nats consumer resume` know it too. Needs nats-server 2.11.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.topology import Durable

REASON = "dripstream_paused"
"""The consumer's metadata keeps why."""


@dataclass(frozen=True)
class Paused:
    """Until when, by the broker's clock, and why."""

    until: datetime
    reason: str


class _Config(msgspec.Struct):
    pause_until: datetime | None = None
    metadata: dict[str, str] = {}


class _Info(msgspec.Struct):
    config: msgspec.Raw
    paused: bool = False
    ts: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    """The broker's clock: it is that which ends a pause."""

    @property
    def pause(self) -> Paused | None:
        config = msgspec.json.decode(self.config, type=_Config)
        if not (self.paused and config.pause_until):
            return None
        return Paused(config.pause_until, config.metadata.get(REASON, "paused by hand"))


async def paused(broker: Broker, durable: Durable) -> Paused | None:
    """Errors: Unavailable."""
    return (await _info(broker, durable)).pause


async def pause(broker: Broker, durable: Durable, *, for_s: float, reason: str, extend_only: bool = False) -> bool:
    """Hand out nothing for so long; whether that is news.

    With `extend_only` a pause that lasts longer stands, with its reason. Errors: Unavailable.
    """
    info = await _info(broker, durable)
    news = info.pause is None or info.pause.reason != reason
    until = info.ts + timedelta(seconds=for_s)
    if extend_only and info.pause and info.pause.until >= until:
        return news
    try:
        await _note(broker, durable, reason)  # first: nobody is to see a pause without its reason
        await broker.js.pause_consumer(
            durable.stream, durable.name, until.astimezone(UTC).isoformat(timespec="milliseconds")
        )
    except (*UNREACHABLE, APIError, NatsError) as error:
        raise Unavailable(f"{durable.name} could not be paused: {type(error).__name__}") from error
    return news


async def resume(broker: Broker, durable: Durable) -> None:
    """Errors: Unavailable."""
    try:
        await broker.js.resume_consumer(durable.stream, durable.name)
    except (*UNREACHABLE, APIError, NatsError) as error:
        raise Unavailable(f"{durable.name} could not be resumed: {type(error).__name__}") from error


async def _note(broker: Broker, durable: Durable, reason: str) -> None:
    """Into the metadata of the consumer as it is, whatever somebody else may have set."""
    config = msgspec.json.decode((await _info(broker, durable)).config, type=dict[str, object])
    known = config.get("metadata")
    config["metadata"] = {**(known if isinstance(known, dict) else {}), REASON: reason[:200]}
    request = {"stream_name": durable.stream, "config": config, "action": "update"}
    call = f"CONSUMER.CREATE.{durable.stream}.{durable.name}"
    if filtered := config.get("filter_subject"):
        call = f"{call}.{filtered}"
    await broker.request(call, msgspec.json.encode(request))


async def _info(broker: Broker, durable: Durable) -> _Info:
    answer = await broker.request(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
    try:
        return msgspec.json.decode(answer, type=_Info)
    except msgspec.ValidationError as error:
        raise Unavailable(f"there is no consumer {durable.name}") from error
