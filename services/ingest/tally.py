"""How webhooks were answered, counted until it is told. Pure: what is measured and when comes from outside."""

from datetime import datetime

from msgspec.structs import replace

from contracts.operations import Answers, WebhooksCounted

SLOW_MS = 500.0
"""The target of the business: an answer takes less."""


class Tally:
    """The counts of one process since it told them last. `process` makes its facts its own."""

    def __init__(self, process: str, since: datetime) -> None:
        self._process, self._since = process, since
        self._routes: dict[str, Answers] = {}

    def add(self, route: str, status: int, ms: float) -> None:
        """One answer."""
        self._routes[route] = counted(self._routes.get(route, Answers()), status, ms)

    def take(self, now: datetime) -> WebhooksCounted | None:
        """What was counted, as a fact, and begin anew; None where there was nothing."""
        routes, since = self._routes, self._since
        self._routes, self._since = {}, now
        return WebhooksCounted(at=now, process=self._process, since=since, routes=routes) if routes else None


def counted(before: Answers, status: int, ms: float) -> Answers:
    """With one answer more."""
    taken = max(0.0, round(ms, 1))
    return replace(
        before,
        accepted=before.accepted + (status < 400),
        refused=before.refused + (400 <= status < 500),
        failed=before.failed + (status >= 500),
        slow=before.slow + (taken >= SLOW_MS),
        slowest_ms=max(before.slowest_ms, taken),
    )
