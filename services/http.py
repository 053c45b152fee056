"""Uvicorn as a guest in our event loop: one process, many services, and the parent keeps the signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Self

import uvicorn
from litestar.types import ASGIApp

GRACE_S = 2
"""How long open requests may take to finish once the server stops."""


class HttpServer:
    """A running application: `async with HttpServer(app) as server: server.url`.

    Units:  port 0 takes a free one, known as `port` once entered.
    Errors: OSError where the address is taken; RuntimeError where the application does not start.
    """

    def __init__(
        self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, protocol: type[asyncio.Protocol] | None = None
    ) -> None:
        self.host = host
        self.port = port
        self._guest = _Guest(
            uvicorn.Config(
                app,
                http=protocol or "auto",
                lifespan="on",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=2048,
                # Longer than a proxy keeps an idle connection to us: it must not send into our close.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    async def start(self) -> Self:
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        serving = asyncio.create_task(self._guest.serve(sockets=[listener]), name=f"http-{self.port}")
        await self._guest.is_ready(serving)
        self._serving = serving
        return self

    async def stop(self) -> None:
        if self._serving is not None:
            self._guest.should_exit = True
            await self._serving
            self._serving = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Guest(uvicorn.Server):
    """Leaves signals alone, and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as error:  # it would end the whole process, and every other service with it
            raise RuntimeError("the application did not start") from error
        self._ready.set()

    async def is_ready(self, serving: asyncio.Task[None]) -> None:
        """Or raise what kept it from starting."""
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if serving.done():
            serving.result()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # Accepted sockets inherit it. asyncio sets it only on sockets made with an explicit protocol number, and then
    # an answer's head and body, written apart, wait 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
