import asyncio

import pytest
from structlog.testing import capture_logs

from services.notion_sync.answers import Refusal
from services.notion_sync.often import often


async def test_trouble_does_not_end_the_looking_and_is_said_without_its_message() -> None:
    troubles = iter([Refusal("busy", "rate_limited"), ValueError("ada@example.com")])
    calm = asyncio.Event()

    async def look() -> None:
        if trouble := next(troubles, None):
            raise trouble
        calm.set()

    with capture_logs() as logs:
        looking = asyncio.create_task(often(look, what="rows", every_s=0))
        await calm.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
    ours = [line for line in logs if line.get("what") == "rows"]
    assert [line["event"] for line in ours] == ["look_postponed", "look_failed"]
    assert "ada@example.com" not in repr(ours)


async def test_a_cancellation_that_a_look_lost_ends_the_looking_all_the_same() -> None:
    """As `asyncio.wait_for` of Python 3.11 loses one that meets its answer."""
    begun = asyncio.Event()

    async def look() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return

    looking = asyncio.create_task(often(look, what="rows", every_s=60))
    await begun.wait()
    looking.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(looking, return_exceptions=True)
