"""Load over HTTP: keep-alive connections on bare sockets, so that the generator is not what is measured."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self, cast

import msgspec
from standardwebhooks import Webhook

from bench.people import CAMPAIGN, form

SECRET = "whsec_" + b64encode(b"a secret only for the benchmark.").decode()


def signed_posts(numbers: range, port: int) -> list[bytes]:
    """Whole requests, signed now: valid for five minutes."""
    webhook, now = Webhook(SECRET), datetime.now(UTC)
    return [_post(webhook, now, number, port) for number in numbers]


def _post(webhook: Webhook, now: datetime, number: int, port: int) -> bytes:
    body = msgspec.json.encode(form(number)).decode()
    lines = (
        f"POST /webhook/signup/{CAMPAIGN} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"webhook-id: msg_{number}",
        f"webhook-timestamp: {int(now.timestamp())}",
        f"webhook-signature: {webhook.sign(f'msg_{number}', now, body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up") if exc is None else exc)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or self._answer is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length:
            self._received = b""
            self._answer.set_result(int(head[9:12]))

    async def ask(self, request: bytes) -> int:
        """The status of the answer, once all of it is there."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport:
            self._transport.close()


class Load:
    """A pool of connections to one port."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._size = connections
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        self._idle = [await self._open() for _ in range(self._size)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._idle:
            connection.close()

    async def at_rate(self, requests: Sequence[bytes], per_second: float) -> list[float]:
        """Constant arrivals, whatever the answers do: from the moment each request was planned to the end of its
        answer, in ms. A late generator counts against the server. Errors: RuntimeError for any answer but 202.
        """
        start = time.monotonic() + 0.1
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number, request in enumerate(requests):
                planned = start + number / per_second
                await asyncio.sleep(planned - time.monotonic())
                tasks.append(group.create_task(self._timed(request, planned)))
        return [task.result() for task in tasks]

    async def flat_out(self, requests: Sequence[bytes]) -> list[float]:
        """As fast as the answers come, one request on each connection: ms from sending to the end of the answer."""
        left = iter(requests)

        async def caller() -> list[float]:
            return [await self._timed(request, time.monotonic()) for request in left]

        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(caller()) for _ in range(self._size)]
        return [delay for each in callers for delay in each.result()]

    async def _timed(self, request: bytes, planned: float) -> float:
        connection = self._idle.pop() if self._idle else await self._open()
        status = await connection.ask(request)
        self._idle.append(connection)
        if status != 202:
            raise RuntimeError(f"ingest answered {status}")
        return 1000 * (time.monotonic() - planned)

    async def _open(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return connection
