"""A fault that does not strike would prove nothing: ways are cut, closed and clogged for certain."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chaos.proxy import Proxy

LONG_S = 20
STRUCK_S = 600
"""As good as for ever: each fault is ended by hand, so that it lasts as long as it is looked at."""


@pytest.fixture
async def way() -> AsyncIterator[Proxy]:
    """To somebody who says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]).running() as proxy:
        yield proxy


class Talk:
    """One connection through it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def hears(self, text: bytes) -> bytes:
        """What comes back; nothing when the connection is gone."""
        self.writer.write(text)
        try:
            async with asyncio.timeout(LONG_S):
                return await self._reader.read(100)
        except ConnectionError:
            return b""


async def talk(way: Proxy) -> Talk:
    return Talk(*await asyncio.open_connection("127.0.0.1", way.port))


async def test_what_is_said_is_passed_on(way: Proxy) -> None:
    assert await (await talk(way)).hears(b"hello") == b"hello"


async def test_a_cut_ends_every_connection_and_the_next_one_works(way: Proxy) -> None:
    one, other = await talk(way), await talk(way)
    assert (await one.hears(b"1"), await other.hears(b"2")) == (b"1", b"2")
    way.cut()
    assert (await one.hears(b"1"), await other.hears(b"2")) == (b"", b"")
    assert await (await talk(way)).hears(b"again") == b"again"


async def test_while_it_refuses_nobody_gets_through(way: Proxy) -> None:
    before = await talk(way)
    assert await before.hears(b"1") == b"1"
    refusing = asyncio.create_task(way.refuse(STRUCK_S))
    await asyncio.sleep(0)
    assert await before.hears(b"2") == b""
    assert await (await talk(way)).hears(b"3") == b""
    await ended(refusing)
    assert await (await talk(way)).hears(b"4") == b"4"


async def ended(fault: asyncio.Task[None]) -> None:
    fault.cancel()
    await asyncio.wait({fault})


async def test_what_went_into_a_black_hole_never_comes_out(way: Proxy) -> None:
    line = await talk(way)
    assert await line.hears(b"1") == b"1"
    hole = asyncio.create_task(way.blackhole(STRUCK_S))
    await asyncio.sleep(0)
    hearing = asyncio.create_task(line.hears(b"2"))
    await asyncio.sleep(0.3)  # it would have come back long ago
    assert not hearing.done()
    await ended(hole)
    assert await hearing == b""
    assert await (await talk(way)).hears(b"3") == b"3"
