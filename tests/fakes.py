"""What tests put in the place of the world: a provider that does as told, and a clock that stands still.

The provider behaves like Resend's idempotency: the same key and body give the same email. Whatever it accepted is a
mail that reached somebody, so `accepted` is what every exactly-once test counts.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from services.sender.outcome import Accepted, Answer, Refused
from tests.factories import NOW


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


class Provider:
    """Accepts everything once per key, unless `script` says otherwise for the next calls."""

    def __init__(self, *script: Answer | Exception) -> None:
        self.script = list(script)
        self.calls: list[str] = []
        self.bodies: dict[str, list[bytes]] = {}
        self.accepted: Counter[str] = Counter()
        self._ids: dict[str, tuple[bytes, str]] = {}
        self.before_answer: Callable[[], Awaitable[None]] | None = None

    async def send(self, body: str, *, key: str) -> Answer:
        self.calls.append(key)
        self.bodies.setdefault(key, []).append(body.encode())
        if self.script and isinstance(self.script[0], Refused):
            return self.script.pop(0)  # type: ignore[return-value]
        answer = self._accept(body.encode(), key)
        if self.before_answer:
            await self.before_answer()
        if self.script:
            scripted = self.script.pop(0)
            if isinstance(scripted, Exception):
                raise scripted  # accepted, but we never hear of it
        return answer

    def forget_keys(self) -> None:
        """24 h have passed."""
        self._ids.clear()

    def _accept(self, body: bytes, key: str) -> Answer:
        if key not in self._ids:
            self._ids[key] = body, f"re_{len(self._ids)}"
            self.accepted[key] += 1
        known, provider_id = self._ids[key]
        return Accepted(provider_id) if known == body else Refused(409, "invalid_idempotent_request")
