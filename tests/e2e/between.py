"""What stands between a website and ingest, and can fail: a small HTTP server that passes requests on, or does not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.params import FromPath

from services.http import HttpServer

Pass = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Fault:
    """What happens to one request: answered here with `status`, before or after ingest has had it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stored: bool = False
    is_silent: bool = False
    """No answer at all, for as long as whoever asks will wait."""


@dataclass
class Between:
    """`faults` meet the first requests, one each; the rest are passed on. What came is kept, with its time."""

    target: httpx.AsyncClient
    faults: list[Fault] = field(default_factory=list)
    change: Pass = bytes
    ids: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    came: list[float] = field(default_factory=list)
    url: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Response[bytes]:
        self.ids.append(headers.get("webhook-id", ""))
        self.bodies.append(body)
        self.came.append(asyncio.get_running_loop().time())
        fault = self.faults.pop(0) if self.faults else None
        if fault and fault.is_silent and not fault.is_stored:
            await self.over.wait()
        if fault and not fault.is_stored:
            return Response(b"", status_code=fault.status, headers=dict(fault.headers))
        kept = {name: value for name, value in headers.items() if name.startswith(("webhook-", "content-type"))}
        answer = await self.target.post(path, content=self.change(body), headers=kept)
        if fault:
            assert answer.status_code == 202, answer.text
            if fault.is_silent:
                await self.over.wait()
            return Response(b"", status_code=fault.status, headers=dict(fault.headers))
        return Response(answer.content, status_code=answer.status_code, media_type=answer.headers["content-type"])


@asynccontextmanager
async def between(target: httpx.AsyncClient, *faults: Fault, change: Pass = bytes) -> AsyncIterator[Between]:
    middle = Between(target, list(faults), change)

    @post("/{path:path}")
    async def pass_on(request: Request[object, object, State], path: FromPath[str]) -> Response[bytes]:
        return await middle.take(path, dict(request.headers), await request.body())

    async with HttpServer(Litestar([pass_on]), host="127.0.0.1", port=0) as server:
        middle.url = server.url
        try:
            yield middle
        finally:
            middle.over.set()
