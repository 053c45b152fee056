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
ENDS: dict[type[Outcome], tuple[str, str]] = {
    Done: ("done", "info"),
    Retry: ("retry", "warning"),
    Pause: ("pause", "warning"),
    Park: ("park", "error"),
}
"""The word for each kind of end, and how loud it is said."""

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
    # the notifier, done
    "posted": "posted",
    "told before": "told_before",
    "no signup": "not_news",
    "no news any more": "not_news",
    "another segment": "not_news",
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
    "another notifier": "contended",
    "the provider is at it": "provider_busy",
    "an earlier create": "in_doubt",
    "it may have been posted": "in_doubt",
    "no answer: ": "in_doubt",
    "its page in Notion": "no_page_yet",
    "status ": "chat_refuses",
    "not reached: ": "chat_away",
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
    "EVENTS not readable": "broker",
    "the consumer notifier": "broker",
    # closed
    "daily_quota_exceeded": "quota",
    "monthly_quota_exceeded": "quota",
    "missing_api_key": "key",
    "invalid_api_key": "key",
    "restricted_api_key": "key",
    "suspended_api_key": "key",
    "invalid_permission": "key",
    "the chat's webhook is closed": "chat_closed",
    # parked
    "undecodable": "undecodable",
    "unknown campaign": "unknown_campaign",
    "refused by Notion": "refused_by_notion",
    "the chat does not take": "refused_by_chat",
}
"""What the words begin with, and the label they become. Anything else is `other`."""


def reason_of(outcome: Outcome) -> str:
    """A label: one of a closed list, whatever the words say."""
    said = outcome.what if isinstance(outcome, Done) else outcome.reason
    return _label(said)


def _end_of(outcome: Outcome) -> tuple[str, str]:
    return next(end for kind, end in ENDS.items() if isinstance(outcome, kind))


@lru_cache(maxsize=1_000)
def _label(said: str) -> str:
    return next((label for words, label in REASONS.items() if said.startswith(words)), "other")


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
        words = {name: value for name, value in vars(outcome).items() if name != "detail"}
        self._tell(items, *_end_of(outcome), ms=round(1000 * took_s, 1), **words)

    def given_back(self, items: Sequence[Item[Any]], outcome: Retry) -> None:
        """What was pulled and never begun."""
        self._count(items, outcome)
        self._tell(items, "retry", "info", **vars(outcome))

    def _count(self, items: Sequence[Item[Any]], outcome: Outcome) -> None:
        DELIVERIES.labels(self._service, _end_of(outcome)[0], reason_of(outcome)).inc(len(items))

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
