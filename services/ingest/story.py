"""One line in the log for each webhook, whatever became of it, and the trace that begins with it."""

import time
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from eventlog import trace

log = structlog.get_logger(__name__)

WEBHOOKS = "/webhook/"
BAD = ("info", "warning", "error")


class Story:
    """What the parts of a route have to say of one request. The worst of it sets the level of the line."""

    def __init__(self) -> None:
        self.event, self.level = "webhook", "info"
        self.words: dict[str, Any] = {}

    def add(self, event: str, level: str, words: dict[str, Any]) -> None:
        """The last event names the line; of facts beside the first only the ids are added."""
        self.event = event
        self.level = max(self.level, level, key=BAD.index)
        if "event_id" in words and "event_id" in self.words:
            self.words.setdefault("also", []).append(f"{words['contact']}.{words['type']}.{words['event_id']}")
        else:
            self.words |= words


_story: ContextVar[Story | None] = ContextVar("story", default=None)


def tell(event: str, level: str = "info", **words: Any) -> None:
    """Into the line of this webhook; outside of one, a line of its own."""
    if story := _story.get():
        story.add(event, level, words)
    else:
        getattr(log, level)(event, **words)


def told(app: ASGIApp) -> ASGIApp:
    """Middleware: around every webhook a trace, a span and a line."""

    async def webhook(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith(WEBHOOKS):
            await app(scope, receive, send)
            return
        story, status, started = Story(), 0, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        route = str(scope.get("path_template") or scope["path"])
        token = _story.set(story)
        try:
            with structlog.contextvars.bound_contextvars(service="ingest"), _trace(scope), _span(route):
                try:
                    await app(scope, receive, answer)
                finally:
                    took_ms = round(1000 * (time.perf_counter() - started), 1)
                    words = {"trace_id": _trace_id(), "route": route, "status": status, "ms": took_ms} | story.words
                    getattr(log, story.level)(story.event, **words)
        finally:
            _story.reset(token)

    return webhook


def _trace(scope: Scope) -> AbstractContextManager[None]:
    """The sender's, if it says so in a form we can read; else one begins here."""
    found = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    return trace.within(trace.parse(found.decode("latin-1")) or trace.fresh())


def _span(route: str) -> AbstractContextManager[None]:
    return trace.span("webhook", "server", route=route)


def _trace_id() -> str:
    here = trace.current()
    return here.trace_id if here else ""
