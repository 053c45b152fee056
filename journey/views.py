"""What is told of a contact and of pending emails to programs: the same words for a command and for a service."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from contracts.facts import AnyFact
from contracts.ids import EmailId
from contracts.subjects import Timer
from journey.contact import Contact
from journey.plan import Planned


def pending_email(timer: Timer) -> dict[str, Any]:
    """A key of the bucket `timers`, taken apart."""
    return {"key": timer.key, "due": timer.due_at, **EmailId.parse(timer.email_id)._asdict()}


def story(state: Contact, facts: Sequence[AnyFact], planned: Sequence[Planned]) -> dict[str, Any]:
    """Everything of one person."""
    return {
        "contact": state.id,
        "email": state.address,
        "zone": str(zone_of(state)),
        "facts": [msgspec.to_builtins(fact) for fact in facts],
        "emails": [_email(each, zone_of(state)) for each in planned],
    }


def _email(each: Planned, zone: tzinfo) -> dict[str, Any]:
    return {
        "email_id": each.email_id,
        "step": each.step.id,
        "sequence": each.sequence.id,
        "state": each.state,
        "reason": each.reason,
        "planned_for": each.planned_for.isoformat(),
        "due": each.due.isoformat() if each.is_pending else None,
        "due_local": each.due.astimezone(zone).isoformat() if each.is_pending else None,
        "sent_at": each.email.end.at.isoformat() if each.state == "sent" and each.email.end else None,
        "attempts": [msgspec.to_builtins(attempt) for _, attempt in sorted(each.email.attempts.items())],
    }


def zone_of(state: Contact) -> tzinfo:
    """Where they are, as their newest booking says; UTC for who never booked."""
    zones = sorted((each.sent_at, each.booker.time_zone) for each in state.bookings.values() if each.booker.time_zone)
    try:
        return ZoneInfo(str(zones[-1][1])) if zones else UTC
    except (KeyError, ValueError, OSError):
        return UTC
