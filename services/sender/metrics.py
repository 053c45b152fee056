"""What the sender counts of the provider: its answers, and what it tells of its limits."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from eventlog.metrics import REASONS, expect_troubles
from services.sender.outcome import Accepted, Answer

ANSWERS = Counter("dripstream_provider_answers", "Calls to the mail provider, by the answer", ["answer"])
CALLS = Histogram(
    "dripstream_provider_call_seconds",
    "How long the provider took, its turn not counted",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
)
PER_SECOND = Gauge("dripstream_resend_calls_per_second_limit", "Calls a second we allow ourselves at present")
LEFT = Gauge("dripstream_resend_calls_left", "Calls left in this second, as Resend told last")
QUOTA_USED = Gauge("dripstream_resend_quota_used", "Emails that count for a quota, as Resend told last", ["period"])

expect_troubles()

QUOTAS = {"x-resend-daily-quota": "day", "x-resend-monthly-quota": "month"}


def answered(answer: Answer, took_s: float) -> None:
    known = "accepted" if isinstance(answer, Accepted) else answer.error_type
    ANSWERS.labels(known if known in REASONS or known == "accepted" else "other").inc()
    CALLS.observe(took_s)


def heard(headers: Mapping[str, str], per_second: float) -> None:
    """What an answer says of limits. Quotas are told as used, never as left."""
    PER_SECOND.set(per_second)
    if (left := _number(headers, "ratelimit-remaining")) is not None:
        LEFT.set(left)
    for name, period in QUOTAS.items():
        if (used := _number(headers, name)) is not None:
            QUOTA_USED.labels(period).set(used)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None
