"""Stopped at any line, a signup is told: once, or twice where nobody can know whether the chat has it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.aio.msg import Msg

from contracts.facts import AnyFact
from contracts.subjects import fact_subject
from eventlog.outcomes import Done, Item, Retry
from services.notifier.handlers import Shell, tell_signup
from tests.factories import make_signup
from tests.integration.notifier.kit import Room


class Stopped(BaseException):
    """The process is gone; no handler of errors hears of that."""


class StopsAt:
    """The notes and the chat of a notifier that dies just before or just after its so-manieth question to them."""

    def __init__(self, shell: Shell, at: int, *, after: bool) -> None:
        self._shell, self._left, self._after = shell, at, after

    async def get(self, *args: Any) -> Any:
        return await self._ask(self._shell.notices.get, *args)

    async def put(self, *args: Any, **options: Any) -> Any:
        return await self._ask(self._shell.notices.put, *args, **options)

    async def post(self, *args: Any) -> Any:
        return await self._ask(self._shell.poster.post, *args)

    def shut(self) -> None:
        return None

    async def _ask(self, question: Any, *args: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Stopped
        answer = await question(*args, **options)
        if self._left == 0:
            raise Stopped
        return answer


LOOKED, CLAIMED, POSTED, NOTED = 1, 2, 3, 4


@pytest.mark.parametrize(
    ("at", "after", "there", "at_once", "told"),
    [
        (LOOKED, False, 0, Done, 1),
        (LOOKED, True, 0, Done, 1),
        (CLAIMED, False, 0, Done, 1),
        (CLAIMED, True, 0, Retry, 1),
        (POSTED, False, 0, Retry, 1),
        (POSTED, True, 1, Retry, 2),
        (NOTED, False, 1, Retry, 2),
        (NOTED, True, 1, Done, 1),
    ],
)
async def test_stopped_at_any_line_it_is_told_and_never_a_third_time(
    room: Room, at: int, after: bool, there: int, at_once: type, told: int
) -> None:
    """`there`: how often the chat has it when the process is gone; `at_once`: what the next one comes to."""
    shell, fact = room.shell(), make_signup(at=datetime.now(UTC))
    item = Item[AnyFact](fact, fact_subject(fact), 1, 1, Msg(room.broker.nc))
    dies: Any = StopsAt(shell, at, after=after)
    with pytest.raises(Stopped):
        await tell_signup([item], replace(shell, notices=dies, poster=dies))
    assert len(room.chat) == there
    assert isinstance(await tell_signup([item], shell), at_once)
    room.clock.ahead = timedelta(seconds=91)
    assert isinstance(await tell_signup([item], shell), Done)
    room.clock.ahead = timedelta(hours=23)
    assert await tell_signup([item], shell) == Done("told before", label="told_before")
    assert len(room.chat) == told
