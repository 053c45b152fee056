"""What became of each delivery: one line in the log, one count, and one span around the handler."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from contracts import subjects
from eventlog import trace
from eventlog.outcomes import Done, Item, Outcome, Park, Pause, Retry

log = structlog.get_logger(__name__)

DELIVERIES = Counter("dripstream_deliveries", "Messages handled, by how that ended", ["service", "outcome", "reason"])
HANDLING = Histogram(
    "dripstream_handling_seconds",
    "From a handler's beginning to the settling of what it was given",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
ENDS: dict[type[Outcome], tuple[str, str]] = {
    Done: ("done", "info"),
    Retry: ("retry", "warning"),
    Pause: ("pause", "warning"),
    Park: ("park", "error"),
}
"""The word for each kind of end, and how loud it is said."""


def _end_of(outcome: Outcome) -> tuple[str, str]:
    return next(end for kind, end in ENDS.items() if isinstance(outcome, kind))


def _words(outcome: Outcome) -> dict[str, Any]:
    """Those of the line; a detail may quote a person's data."""
    return {name: value for name, value in vars(outcome).items() if name not in {"detail", "label"}}


class Deliveries:
    """Of one consumer. All of it runs for every message."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._took = HANDLING.labels(service)
        self._log = log.bind(service=service)

    @contextmanager
    def handling(self, items: Sequence[Item[Any]]) -> Iterator[None]:
        """Around a handler: what it stores belongs to the trace of the newest of what it was given."""
        newest = items[-1].trace
        links = [item.trace for item in items[:-1] if item.trace.trace_id != newest.trace_id]
        with trace.within(newest), trace.span("handle", "consumer", links=links, service=self._service):
            yield

    def settled(self, items: Sequence[Item[Any]], outcome: Outcome, started: float) -> None:
        took_s = time.monotonic() - started
        self._took.observe(took_s)
        self._count(items, outcome)
        self._tell(items, *_end_of(outcome), ms=round(1000 * took_s, 1), **_words(outcome))

    def given_back(self, items: Sequence[Item[Any]], outcome: Retry) -> None:
        """What was pulled and never begun."""
        self._count(items, outcome)
        self._tell(items, "retry", "info", **_words(outcome))

    def _count(self, items: Sequence[Item[Any]], outcome: Outcome) -> None:
        DELIVERIES.labels(self._service, _end_of(outcome)[0], outcome.label).inc(len(items))

    def _tell(self, items: Sequence[Item[Any]], end: str, level: str, **words: object) -> None:
        """A line each."""
        say = getattr(self._log, level)
        for item in items:
            contact, event_id = subjects.about(item.subject) or (None, None)
            say(
                end,
                event_id=event_id,
                contact=contact,
                trace_id=item.trace.trace_id,
                subject=item.subject,
                attempt=item.attempt,
                **words,
            )
