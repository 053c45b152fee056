"""A contact is the fold of that contact's facts.

Facts may come twice and in any order: what happened first or last is read from their times, and every fact has one
place, so folding it again changes nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from contracts.base import Fact
from contracts.bookings import BookingFact
from contracts.deliveries import DeliveryFact, ends_all_mail
from contracts.facts import (
    EmailAttemptFailed,
    EmailFailed,
    EmailNotSent,
    EmailSent,
    EmailSkipped,
    EmailUnknown,
    SignupReceived,
    Triggered,
)
from contracts.notion import RowIncomplete
from contracts.operations import OperationsFact
from contracts.operators import (
    ContactCorrected,
    Correctable,
    HandlingFailed,
    OperatorCancelled,
    OperatorDiscarded,
    OperatorFact,
    OperatorHeld,
    OperatorHurried,
    OperatorIntent,
    OperatorRetried,
    prefixes_of,
)
from journey.intents import Rounds, Stop, heard, merged, newest, stops
from journey.meetings import Meeting, meetings

Ending = EmailSent | DeliveryFact | EmailNotSent

CERTAINTY: Mapping[type[Fact], int] = {EmailSent: 5, DeliveryFact: 4, EmailFailed: 3, EmailSkipped: 2, EmailUnknown: 1}
"""Where several endings were recorded, the one that is known best counts: what was sent was sent."""


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
    """What happened to one planned email so far.

    `end` is how it stands: a delivery webhook shows as well as EmailSent that the provider accepted it. An operator
    may ask for another try of what did not go out; what came of earlier tries counts no more then.
    """

    attempts: Mapping[int, EmailAttemptFailed] = {}
    end: Ending | None = None
    retried: OperatorRetried | None = None
    discarded: OperatorDiscarded | None = None
    hurries: frozenset[OperatorHurried] = frozenset()

    @property
    def is_sent(self) -> bool:
        return isinstance(self.end, EmailSent | DeliveryFact)

    @property
    def round(self) -> int:
        """How many times an operator has asked for another try."""
        return self.retried.round + 1 if self.retried else 0

    @property
    def open_attempts(self) -> Mapping[int, EmailAttemptFailed]:
        """Those of this round."""
        before = self.retried.attempts if self.retried else 0
        return {number: attempt for number, attempt in self.attempts.items() if number > before}

    @property
    def in_doubt(self) -> bool:
        """By the facts, the provider may have it although no answer said so."""
        return any(attempt.accepted == "maybe" for attempt in self.open_attempts.values())

    @property
    def next_hurry(self) -> int:
        """Of a wish to send it now: the same for everybody who has seen the same facts."""
        return max((each.round for each in self.hurries), default=-1) + 1

    @property
    def is_trouble(self) -> bool:
        """It did not go out, or nobody knows, and no operator has said to leave it at that."""
        seen_to = self.discarded is not None and self.discarded.round >= self.round
        return isinstance(self.end, EmailFailed | EmailUnknown) and not seen_to


class Contact(msgspec.Struct, frozen=True):
    """Everything the facts say about one person."""

    id: str
    signups: Mapping[str, Signup] = {}
    emails: Mapping[str, Email] = {}
    bookings: Mapping[str, BookingFact] = {}
    triggers: Mapping[str, Triggered] = {}
    suppressed_by: DeliveryFact | None = None
    intents: Mapping[str, Rounds] = {}
    corrections: Mapping[str, ContactCorrected] = {}

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

    def intent(self, what: str) -> OperatorIntent | None:
        """The newest wish about exactly this."""
        return newest(self.intents.get(what, {}))

    def next_round(self, what: str) -> int:
        """Of a wish about this: the same for everybody who has seen the same facts, so one tick is one fact."""
        known = self.intent(what)
        return known.round + 1 if known else 0

    def is_held(self, email_id: str) -> bool:
        return any(isinstance(self.intent(each), OperatorHeld) for each in prefixes_of(email_id))

    def is_cancelled(self, email_id: str) -> bool:
        return any(isinstance(self.intent(each), OperatorCancelled) for each in prefixes_of(email_id))

    def stops(self, email_id: str) -> tuple[Stop, ...]:
        """When people kept this email back."""
        return merged(stop for each in prefixes_of(email_id) for stop in stops(self.intents.get(each, {})))

    def corrected(self, field: Correctable, said: str | None, said_at: datetime) -> str | None:
        """What a form said, unless a person knows better; "" where there is no such name."""
        known = self.corrections.get(field)
        if known is None:
            return said
        told = (said or "").strip()
        still = told in {"", known.was.strip()} or said_at <= (known.seen_at or known.at)
        return known.value if still else said

    def next_correction(self, field: Correctable) -> int:
        """The round of a correction of this field."""
        known = self.corrections.get(field)
        return known.round + 1 if known else 0


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
            return _with(state, fact.email_id, attempts={**email.attempts, fact.attempt: fact})
        case EmailSent() | EmailNotSent():
            return _with(state, fact.email_id, end=_ended(state.email(fact.email_id), fact))
        case DeliveryFact():
            return _delivered(state, fact)
        case OperatorFact() | OperatorIntent() | OperatorHurried() | ContactCorrected():
            return _decided(state, fact)
        case HandlingFailed() | RowIncomplete() | OperationsFact():
            return state
        case _:
            raise TypeError(f"no rule for {fact.tag}")


def _decided(state: Contact, fact: OperatorFact | OperatorIntent | OperatorHurried | ContactCorrected) -> Contact:
    """What people said by hand."""
    match fact:
        case OperatorRetried():
            return _retried(state, fact)
        case OperatorDiscarded():
            seen_to = max(filter(None, [state.email(fact.what).discarded, fact]), key=lambda each: each.round)
            return _with(state, fact.what, discarded=seen_to)
        case OperatorIntent():
            rounds = heard(state.intents.get(fact.what, {}), fact)
            return msgspec.structs.replace(state, intents={**state.intents, fact.what: rounds})
        case OperatorHurried():
            return _with(state, fact.what, hurries=state.email(fact.what).hurries | {fact})
        case ContactCorrected():
            newer = max(filter(None, [state.corrections.get(fact.field), fact]), key=_correction_order)
            return msgspec.structs.replace(state, corrections={**state.corrections, fact.field: newer})
        case _:
            raise TypeError(f"no rule for {fact.tag}")


def _with(state: Contact, email_id: str, **changes: object) -> Contact:
    email = msgspec.structs.replace(state.email(email_id), **changes)
    return msgspec.structs.replace(state, emails={**state.emails, email_id: email})


def _signed_up(before: Signup | None, fact: SignupReceived) -> Signup:
    if before is None:
        return Signup(fact.at, fact)
    return Signup(min(before.first_at, fact.at), max(before.latest, fact, key=_order))


def _ended(before: Email, fact: Ending) -> Ending | None:
    """The ending that counts: the best known one, and of those the first; none from before another try."""
    if isinstance(fact, EmailNotSent) and fact.round < before.round:
        return before.end
    if before.end is None:
        return fact
    return fact if _rank(fact) > _rank(before.end) else before.end


def _rank(end: Ending) -> tuple[bool, int, int, float]:
    """What was sent first of all; then the newest try, by certainty, and of equals the earliest."""
    known = next(rank for kind, rank in CERTAINTY.items() if isinstance(end, kind))
    return not isinstance(end, EmailNotSent), getattr(end, "round", 0), known, -end.at.timestamp()


def _delivered(state: Contact, fact: DeliveryFact) -> Contact:
    if fact.email_id:
        state = _with(state, fact.email_id, end=_ended(state.email(fact.email_id), fact))
    if ends_all_mail(fact) and (state.suppressed_by is None or fact.at < state.suppressed_by.at):
        state = msgspec.structs.replace(state, suppressed_by=fact)
    return state


def _retried(state: Contact, fact: OperatorRetried) -> Contact:
    """What ended without a message is open again; what was sent stays sent."""
    email = state.email(fact.what)
    newest = max(filter(None, [email.retried, fact]), key=lambda each: each.round)
    over = isinstance(email.end, EmailNotSent) and email.end.round <= newest.round
    return _with(state, fact.what, retried=newest, end=None if over else email.end)


def _order(fact: SignupReceived | Triggered) -> tuple[datetime, str]:
    return fact.at, fact.id


def _correction_order(fact: ContactCorrected) -> tuple[int, float, str]:
    return fact.round, -fact.at.timestamp(), fact.value
