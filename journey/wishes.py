"""From what a person wants to the fact that says so. Pure; asked again, it says nothing, as it is so already."""

from datetime import datetime
from typing import Literal, NamedTuple

from contracts.operators import (
    ContactCorrected,
    Correctable,
    OperatorCancelled,
    OperatorHeld,
    OperatorHurried,
    OperatorResumed,
)
from journey.contact import Contact
from journey.plan import Planned

Wish = OperatorHeld | OperatorResumed | OperatorCancelled


class Refusal(NamedTuple):
    """How the email stands, and why, in the machine's words."""

    state: str
    reason: str


def wish(
    state: Contact,
    kind: type[Wish],
    what: str,
    *,
    by: str,
    at: datetime,
    why: str = "",
    seen_at: datetime | None = None,
) -> Wish | None:
    """The fact that makes it so; None where it is so already. Errors: BadId."""
    known = state.intent(what)
    if isinstance(known, kind) or (known is None and kind is OperatorResumed):
        return None
    return kind(contact=state.id, at=at, what=what, round=state.next_round(what), by=by, why=why, seen_at=seen_at)


def hurry(
    state: Contact, planned: Planned, *, by: str, at: datetime, why: str = ""
) -> OperatorHurried | Literal["due"] | Refusal:
    """The fact that makes it due now; "due" where it is so already; else why it cannot be.

    It is the plan that says what is sent: a hurry changes a time, and never whether.
    """
    if planned.email.end or planned.unwanted or at > planned.expires:
        over = "" if planned.email.end else "expired"
        return Refusal(planned.state, planned.reason or over)
    if planned.due <= at:
        return "due"
    return OperatorHurried(
        contact=state.id,
        at=at,
        what=planned.email_id,
        round=planned.email.next_hurry,
        attempts=max(planned.email.attempts, default=0),
        by=by,
        why=why,
    )


def correct(
    state: Contact,
    field: Correctable,
    value: str,
    *,
    was: str,
    by: str,
    at: datetime,
    seen_at: datetime | None = None,
) -> ContactCorrected | None:
    """The fact that makes it so; None where the newest correction says the same of the same."""
    known = state.corrections.get(field)
    if known and (known.value, known.was) == (value, was):
        return None
    return ContactCorrected(
        contact=state.id,
        at=at,
        field=field,
        value=value,
        was=was,
        round=state.next_correction(field),
        by=by,
        seen_at=seen_at,
    )
