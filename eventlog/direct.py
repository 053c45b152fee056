"""Direct gets of many subjects at once: the last message of each subject a filter matches.

Server ≥ 2.11 answers a `multi_last` request with the messages themselves on the reply subject, found through the
subject index, and ends with status 204. nats-py has no call for it yet.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from nats.aio.msg import Msg

from eventlog.connection import Broker, Unavailable

NO_RESULTS, TOO_MANY, END = "404", "413", "204"
PAGE = 1_000


class TooMany(Exception):
    """More subjects match than the server will answer in one go (1,024)."""


@dataclass(frozen=True)
class StoredMessage:
    subject: str
    sequence: int
    headers: dict[str, str]
    payload: bytes


@dataclass
class _Reply:
    done: asyncio.Future[None]
    messages: list[StoredMessage] = field(default_factory=list)
    left: int = 0


class DirectReader:
    """Reads many subjects per request, over one reply subscription for all requests."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._replies: dict[str, _Reply] = {}
        self._inbox = ""
        self._next = 0
        self._lock = asyncio.Lock()

    async def last_of_each(self, stream: str, filters: Sequence[str]) -> list[StoredMessage]:
        """The last message on every subject that matches, in stream order. Errors: Unavailable."""
        try:
            return (await self._ask(stream, {"multi_last": list(filters)})).messages
        except TooMany:
            found: list[StoredMessage] = []
            for each in filters:
                found += await self._walk(stream, each)
            return sorted(found, key=lambda message: message.sequence)

    async def pages(self, stream: str, subject: str, start: int | datetime = 1) -> AsyncIterator[list[StoredMessage]]:
        """Every message a filter matches, in stream order, from a sequence or a moment on. Errors: Unavailable."""
        place = {"seq": start} if isinstance(start, int) else {"start_time": start.astimezone(UTC).isoformat()}
        while True:
            reply = await self._ask(stream, {**place, "next_by_subj": subject, "batch": PAGE})
            if reply.messages:
                yield reply.messages
            if not reply.messages or not reply.left:
                return
            place = {"seq": reply.messages[-1].sequence + 1}

    async def _walk(self, stream: str, subject: str) -> list[StoredMessage]:
        """The slow way, for a filter that matches too much."""
        last: dict[str, StoredMessage] = {}
        async for page in self.pages(stream, subject):
            last.update((message.subject, message) for message in page)
        return list(last.values())

    async def _ask(self, stream: str, request: dict[str, object]) -> _Reply:
        await self._listen()
        self._next += 1
        token, reply = str(self._next), _Reply(asyncio.get_running_loop().create_future())
        self._replies[token] = reply
        broker = self._broker
        where = f"{broker.api}.DIRECT.GET.{stream}"
        try:
            async with broker.nc.answering(where), asyncio.timeout(broker.try_s):
                await broker.nc.publish(where, msgspec.json.encode(request), reply=f"{self._inbox}.{token}")
                await reply.done
        except TimeoutError as error:
            raise Unavailable(f"no direct answer from {stream}") from error
        finally:
            del self._replies[token]
        return reply

    async def _listen(self) -> None:
        async with self._lock:
            if not self._inbox:
                inbox = self._broker.nc.new_inbox()
                await self._broker.nc.subscribe(f"{inbox}.*", cb=self._receive)
                self._inbox = inbox

    async def _receive(self, msg: Msg) -> None:
        reply = self._replies.get(msg.subject.rpartition(".")[2])
        if reply is None or reply.done.done():
            return  # the answer to a question nobody waits for any more
        headers = msg.headers or {}
        status = headers.get("Status")
        if status is None:
            reply.messages.append(
                StoredMessage(headers["Nats-Subject"], int(headers["Nats-Sequence"]), headers, msg.data)
            )
        elif status == TOO_MANY:
            reply.done.set_exception(TooMany())
        elif status in {END, NO_RESULTS}:
            reply.left = int(headers.get("Nats-Num-Pending", 0))
            reply.done.set_result(None)
        else:
            reply.done.set_exception(Unavailable(f"direct get: {status} {headers.get('Description', '')}"))
