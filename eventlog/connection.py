"""One connection to NATS, set up to outlive any outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    DrainTimeoutError,
    Error,
    NoRespondersError,
    NoServersError,
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError, ServiceUnavailableError

log = structlog.get_logger(__name__)

TIMEOUT_S = 10.0
"""Above the 5-10 s a cluster needs to choose a new leader."""

WRONG_LAST_SEQUENCE = 10071

UNREACHABLE = (
    TimeoutError,
    NatsTimeoutError,
    NoRespondersError,
    NoServersError,
    NoStreamResponseError,
    ServiceUnavailableError,
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    OutboundBufferLimitError,
    OSError,
)


class Unavailable(Exception):
    """JetStream did not confirm. The write may or may not be stored: repeat it under the same identity."""


@dataclass(frozen=True)
class Stored:
    """What a publish came to. `duplicate`: this identity was already there, and nothing was written."""

    sequence: int | None
    duplicate: bool


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    seq: int | None = None
    duplicate: bool = False
    error: _Error | None = None


_decode_ack = msgspec.json.Decoder(_Ack).decode


@dataclass(frozen=True)
class Broker:
    """A NATS client with its JetStream context."""

    nc: Client
    js: JetStreamContext
    api: str = "$JS.API"
    timeout_s: float = field(default=TIMEOUT_S)

    @property
    def generation(self) -> int:
        """Grows with every reconnect: what was asked of the broker before is not coming any more."""
        return self.nc.stats["reconnects"]

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: dict[str, str] | None = None,
        last_sequence: int | None = None,
    ) -> Stored:
        """Store one message and wait for the broker's word.

        `last_sequence` (0: the subject must be empty) makes the write conditional. A condition that does not hold is
        answered as a duplicate, not raised: on a retry it means that the first try arrived. Errors: Unavailable.
        """
        if not self.nc.is_connected:  # the client would buffer it and store it after we have said no
            raise Unavailable("not connected to NATS")
        headers = dict(headers or {})
        if last_sequence is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(last_sequence)
        try:
            answer = await self.nc.request(subject, payload, timeout=self.timeout_s, headers=headers)
        except UNREACHABLE as error:
            raise Unavailable(f"JetStream did not answer: {type(error).__name__}") from error
        ack = _decode_ack(answer.data)
        if ack.error is None:
            return Stored(ack.seq, duplicate=ack.duplicate)
        if ack.error.err_code == WRONG_LAST_SEQUENCE:
            return Stored(None, duplicate=True)
        raise Unavailable(f"JetStream refused: {ack.error.description} ({ack.error.err_code})")

    async def request(self, call: str, payload: bytes = b"") -> bytes:
        """One JetStream API call, `call` without the prefix. Errors: Unavailable."""
        try:
            return bytes((await self.nc.request(f"{self.api}.{call}", payload, timeout=self.timeout_s)).data)
        except UNREACHABLE as error:
            raise Unavailable(f"JetStream did not answer: {type(error).__name__}") from error

    async def ping(self) -> None:
        """One round trip through JetStream. Errors: Unavailable."""
        if not self.nc.is_connected:
            raise Unavailable("not connected to NATS")
        await self.request("INFO")


@asynccontextmanager
async def connect(url: str, *, name: str, patience_s: float | None = None) -> AsyncIterator[Broker]:
    """Connect, and stay connected whatever happens to the broker; drain at the end.

    Errors: Unavailable, when no server answers within `patience_s` (None: wait for ever).
    """

    async def on_error(error: Exception) -> None:
        log.warning("nats_error", error=type(error).__name__, detail=str(error)[:200])

    async def on_disconnect() -> None:
        if not leaving.is_set():
            log.warning("nats_disconnected")

    async def on_reconnect() -> None:
        log.info("nats_reconnected")

    nc, leaving = Client(), asyncio.Event()
    try:
        async with asyncio.timeout(patience_s):
            await nc.connect(
                servers=[part.strip() for part in url.split(",")],
                name=f"dripstream-{name}",
                max_reconnect_attempts=-1,
                reconnect_time_wait=1,
                connect_timeout=5,
                ping_interval=10,
                max_outstanding_pings=2,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
            )
    except (TimeoutError, Error, OSError) as error:
        raise Unavailable(f"no NATS server answers at {_without_password(url)}") from error
    try:
        yield Broker(nc, nc.jetstream(timeout=TIMEOUT_S))
    finally:
        leaving.set()
        await _close(nc)


async def _close(nc: Client) -> None:
    try:
        async with asyncio.timeout(2):
            await nc.drain()
    except (TimeoutError, DrainTimeoutError, Error):  # no broker to drain to: nothing left to say to it
        await nc.close()


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
