"""What became of each delivery: one line in the log, one count, and one span around the handler.

The words that handlers end with are for people, and there may be any number of them; a label of a metric is one of
a closed list.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
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
LEVELS = {Done: "info", Retry: "warning", Pause: "warning", Park: "error"}

REASONS = {
    # the sender, done
    "email_sent": "sent",
    "email_attempt_failed": "attempt_failed",
    "email_failed": "failed",
    "failed:": "failed",
    "email_unknown": "unknown",
    "unknown:": "unknown",
    "skipped:": "skipped",
    "already ": "already_ended",
    "unwanted:": "unwanted",
    "held, in doubt": "held",
    "armed for later": "not_yet_due",
    "campaign ": "campaign_not_loaded",
    # the scheduler and notion_sync, done
    "armed ": "in_line",
    "about no contact": "about_no_contact",
    "nothing to show": "in_line",
    "what was parked stays parked": "parked_before",
    "Email ": "notion",
    "BusinessX ": "notion",
    "done": "done",
    # not now
    "stopping": "stopping",
    "paused": "paused",
    "not planned,": "replica_lags",
    "settled, but": "replica_lags",
    "not wanted,": "replica_lags",
    "the history lacks": "replica_lags",
    "the broker's clock": "clocks_differ",
    "another sender": "contended",
    "another notion_sync": "contended",
    "the provider is at it": "provider_busy",
    "an earlier create": "in_doubt",
    "a fact of a newer version": "newer_version",
    "unforeseen ": "unforeseen",
    "JetStream ": "broker",
    "not connected to NATS": "broker",
    "no direct answer": "broker",
    "direct get": "broker",
    "cannot read ": "broker",
    "consumer ": "broker",
    "no consumer ": "broker",
    "there is no consumer": "broker",
    "wake-up not readable": "broker",
    "purge failed": "broker",
    "bucket ": "broker",
    "the claim vanished": "broker",
    "could not be dropped": "broker",
    "no NATS server": "broker",
    # closed
    "daily_quota_exceeded": "quota",
    "monthly_quota_exceeded": "quota",
    "missing_api_key": "key",
    "invalid_api_key": "key",
    "restricted_api_key": "key",
    "suspended_api_key": "key",
    "invalid_permission": "key",
    # parked
    "undecodable": "undecodable",
    "unknown campaign": "unknown_campaign",
    "refused by Notion": "refused_by_notion",
}
"""What the words begin with, and the label they become. Anything else is `other`."""


def reason_of(outcome: Outcome) -> str:
    """A label: one of a closed list, whatever the words say."""
    said = outcome.what if isinstance(outcome, Done) else outcome.reason
    return _label(said)


@lru_cache(maxsize=1_000)
def _label(said: str) -> str:
    return next((label for words, label in REASONS.items() if said.startswith(words)), "other")


class Deliveries:
    """Of one consumer."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._took = HANDLING.labels(service)
        self._log = log.bind(service=service)

    @contextmanager
    def handling(self, items: Sequence[Item[Any]]) -> Iterator[None]:
        """Around a handler: what it stores belongs to the trace of the newest of what it was given."""
        *others, newest = (trace.carried(item.msg.headers) for item in items)
        links = [each for each in others if each.trace_id != newest.trace_id]
        with trace.within(newest), trace.span("handle", "consumer", links=links, service=self._service):
            yield

    def settled(self, items: Sequence[Item[Any]], outcome: Outcome, started: float) -> None:
        took_s, kind = time.monotonic() - started, type(outcome)
        self._took.observe(took_s)
        DELIVERIES.labels(self._service, kind.__name__.lower(), reason_of(outcome)).inc(len(items))
        words = {name: value for name, value in vars(outcome).items() if name != "detail"}
        for item in items:
            self._tell(LEVELS[kind], kind.__name__.lower(), item, ms=round(1000 * took_s, 1), **words)

    def given_back(self, items: Sequence[Item[Any]], outcome: Retry) -> None:
        """What was pulled and never begun."""
        DELIVERIES.labels(self._service, "retry", reason_of(outcome)).inc(len(items))
        for item in items:
            self._tell("info", "retry", item, after_s=outcome.after_s, reason=outcome.reason)

    def _tell(self, level: str, event: str, item: Item[Any], **words: object) -> None:
        contact, event_id = subjects.about(item.subject) or (None, None)
        getattr(self._log, level)(
            event,
            event_id=event_id,
            contact=contact,
            trace_id=trace.carried(item.msg.headers).trace_id,
            subject=item.subject,
            attempt=item.attempt,
            **words,
        )
