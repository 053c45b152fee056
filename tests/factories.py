"""One maker per fact, with sensible values for everything a test does not care about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts import facts, ids

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
"""A moment ago: what is due now fires on a real server, and what is due tomorrow does not."""

ADA = "ada@example.com"
CAMPAIGN = "christmas-2025"


def at(**delta: float) -> datetime:
    return NOW + timedelta(**delta)


def make_signup(email: str = ADA, **overrides: Any) -> facts.SignupReceived:
    scores = {name: overrides.pop(name) for name in facts.Assessment.__struct_fields__ if name in overrides}
    assessment = facts.Assessment(**({"assessment_score": 42, "red_systems": 2, "orange_systems": 1} | scores))
    values: dict[str, Any] = {
        "contact": ids.contact_id(email),
        "at": NOW,
        "campaign": CAMPAIGN,
        "email": email,
        "first_name": "Ada",
        "business_name": "Ada's Bakery",
        "assessment": assessment,
    } | overrides
    return facts.SignupReceived(**({"content": ids.digest(repr(values))} | values))


def make_email_id(step: str = "email-1", email: str = ADA) -> str:
    return str(ids.EmailId(ids.contact_id(email), CAMPAIGN, "nurture", "once", step))


def make_email_sent(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailSent:
    values = _about(step, email) | {"provider_id": "re_1", "template": "christmas_email_1"} | overrides
    return facts.EmailSent(**values)


def make_email_skipped(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailSkipped:
    return facts.EmailSkipped(**(_about(step, email) | {"reason": "expired"} | overrides))


def make_email_failed(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailFailed:
    return facts.EmailFailed(**(_about(step, email) | {"reason": "validation_error"} | overrides))


def make_email_unknown(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailUnknown:
    return facts.EmailUnknown(**(_about(step, email) | {"reason": "unconfirmed"} | overrides))


def make_attempt_failed(step: str = "email-1", email: str = ADA, **overrides: Any) -> facts.EmailAttemptFailed:
    values = {"attempt": 1, "reason": "internal_server_error", "retry_at": at(seconds=60)} | overrides
    return facts.EmailAttemptFailed(**(_about(step, email) | values))


def _about(step: str, email: str) -> dict[str, Any]:
    return {"contact": ids.contact_id(email), "at": NOW, "email_id": make_email_id(step, email)}
