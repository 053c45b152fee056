"""What the provider's answer means. Pure.

Resend's errors are told apart by `error_type`, never by class or status alone: three kinds of 429 and five of 403
mean different things (docs/adr/0003).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from contracts.facts import AnyFact, EmailAttemptFailed, EmailFailed, EmailSent, EmailUnknown
from contracts.ids import EmailId
from eventlog.claims import Claim
from journey.plan import Pace

SAME_KEY_BUSY = "concurrent_idempotent_requests"
SAME_KEY_OTHER_BODY = "invalid_idempotent_request"
NOT_REACHED = "not_reached"
"""No connection came about, so nothing was accepted."""

RETRYABLE_NO = frozenset({"rate_limit_exceeded", "resource_locked", NOT_REACHED})
RETRYABLE_MAYBE = frozenset({"application_error", "internal_server_error", "service_unavailable", "HttpClientError"})
QUOTA = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
KEY = frozenset({"missing_api_key", "invalid_api_key", "restricted_api_key", "suspended_api_key", "invalid_permission"})
CLOSED = QUOTA | KEY
CLOSED_S, MONTHLY_S, JUST_AFTER_S = 300.0, 3600.0, 10.0
BUSY_S = 3.0


class Accepted(msgspec.Struct, frozen=True):
    """The provider has it."""

    provider_id: str


class Refused(msgspec.Struct, frozen=True):
    """Anything else. `status` 0: no answer at all."""

    status: int
    error_type: str
    message: str = ""
    retry_after_s: float | None = None


Answer = Accepted | Refused


class Record(msgspec.Struct, frozen=True):
    """The answer is a fact. `final`: the email has ended, and the claim with it."""

    fact: AnyFact
    final: bool


class Wait(msgspec.Struct, frozen=True):
    """Somebody is sending this very email right now: look again in a moment."""

    for_s: float


class Close(msgspec.Struct, frozen=True):
    """The provider takes nothing from us at present, whichever email it is. The attempt is a fact all the same."""

    fact: EmailAttemptFailed
    for_s: float


Outcome = Record | Wait | Close


def outcome(claim: Claim, answer: Answer, pace: Pace, due: datetime, now: datetime) -> Outcome:
    """From one answer to what is written down, or to waiting."""
    about: dict[str, Any] = {
        "contact": EmailId.parse(claim.email_id).contact,
        "at": now,
        "email_id": claim.email_id,
    }
    if isinstance(answer, Accepted):
        sent = EmailSent(
            **about,
            provider_id=answer.provider_id,
            template=claim.template,
            template_version=claim.template_version,
            subject=claim.subject,
            due=due,
        )
        return Record(sent, final=True)
    match verdict(answer):
        case "busy":
            return Wait(answer.retry_after_s or BUSY_S)
        case "doubt":
            reason = "the provider has this key with another body"
            return Record(EmailUnknown(**about, reason=reason, round=claim.round), final=True)
        case "final":
            detail = f"status {answer.status}"
            return Record(EmailFailed(**about, reason=answer.error_type, detail=detail, round=claim.round), final=True)
        case "closed":
            # The next try waits for the provider to open, as everything does; not for a time of its own.
            return Close(_attempt(about, claim, answer, pace, wait_s=None), closed_for(answer, now))
        case "no":
            return Record(_attempt(about, claim, answer, pace, wait_s=answer.retry_after_s), final=False)
        case "maybe":
            fact = _attempt(about, claim, answer, pace, wait_s=answer.retry_after_s, accepted="maybe")
            return Record(fact, final=False)


def _attempt(
    about: dict[str, Any],
    claim: Claim,
    answer: Refused,
    pace: Pace,
    *,
    wait_s: float | None,
    accepted: Literal["no", "maybe"] = "no",
) -> EmailAttemptFailed:
    retry_at = about["at"] + pace.retry_delay(claim.attempt, wait_s)
    return EmailAttemptFailed(
        **about, attempt=claim.attempt, reason=answer.error_type, retry_at=retry_at, accepted=accepted
    )


def interrupted(email_id: str, attempt: int, begun_at: datetime, pace: Pace) -> EmailAttemptFailed:
    """An attempt whose sender stopped before it heard the answer, of an email that is held by now."""
    return EmailAttemptFailed(
        contact=EmailId.parse(email_id).contact,
        at=begun_at,
        email_id=email_id,
        attempt=attempt,
        reason="interrupted",
        retry_at=begun_at + pace.retry_delay(attempt),
        accepted="maybe",
    )


def verdict(answer: Refused) -> Literal["busy", "closed", "doubt", "final", "no", "maybe"]:
    kind = answer.error_type
    if kind == SAME_KEY_BUSY:
        return "busy"
    if kind == SAME_KEY_OTHER_BODY:
        return "doubt"
    if kind in CLOSED:
        return "closed"
    if kind in RETRYABLE_NO or (answer.status == 429):
        return "no"
    if kind in RETRYABLE_MAYBE or answer.status >= 500 or answer.status == 0:
        return "maybe"
    return "final"


def closed_for(answer: Refused, now: datetime) -> float:
    """A daily quota comes back at midnight UTC; whether a month is over or a key mended is asked now and then."""
    if answer.retry_after_s:
        return answer.retry_after_s
    if answer.error_type == "daily_quota_exceeded":
        midnight = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - now).total_seconds() + JUST_AFTER_S
    return MONTHLY_S if answer.error_type == "monthly_quota_exceeded" else CLOSED_S
