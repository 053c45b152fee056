"""Every webhook's answer counted, and the counts kept as facts. Nothing here slows or fails a webhook."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

import structlog
from litestar import Litestar
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from contracts.operations import WebhooksCounted
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from services.ingest.tally import Tally

log = structlog.get_logger(__name__)

EVERY_S = 600.0
LAST_S = 2.0
"""How long a process that stops waits for the broker to take its last counts."""

WEBHOOK = "webhook"
"""The option of a route that says under which name its answers are counted; what has none is not."""


class Counting:
    """The counts of this process, and the way they take into the log.

    Where the log did not answer, the very fact is kept: asked again under its identity it is never counted twice.
    """

    def __init__(self, broker: Broker, clock: Callable[[], datetime], *, every_s: float | None = None) -> None:
        self._broker, self._clock, self._every_s = broker, clock, every_s or EVERY_S
        self._tally = Tally(secrets.token_hex(4), clock())
        self._untold: WebhooksCounted | None = None

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """From the moment a request's head is here until the last byte of its answer is handed over."""

        async def count(scope: Scope, receive: Receive, send: Send) -> None:
            if (route := _route(scope)) is None:
                await app(scope, receive, send)
                return
            began, status = time.perf_counter(), int(HTTPStatus.INTERNAL_SERVER_ERROR)

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                self._tally.add(route, status, 1000 * (time.perf_counter() - began))

        return count

    @asynccontextmanager
    async def telling(self, _: Litestar) -> AsyncIterator[None]:
        """While the application lives, and once more when its last request is answered."""
        task = asyncio.create_task(self._keep_telling())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.tell(within_s=LAST_S)

    async def tell(self, *, within_s: float | None = None) -> None:
        """Append what was counted; what the log does not take is told the next time. Errors: none.

        `within_s` is for the last time there is: what the log does not take then is lost.
        """
        events = EventLog(replace(self._broker, timeout_s=within_s) if within_s else self._broker)
        try:
            async with asyncio.timeout(within_s):
                await self._tell(events)
                self._untold = self._tally.take(self._clock())
                await self._tell(events)
        except (Unavailable, TimeoutError) as error:
            reason, kept = str(error) or "the broker did not answer", within_s is None
            log.warning("webhooks_not_counted", reason=reason, kept=kept)

    async def _tell(self, events: EventLog) -> None:
        if self._untold:
            await events.append(self._untold)
            self._untold = None

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.tell()
            except Exception as error:  # noqa: BLE001 - counting must not end with one surprise
                log.warning("webhooks_not_counted", reason=type(error).__name__, kept=self._untold is not None)


def _route(scope: Scope) -> str | None:
    handler = scope.get("route_handler")
    found = handler.opt.get(WEBHOOK) if handler is not None else None
    return str(found) if found else None
