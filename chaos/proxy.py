"""A way through which a process reaches somebody, and that can be cut, closed or clogged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK = 64 * 1024


class Proxy:
    """TCP from a port of its own on loopback to another one there."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Every connection ends at once, without a word."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def refuse(self, for_s: float) -> None:
        """None is left, and none comes about, for so long."""
        self._refusing = True
        self.cut()
        try:
            await asyncio.sleep(for_s)
        finally:
            self._refusing = False

    async def blackhole(self, for_s: float) -> None:
        """Whatever is said is heard by nobody; then the connections end, and it is lost."""
        self._open.clear()
        try:
            await asyncio.sleep(for_s)
        finally:
            self.cut()
            self._open.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if not self._refusing:
                await self._connect(reader, writer)
        except OSError:
            return  # nobody there: our side is closed too, as the kernel would
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to_port)
        self._writers.add(back)
        pumps = [asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers.discard(back)
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
