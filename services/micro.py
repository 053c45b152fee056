"""Every running service tells NATS that it is there, and some answer questions: `nats micro ls` lists them.

The protocol is ADR-32 of NATS, as nats.micro of nats-py speaks it. Nothing here may end a service: it works as well
unlisted.
"""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.micro.request import Request, ServiceError
from nats.micro.service import EndpointConfig, Service, ServiceConfig

from contracts.subjects import question
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from services.questions import ENVELOPE, Refused

log = structlog.get_logger(__name__)

START_S, DRAIN_S = 2.0, 2.0
BUG = "it could not be answered because of a fault of ours: the log of the service has a line `question_failed`"


@dataclass(frozen=True)
class Question:
    """One thing a service answers: the bytes of a request, and how many the answer may have → anything JSON.

    `answer` may raise Refused and Unavailable; anything else is a bug, and is told as one.
    """

    name: str
    about: str
    example: str
    answer: Callable[[bytes, int], Awaitable[Any]]


@asynccontextmanager
async def registered(broker: Broker, name: str, about: str, questions: Sequence[Question] = ()) -> AsyncIterator[None]:
    """Listed as `dripstream-<name>`, and asked, while the block runs; what was asked by then is still answered.

    Processes of one service share its questions: each is answered by one of them.
    """
    service = _Service(
        broker,
        ServiceConfig(
            name=f"dripstream-{name}",
            version=semver(_installed()),
            description=about,
            metadata={"host": socket.gethostname(), "pid": str(os.getpid())},
        ),
    )
    try:
        await _start(service, broker, name, questions)
        yield
    finally:
        await service.stop()


async def _start(service: Service, broker: Broker, name: str, questions: Sequence[Question]) -> None:
    """Nobody waits long for it, nor breaks it off: nats-py stops reading at the answer to a broken-off flush."""
    for each in questions:
        await service.add_endpoint(_endpoint(each, broker))
    starting = asyncio.create_task(service.start())
    _starting.add(starting)
    starting.add_done_callback(partial(_started, name))
    await asyncio.wait({starting}, timeout=START_S)


_starting: set[asyncio.Task[None]] = set()
"""The loop itself keeps no task alive."""


def _started(name: str, task: asyncio.Task[None]) -> None:
    """Where it was not heard, the client asks for all of it again when the broker is back."""
    _starting.discard(task)
    if not task.cancelled() and (error := task.exception()):
        log.warning("registered_later", service=name, error=type(error).__name__)


def _endpoint(asked: Question, broker: Broker) -> EndpointConfig:
    async def handle(request: Request) -> None:
        await request.respond(await answered(asked, request.data, broker.nc.max_payload - ENVELOPE))

    return EndpointConfig(
        name=asked.name,
        subject=question(asked.name),
        handler=handle,
        metadata={"description": asked.about, "request": asked.example},
    )


async def answered(asked: Question, payload: bytes, room: int) -> bytes:
    """The answer on the wire. Errors: ServiceError, which nats.micro counts and tells the one who asked."""
    try:
        return msgspec.json.encode(await asked.answer(payload, room))
    except Refused as error:
        raise ServiceError(str(error.code), str(error)) from error
    except Unavailable as error:
        log.warning("question_postponed", question=asked.name, reason=str(error))
        raise ServiceError("503", "JetStream does not answer: ask again in a few seconds") from error
    except Exception as error:
        _tell(asked, error)
        raise ServiceError("500", BUG) from error


def _tell(asked: Question, error: Exception) -> None:
    """Where it broke. Its message is left out: it may quote what was asked, and so a person."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    log.error("question_failed", question=asked.name, error=type(error).__name__, where=where)


class _Service(Service):
    """As nats.micro has it, but what it was asked before it leaves is answered, and it leaves within DRAIN_S.

    nats.micro drops requests that wait, and cancels the one in hand.
    """

    def __init__(self, broker: Broker, config: ServiceConfig) -> None:
        super().__init__(broker.nc, config)
        self._broker = broker

    async def stop(self) -> None:
        asked = [each._subscription for each in self._endpoints]  # noqa: SLF001 - nats.micro has no way to drain them
        listed = list(self._subscriptions.values())
        self._endpoints, self._subscriptions = [], {}
        await asyncio.gather(*(_leave(each, self._broker) for each in [*asked, *listed] if each))
        self.stopped.set()


async def _leave(subscription: Subscription, broker: Broker) -> None:
    """Drain it. Not with nats-py's own drain: broken off, its flush would end the reader (see `_start`)."""
    client, id_ = broker.nc, subscription._id  # noqa: SLF001 - nothing public ends a drain in time
    try:
        with contextlib.suppress(*UNREACHABLE, NatsError, Unavailable):  # no broker to say goodbye to
            async with asyncio.timeout(DRAIN_S):
                await client._send_unsubscribe(id_)  # noqa: SLF001
                await broker.ping()  # what was on its way has arrived
                await subscription._pending_queue.join()  # noqa: SLF001
    finally:
        subscription._stop_processing()  # noqa: SLF001
        client._remove_sub(id_)  # noqa: SLF001


def _installed() -> str:
    try:
        return version("dripstream")
    except PackageNotFoundError:  # run from a folder
        return "0"


_PYTHON = re.compile(r"(?:\d+!)?(\d+(?:\.\d+)*)((?:a|b|rc)\d+)?(?:\.(post\d+))?(?:\.(dev\d+))?(?:\+(.+))?")


def semver(python: str) -> str:
    """A Python version as semantic versioning writes it, which is all that NATS takes: `1.2rc1` is `1.2.0-rc1`."""
    match = _PYTHON.fullmatch(python)
    if not match:
        return "0.0.0"
    release, pre, post, dev, local = match.groups()
    numbers = [str(int(number)) for number in release.split(".")]
    before, build = ".".join(filter(None, (pre, dev))), ".".join(filter(None, (post, local)))
    return ".".join([*numbers, "0", "0"][:3]) + (before and f"-{before}") + (build and f"+{build}")
