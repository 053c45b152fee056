"""Waiting for an outcome: as short as it takes, and never for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from nats.js.errors import NotFoundError

from eventlog.connection import Broker, Denied, Unavailable
from eventlog.topology import ACK_WAIT_S, Durable

SOON_S = ACK_WAIT_S * 2 / 3
"""Many times what anything takes here, for a machine that stands still now and then; and less than `ack_wait`: what
came only because its message was delivered again has not come in time."""


async def eventually(condition: Callable[[], Awaitable[bool]], *, timeout: float = SOON_S) -> None:  # noqa: ASYNC109
    """Until the condition holds; an assertion that names it when it does not.

    Where a broker has not answered in its time, nothing is known yet.
    """
    deadline = time.monotonic() + timeout
    while not await _holds(condition, deadline):
        assert time.monotonic() < deadline, f"did not happen within {timeout} s: {condition.__qualname__}"
        await asyncio.sleep(0.02)


async def _holds(condition: Callable[[], Awaitable[bool]], deadline: float) -> bool:
    """Errors: those of the condition; no answer only once the time is over."""
    try:
        return await condition()
    except Denied:
        raise
    except (TimeoutError, Unavailable):
        if time.monotonic() >= deadline:
            raise
        return False


async def is_idle(broker: Broker, durable: Durable) -> bool:
    """A consumer has been given everything there is, and nothing it was given is open.

    `num_pending` alone would not do: nats-server counts a message there a moment after it has acknowledged it to who
    published it, and says 0 until then.
    """
    last = await _last_sequence(broker, durable)
    info = await broker.js.consumer_info(durable.stream, durable.name)
    given = info.delivered.stream_seq if info.delivered else 0
    return given >= last and not info.num_pending and not info.num_ack_pending


async def is_pulling(broker: Broker, durable: Durable) -> bool:
    """Somebody waits for what comes next."""
    return bool((await broker.js.consumer_info(durable.stream, durable.name)).num_waiting)


async def in_hand(broker: Broker, durable: Durable) -> int:
    """Messages a consumer was given and has not settled."""
    return int((await broker.js.consumer_info(durable.stream, durable.name)).num_ack_pending or 0)


async def _last_sequence(broker: Broker, durable: Durable) -> int:
    try:
        return int((await broker.js.get_last_msg(durable.stream, str(durable.config.filter_subject))).seq or 0)
    except NotFoundError:
        return 0
