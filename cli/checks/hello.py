"""What a nats-server says to whoever opens a connection, before anybody has said who they are."""

import asyncio
from urllib.parse import SplitResult, urlsplit

import msgspec

HELLO_S = 2.0


class Hello(msgspec.Struct, frozen=True):
    """Where it listens, and whether it asks who one is."""

    host: str = ""
    auth_required: bool = False


async def hello(url: str) -> Hello | None:
    """None where nobody answers, or it is no NATS, or one that wants TLS first."""
    try:
        async with asyncio.timeout(HELLO_S):
            reader, writer = await asyncio.open_connection(split(url).hostname, split(url).port or 4222)
            said = await reader.readline()
            writer.close()
        return msgspec.json.decode(said.removeprefix(b"INFO "), type=Hello) if said.startswith(b"INFO ") else None
    except (OSError, TimeoutError, ValueError):
        return None


def split(url: str) -> SplitResult:
    return urlsplit(url if "://" in url else f"nats://{url}")


def host(url: str) -> str:
    """Without user and password."""
    return url.strip().rpartition("@")[2].rpartition("://")[2]
