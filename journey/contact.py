"""A contact is the fold of that contact's facts.

Facts may come twice and in any order: what happened first or last is read from their times, and every fact has one
place, so folding it again changes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from contracts.base import Fact
from contracts.bookings import BookingFact
from contracts.facts import (
    EmailAttemptFailed,
    EmailFailed,
    EmailSent,
    EmailSkipped,
    EmailUnknown,
    SignupReceived,
    Triggered,
)
from journey.meetings import Meeting, meetings

Ending = EmailSent | EmailFailed | EmailSkipped | EmailUnknown

CERTAINTY: Mapping[type[Ending], int] = {EmailSent: 4, EmailFailed: 3, EmailSkipped: 2, EmailUnknown: 1}
"""Where two endings were recorded, the one that is known best counts: what was sent was sent."""


class Signup(msgspec.Struct, frozen=True):
    """One person in one campaign: when it began, and what the newest form said."""

    first_at: datetime
    latest: SignupReceived

    def values(self) -> dict[str, object]:
        """The raw values a campaign's variables are made from."""
        latest = self.latest
        return {
            **latest.extra,
            **msgspec.structs.asdict(latest.assessment),
            "first_name": latest.first_name,
            "business_name": latest.business_name,
        }


class Email(msgspec.Struct, frozen=True):
    """What happened to one planned email so far."""

    attempts: Mapping[int, EmailAttemptFailed] = {}
    end: Ending | None = None


class Contact(msgspec.Struct, frozen=True):
    """Everything the facts say about one person."""

    id: str
    signups: Mapping[str, Signup] = {}
    emails: Mapping[str, Email] = {}
    bookings: Mapping[str, BookingFact] = {}
    triggers: Mapping[str, Triggered] = {}

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        return meetings(self.bookings.values())

    @property
    def address(self) -> str | None:
        """As they wrote it themselves, or as their calendar knows it; all of them are the same person's."""
        forms: list[SignupReceived | Triggered] = [
            *(each.latest for each in self.signups.values()),
            *self.triggers.values(),
        ]
        if forms:
            return max(forms, key=_order).email
        bookers = sorted((each.sent_at, each.booker.email) for each in self.bookings.values())
        return bookers[-1][1] if bookers else None

    def email(self, email_id: str) -> Email:
        return self.emails.get(email_id, Email())


def fold(contact: str, facts: Iterable[Fact]) -> Contact:
    state = Contact(contact)
    for fact in facts:
        state = evolve(state, fact)
    return state


def evolve(state: Contact, fact: Fact) -> Contact:
    match fact:
        case SignupReceived():
            signup = _signed_up(state.signups.get(fact.campaign), fact)
            return msgspec.structs.replace(state, signups={**state.signups, fact.campaign: signup})
        case BookingFact():
            return msgspec.structs.replace(state, bookings={**state.bookings, f"{fact.tag}.{fact.id}": fact})
        case Triggered():
            return msgspec.structs.replace(state, triggers={**state.triggers, fact.id: fact})
        case EmailAttemptFailed():
            email = state.email(fact.email_id)
            email = msgspec.structs.replace(email, attempts={**email.attempts, fact.attempt: fact})
            return msgspec.structs.replace(state, emails={**state.emails, fact.email_id: email})
        case EmailSent() | EmailFailed() | EmailSkipped() | EmailUnknown():
            email = _ended(state.email(fact.email_id), fact)
            return msgspec.structs.replace(state, emails={**state.emails, fact.email_id: email})
        case _:
            raise TypeError(f"no rule for {fact.tag}")


def _signed_up(before: Signup | None, fact: SignupReceived) -> Signup:
    if before is None:
        return Signup(fact.at, fact)
    return Signup(min(before.first_at, fact.at), max(before.latest, fact, key=_order))


def _ended(before: Email, fact: Ending) -> Email:
    if before.end and CERTAINTY[type(before.end)] >= CERTAINTY[type(fact)]:
        return before
    return msgspec.structs.replace(before, end=fact)


def _order(fact: SignupReceived | Triggered) -> tuple[datetime, str]:
    return fact.at, fact.id
