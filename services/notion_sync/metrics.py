"""What notion_sync counts of Notion: how calls ended, and what keeps it from asking more."""

from datetime import datetime

from prometheus_client import Counter, Gauge

CALLS = Counter("dripstream_notion_calls", "Calls to Notion, by how they ended", ["result"])
PER_SECOND = Gauge("dripstream_notion_calls_per_second_limit", "Calls a second we allow ourselves")
HELD_UNTIL = Gauge("dripstream_notion_held_until_timestamp_seconds", "Until when Notion is left in peace")


for each in ("ok", "busy", "closed", "wrong", "probe"):  # from 0 on: Prometheus sees no increase in what begins with 1
    CALLS.labels(each)


def called(result: str) -> None:
    """`ok`, or the kind of a refusal: busy, closed, wrong; `probe`: refused as it was meant to be."""
    CALLS.labels(result).inc()


def held_until(moment: datetime) -> None:
    HELD_UNTIL.set(moment.timestamp())
