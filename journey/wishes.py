"""From what a person wants to the fact that says so. Pure; asked again, it says nothing, as it is so already."""

from datetime import datetime

from contracts.operators import ContactCorrected, Correctable, OperatorCancelled, OperatorHeld, OperatorResumed
from journey.contact import Contact

Wish = OperatorHeld | OperatorResumed | OperatorCancelled


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
