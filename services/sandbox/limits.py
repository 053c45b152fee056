"""The two providers' rate limits; time is an argument."""

import math
from collections import deque
from datetime import datetime

import msgspec


class Allowance(msgspec.Struct, frozen=True):
    allowed: bool
    limit: int
    remaining: int
    reset_s: int


class SlidingWindow:
    """Resend: at most `limit` calls in any second. A refused call does not count."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def take(self, rate: float, now: datetime) -> Allowance:
        limit, at = max(1, math.floor(rate)), now.timestamp()
        while self._taken and at - self._taken[0] >= 1:
            self._taken.popleft()
        allowed = len(self._taken) < limit
        if allowed:
            self._taken.append(at)
        reset = max(1, math.ceil(self._taken[0] + 1 - at))
        return Allowance(allowed, limit, limit - len(self._taken), reset)

    def clear(self) -> None:
        self._taken.clear()


class TokenBucket:
    """Notion: an average with bursts. `take` answers 0 or the seconds until one more call is allowed."""

    def __init__(self) -> None:
        self._tokens: float | None = None
        self._at = 0.0

    def take(self, rate: float, burst: int, now: datetime) -> int:
        at = now.timestamp()
        held = burst if self._tokens is None else self._tokens + max(0.0, at - self._at) * rate
        self._tokens, self._at = min(float(burst), held), at
        if self._tokens < 1:
            return max(1, math.ceil((1 - self._tokens) / rate))
        self._tokens -= 1
        return 0

    def clear(self) -> None:
        self._tokens = None
