"""Between two posts there is a gap, and nobody waits for it who has posted."""

import asyncio
import time

from services.notifier.answer import Posted
from services.notifier.message import Message
from tests.integration.notifier.kit import Room


async def test_a_post_is_known_as_soon_as_the_chat_has_answered(room: Room) -> None:
    """Whoever is killed between a post and its note tells the same once more."""
    poster = room.poster(gap_s=3600)
    async with asyncio.timeout(60):
        assert isinstance(await poster.post(Message("one")), Posted)


async def test_the_next_post_waits_for_its_turn(room: Room) -> None:
    poster = room.poster(gap_s=0.5)
    await poster.post(Message("one"))
    answered = time.monotonic()
    assert isinstance(await poster.post(Message("two")), Posted)
    assert time.monotonic() - answered > 0.4  # the first was answered a little before we looked at the clock
    assert len(room.chat) == 2
