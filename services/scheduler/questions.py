"""What the scheduler is asked: pending emails, and one person's story. Pure: requests in, answers out."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contracts.facts import AnyFact
from contracts.ids import TOKEN, contact_id
from contracts.subjects import Timer
from journey.contact import Contact
from journey.plan import Planned
from journey.views import pending_email, story
from services.questions import Refused, fitting, read

CONTACT = re.compile(r"c[a-z2-7]{26}")
MOST = 1_000


class PendingAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which pending emails; every field may be left out."""

    limit: Annotated[int, Meta(ge=1, le=MOST)] = 100
    contact: str | None = None
    campaign: str | None = None


class ContactAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose story: by id or by address."""

    contact: str | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None


def which_pending(payload: bytes) -> PendingAsked:
    """Errors: Refused."""
    asked = read(payload, PendingAsked)
    if asked.contact is not None:
        _require_contact(asked.contact)
    if asked.campaign is not None and not TOKEN.fullmatch(asked.campaign):
        raise Refused(400, "`campaign` is the name of its folder: letters, digits, - and _")
    return asked


def which_contact(payload: bytes) -> str:
    """Its id. Errors: Refused."""
    asked = read(payload, ContactAsked)
    if (asked.contact is None) == (asked.email is None):
        raise Refused(400, 'say whom: either {"contact": "c…"} or {"email": "ada@example.com"}')
    if asked.email is not None:
        return contact_id(asked.email)
    _require_contact(str(asked.contact))
    return str(asked.contact)


def _require_contact(text: str) -> None:
    if not CONTACT.fullmatch(text):
        raise Refused(
            400, "`contact` is an id as in subjects; dripstream.contact takes an `email`, and answers with the id"
        )


def pending_answer(timers: Sequence[Timer], total: int, room: int) -> dict[str, Any]:
    """`more`: some are not shown, for the limit or for want of room."""
    shown, _ = fitting(map(pending_email, timers), room)
    return {"total": total, "more": len(shown) < total, "emails": shown}


def contact_answer(state: Contact, facts: Sequence[AnyFact], planned: Sequence[Planned], room: int) -> dict[str, Any]:
    """As `dripstream contact --json`, cut to size: `more` where facts, oldest first, or even emails are left out."""
    whole = story(state, facts, planned)
    emails, fewer_emails = fitting(whole["emails"], room)
    newest, fewer_facts = fitting(reversed(whole["facts"]), room - sum(len(bytes(each)) + 1 for each in emails))
    return {**whole, "facts": newest[::-1], "emails": emails, "more": fewer_emails or fewer_facts}
