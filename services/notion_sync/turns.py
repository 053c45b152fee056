"""Calls to Notion, each in its turn, and none while Notion is to be left in peace."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import msgspec
from aiolimiter import AsyncLimiter
from notion_client.errors import NotionClientErrorBase

from services.notion_sync.answers import Refusal, refusal
from services.notion_sync.metrics import PER_SECOND, called, held_until

T = TypeVar("T")

HOLD_S = (1.0, 5.0, 15.0, 30.0)
"""How long nobody asks anything after trouble that Notion gave no time for, by how often it came in a row."""


class Turns:
    """Errors, of every call: Refusal."""

    def __init__(self, per_second: float, clock: Callable[[], datetime]) -> None:
        self._limiter = AsyncLimiter(1, 1 / per_second)
        PER_SECOND.set(per_second)
        self._clock = clock
        self._held_until, self._held_for = datetime.min.replace(tzinfo=UTC), ""
        self._in_a_row = 0
        self.made = 0
        """Calls so far, for those who tell how many are left."""

    async def take(self, call: Callable[[], Awaitable[Any]], shape: type[T], *, probe: bool = False) -> T:
        """One call, and its answer in the shape it should have. `probe`: a request that is meant to be wrong."""
        self._refuse_while_held()
        await self._limiter.acquire()
        self._refuse_while_held()  # somebody else may have been told meanwhile
        self.made += 1
        try:
            answer = msgspec.convert(await call(), shape)
        except (NotionClientErrorBase, httpx.HTTPError, ValueError) as error:
            found = refusal(error, self._clock())
            called("probe" if probe and found.status == 400 else found.kind)
            self._hold_back(found)
            raise found from None  # the cause quotes what was written
        called("ok")
        self._in_a_row = 0
        return answer

    def _hold_back(self, found: Refusal) -> None:
        """Trouble that is not this request's own is everybody's: nobody asks for a while, and then one for all."""
        if not found.is_everywhere:
            self._in_a_row = 0
            return
        now = self._clock()
        if now >= self._held_until:  # else it was asked before that trouble began
            self._in_a_row += 1
        found.hold_s = found.after_s or HOLD_S[min(self._in_a_row, len(HOLD_S)) - 1]
        self._held_for = str(found)
        self._held_until = max(self._held_until, now + timedelta(seconds=found.hold_s))
        held_until(self._held_until)

    def _refuse_while_held(self) -> None:
        left = (self._held_until - self._clock()).total_seconds()
        if left > 0:
            refused = Refusal("busy", f"left in peace after {self._held_for}", after_s=left)
            refused.hold_s = left
            raise refused
