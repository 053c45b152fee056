"""What the facts say, counted as they are stored. No label is anybody's id: there are as many of those as people."""

from collections.abc import Iterable

import prometheus_client
from prometheus_client import Counter, Histogram

from contracts.base import Fact
from contracts.facts import EmailAttemptFailed, EmailFact, EmailFailed, EmailSent, EmailSkipped, EmailUnknown
from contracts.ids import BadId
from eventlog.connection import Stored
from eventlog.outcomes import Label

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for

FACTS = Counter("dripstream_facts", "Facts stored, or found to be stored already", ["type", "result"])
EMAILS = Counter("dripstream_emails", "Emails by what they came to, attempts that failed too", ["outcome", "reason"])
LATENESS = Histogram(
    "dripstream_send_lateness_seconds",
    "From the time an email was planned for to the provider's yes",
    ["campaign"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600),
)

OUTCOMES: dict[type[Fact], Label] = {
    EmailSent: "sent",
    EmailSkipped: "skipped",
    EmailFailed: "failed",
    EmailUnknown: "unknown",
    EmailAttemptFailed: "attempt_failed",
}
REASONS = frozenset(
    {
        # ours
        "expired", "not_planned", "not_rendered", "interrupted", "parked", "not_reached", "in_doubt",
        # the provider's
        "application_error", "concurrent_idempotent_requests", "daily_quota_exceeded", "email_above_quota",
        "internal_server_error", "invalid_access", "invalid_api_key", "invalid_attachment", "invalid_from_address",
        "invalid_idempotency_key", "invalid_idempotent_request", "invalid_parameter", "invalid_permission",
        "invalid_region", "method_not_allowed", "missing_api_key", "missing_required_field",
        "missing_required_parameter", "monthly_quota_exceeded", "not_found", "rate_limit_exceeded", "resource_locked",
        "restricted_api_key", "security_error", "service_unavailable", "suspended_api_key", "validation_error",
        "HttpClientError",
    }
)  # fmt: skip
"""The closed list of why; anything else is `other`, and an email that was sent has none."""


def count(fact: Fact, stored: Stored) -> None:
    """One fact, after it was stored; what was there before is only counted as such."""
    FACTS.labels(fact.tag, "duplicate" if stored.duplicate else "stored").inc()
    if stored.duplicate or not isinstance(fact, EmailFact):
        return
    EMAILS.labels(OUTCOMES[type(fact)], reason_of(fact)).inc()
    if isinstance(fact, EmailSent) and fact.due:
        LATENESS.labels(_campaign(fact)).observe(max(0.0, (fact.at - fact.due).total_seconds()))


def reason_of(fact: EmailFact) -> str:
    """A label: one of a closed list, whatever the fact says."""
    if isinstance(fact, EmailSent):
        return ""
    if isinstance(fact, EmailUnknown) and not fact.reason.startswith("parked:"):
        return "in_doubt"
    said = str(getattr(fact, "reason", "")).partition(":")[0].replace(" ", "_")
    return said if said in REASONS else "other"


def _campaign(fact: EmailFact) -> str:
    try:
        return fact.email.campaign
    except BadId:
        return "other"


def expect(facts: Iterable[str]) -> None:
    """Begin with 0: an alert that nothing came cannot tell a counter that is not there from one that never grew."""
    for tag in facts:
        FACTS.labels(tag, "stored")


def expect_troubles() -> None:
    """Begin with 0: of a counter that begins with 1 Prometheus sees no increase, and the first of them is no alert."""
    for reason in (*REASONS, "other"):
        EMAILS.labels("failed", reason)
    for reason in ("in_doubt", "parked", "other"):
        EMAILS.labels("unknown", reason)
