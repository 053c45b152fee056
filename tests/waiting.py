"""Waiting for an outcome: as short as it takes, and never for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], *, timeout: float = 5.0) -> None:  # noqa: ASYNC109
    """Until the condition holds; an assertion that names it when it does not."""
    deadline = time.monotonic() + timeout
    while not await condition():
        assert time.monotonic() < deadline, f"did not happen within {timeout} s: {condition.__qualname__}"
        await asyncio.sleep(0.02)
