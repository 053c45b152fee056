"""One connection to NATS, set up to outlive any outage."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import msgspec
import structlog
from nats.aio.client import Client, Server
from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    Error,
    NoRespondersError,
    NoServersError,
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError, ServiceUnavailableError

from eventlog import trace
from eventlog.access import OPEN, Access
from eventlog.client import Denied as Denied  # noqa: PLC0414 - this is where callers look for it
from eventlog.client import Refusing
from eventlog.client import Unavailable as Unavailable  # noqa: PLC0414

log = structlog.get_logger(__name__)

TIMEOUT_S = 10.0
"""Above the 5-10 s a cluster needs to choose a new leader."""

TRIES, PAUSE_S = 3, 0.25
"""How many times within the timeout a write is asked for, and how long between."""

PENDING_BYTES = 2 * 1024 * 1024
"""What may wait to be written while the broker is away: acknowledgements, since facts are never buffered."""

HELLO_S = 5.0
"""How long one server is waited for before another is tried; no more than half of anybody's patience."""

DRAIN_S, HANG_UP_S = 2.0, 1.0
"""How long a connection takes to end where nobody answers."""

AWAY_S = 30.0
"""An outage is logged at once and then so often."""

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


class _NotHeard(Exception):
    """One try got no answer; another may."""


@dataclass(frozen=True)
class Stored:
    """What a publish came to. `duplicate`: this identity was already there, and nothing was written."""

    sequence: int | None
    duplicate: bool
    asked_again: bool = False
    """An earlier try was not heard: it may be what this is a duplicate of."""


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

    nc: Refusing
    js: JetStreamContext
    api: str = "$JS.API"
    timeout_s: float = field(default=TIMEOUT_S)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the connection is gone for good: only a new process helps then."""

    @property
    def try_s(self) -> float:
        """How long one question waits. While there is no leader it is dropped: only another one is answered."""
        return self.timeout_s / TRIES

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
        """Store one message and wait for the broker's word, asking again within `timeout_s` if there is none.

        `last_sequence` (0: the subject must be empty) makes the write conditional. A condition that does not hold is
        answered as a duplicate, not raised: after a try that was not heard it means that the try arrived.
        What is stored says in its headers which trace it belongs to. Errors: Unavailable.
        """
        headers = trace.injected(headers)
        if last_sequence is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(last_sequence)
        deadline = asyncio.get_running_loop().time() + self.timeout_s
        asked_again = False
        while True:
            try:
                stored = await self._publish_once(subject, payload, headers, self.try_s)
                return replace(stored, asked_again=asked_again)
            except _NotHeard as error:
                if asyncio.get_running_loop().time() + PAUSE_S > deadline:
                    raise Unavailable(str(error)) from error
                asked_again = True
                await asyncio.sleep(PAUSE_S)

    async def _publish_once(self, subject: str, payload: bytes, headers: dict[str, str], timeout_s: float) -> Stored:
        if not self.nc.is_connected:  # the client would buffer it and store it after we have said no
            raise Unavailable("not connected to NATS")
        try:
            answer = await self.nc.request(subject, payload, timeout=timeout_s, headers=headers)
        except UNREACHABLE as error:
            raise _NotHeard(f"JetStream did not answer: {type(error).__name__}") from error
        ack = _decode_ack(answer.data)
        if ack.error is None:
            return Stored(ack.seq, duplicate=ack.duplicate)
        if ack.error.err_code == WRONG_LAST_SEQUENCE:
            return Stored(None, duplicate=True)
        raise Unavailable(f"JetStream refused: {ack.error.description} ({ack.error.err_code})")

    async def request(self, call: str, payload: bytes = b"") -> bytes:
        """One JetStream API call, `call` without the prefix. Errors: Unavailable."""
        try:
            return bytes((await self.nc.request(f"{self.api}.{call}", payload, timeout=self.try_s)).data)
        except UNREACHABLE as error:
            raise Unavailable(f"JetStream did not answer: {type(error).__name__}") from error

    async def ping(self) -> None:
        """One round trip through JetStream. Errors: Unavailable."""
        if not self.nc.is_connected:
            raise Unavailable("not connected to NATS")
        await self.request("INFO")


@asynccontextmanager
async def connect(
    url: str, *, name: str, patience_s: float | None = None, access: Access = OPEN
) -> AsyncIterator[Broker]:
    """Connect, and stay connected whatever happens to the broker; drain at the end.

    Errors: Unavailable, when no server answers within `patience_s` (None: wait for ever); Denied, at once, when one
    does not let us in; ValueError, when a file or a key of `access` cannot be used.
    """
    inbox, signer, options = access.inbox_at(url, name), access.signer, access.options(url)
    nc = Refusing(who=access.who(url, signer), inbox=inbox, signer=signer, encrypts=access.encrypts(url))
    watch = _Watch(nc)
    try:
        async with asyncio.timeout(patience_s) as watch.patience:
            await nc.connect(
                servers=[part.strip() for part in url.split(",")],
                name=f"dripstream-{name}",
                max_reconnect_attempts=-1,
                reconnect_time_wait=1,
                reconnect_to_server_handler=_any_server_soon,
                connect_timeout=max(1, int(min(HELLO_S, (patience_s or 60) / 2))),
                ping_interval=10,
                max_outstanding_pings=2,
                pending_size=PENDING_BYTES,
                inbox_prefix=inbox,
                error_cb=watch.on_error,
                disconnected_cb=watch.on_disconnect,
                reconnected_cb=watch.on_reconnect,
                closed_cb=watch.on_close,
                **options,
            )
    except (TimeoutError, Error, OSError) as error:
        raise watch.denied or Unavailable(f"no NATS server answers at {_without_password(url)}") from error
    watch.patience = None
    try:
        js = nc.jetstream(timeout=TIMEOUT_S / TRIES, prefix=access.api)
        yield Broker(nc, js, api=access.api, closed=watch.closed)
    finally:
        watch.leaving = True
        await _close(nc)


class _Watch:
    """Says in the log what happens to a connection: once, and during an outage every AWAY_S."""

    def __init__(self, nc: Refusing) -> None:
        self.closed = asyncio.Event()
        self.leaving = False
        self.patience: asyncio.Timeout | None = None
        """While the first connection is being made."""
        self.denied: Denied | None = None
        self._nc = nc
        self._silent_until = 0.0

    async def on_error(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        denied = self._nc.take(error)
        if denied and self.patience:
            self.denied = denied
            self.patience.reschedule(now)
        elif self._nc.is_connected or now >= self._silent_until:  # what fails while the broker is away is told rarely
            self._silent_until = now + AWAY_S
            if denied:
                log.error("nats_denied", detail=str(denied))
            else:
                log.warning("nats_error", error=type(error).__name__, detail=str(error)[:200])

    async def on_disconnect(self) -> None:
        if not self.leaving:
            log.warning("nats_disconnected")

    async def on_reconnect(self) -> None:
        self._silent_until = 0.0
        self._nc.forgive()
        log.info("nats_reconnected")

    async def on_close(self) -> None:
        if not self.leaving:
            log.critical("nats_connection_closed", hint="the process ends, to be started again")
            self.closed.set()


def _any_server_soon(servers: list[Server], _: dict[str, object]) -> tuple[Server, float]:
    """Any one, in about a second: not all clients at the same moment, and not all at the same server."""
    return random.choice(servers), random.uniform(0.5, 1.5)  # noqa: S311 - not for secrets


async def _close(nc: Client) -> None:
    """Politely, while the broker answers.

    A drain is not broken off while the client is open: nats-py would wait for another answer, and stop reading at the
    one it was waiting for.
    """
    draining = asyncio.create_task(nc.drain())
    draining.add_done_callback(unheard_of)
    try:
        await asyncio.wait({draining}, timeout=DRAIN_S)
    finally:
        if not nc.is_closed:  # no broker to drain to: nothing left to say to it
            await _hang_up(nc, draining)


async def _hang_up(nc: Client, draining: "asyncio.Task[None]") -> None:
    with contextlib.suppress(Error, OSError, TimeoutError):  # it writes what waits, and nobody may be reading
        async with asyncio.timeout(HANG_UP_S):
            await nc.close()
    for answer in nc._pongs:  # noqa: SLF001 - nobody gives them any more, and nothing public ends the wait for them
        if not answer.done():
            answer.set_result(False)
    await asyncio.wait({draining}, timeout=HANG_UP_S)
    draining.cancel()


def unheard_of(draining: "asyncio.Task[None]") -> None:
    """Why it could not be drained concerns nobody: it is left all the same."""
    if not draining.cancelled():
        draining.exception()


def _without_password(url: str) -> str:
    return ",".join(part.strip().rpartition("@")[2] for part in url.split(","))
