"""What somebody did in Notion by hand, as a fact. Pure.

A hand is a cell that people may change and that is not what we know to stand there. Whether it was our own write nobody
has to ask: what we wrote is known.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from contracts.operators import (
    ContactCorrected,
    Correctable,
    OperatorCancelled,
    OperatorHeld,
    OperatorResumed,
)
from eventlog.pages import Page
from journey.campaign import Campaign
from journey.contact import Contact
from journey.plan import Pace, Planned, plan_all
from journey.variables import printable
from journey.wishes import Wish, correct, wish
from services.notion_sync import calls
from services.notion_sync.cells import Bare, Scalar
from services.notion_sync.projection import NOT_GIVEN, newest_signup
from services.notion_sync.row import known_to_stand
from services.notion_sync.schema import CANCELLED, EDITABLE, HELD, HOLD, QUEUED, STATUS, Database

NAME_LIMIT = 200
FIELDS: Mapping[str, Correctable] = {"First Name": "first_name", "Business Name": "business_name"}

WISHES: Mapping[str, type[Wish]] = {HELD: OperatorHeld, CANCELLED: OperatorCancelled, QUEUED: OperatorResumed}
Meant = Wish | ContactCorrected


class Hand(NamedTuple):
    """Who changed a page, when (to the minute), and when we heard of it."""

    by: str
    seen_at: datetime
    at: datetime


def touched(database: Database, cells: Mapping[str, Bare], known: Page, generation: int) -> dict[str, Scalar]:
    """The cells that are not as we know them to be, nor as we may just have written them, with what stands there."""
    there, begun = known_to_stand(known, generation), known.begun or {}
    return {
        name: value
        for name, value in cells.items()
        if name in EDITABLE[database]
        and name in there
        and not isinstance(value, tuple)
        and there[name] != value
        and not (name in begun and begun[name] == value)
    }


def meant(
    contact: Contact,
    what: str,
    cells: Mapping[str, Scalar],
    hand: Hand,
    campaigns: Mapping[str, Campaign],
    pace: Pace,
) -> Iterator[Meant]:
    """A fact for each cell that says something new.

    `what` the page is about, as in an OperatorIntent: a person, a person in a campaign, or one email.
    """
    for column, cell in sorted(cells.items()):
        if column == HOLD:
            fact: Meant | None = on_tick(contact, what, cell, hand)
        elif column == STATUS:
            fact = on_status(contact, plan_all(contact, campaigns, pace).get(what), what, cell, hand)
        else:
            campaign = what.partition(".")[2] or newest_signup(contact, campaigns)
            fact = on_name(contact, campaign, FIELDS[column], cell, hand)
        if fact:
            yield fact


def on_tick(contact: Contact, what: str, cell: Scalar, hand: Hand) -> Wish | None:
    """Hold, ticked or not, on the page of a person or of a person in a campaign."""
    known = contact.intent(what)
    if cell:
        return None if isinstance(known, OperatorCancelled) else _wish(contact, OperatorHeld, what, hand)
    return _wish(contact, OperatorResumed, what, hand) if isinstance(known, OperatorHeld) else None


def on_status(contact: Contact, planned: Planned | None, email_id: str, cell: Scalar, hand: Hand) -> Wish | None:
    """Status of one email in the queue; None where it is no wish, or comes too late."""
    word = str(cell or "").casefold()
    if planned is None or planned.email.end or word not in WISHES:
        return None
    if word == HELD and isinstance(contact.intent(email_id), OperatorCancelled):
        return None
    return _wish(contact, WISHES[word], email_id, hand)


def on_name(contact: Contact, campaign: str, field: Correctable, cell: Scalar, hand: Hand) -> ContactCorrected | None:
    """A name, on a page that speaks of this campaign ("": of none); None where it is no other name."""
    value, (was, now) = _name(cell), _said(contact, campaign, field)
    if value == _name(now):
        return None
    return correct(contact, field, value, was=was, by=hand.by, at=hand.at, seen_at=hand.seen_at)


def _name(cell: Scalar) -> str:
    text = " ".join(printable(str(cell or "")[: NAME_LIMIT * 4]).split())[:NAME_LIMIT].rstrip()
    return "" if text == NOT_GIVEN else text


def _said(contact: Contact, campaign: str, field: Correctable) -> tuple[str, str | None]:
    """What the form or the calendar said, and what counts."""
    if signup := contact.signups.get(campaign):
        said: str | None = getattr(signup.latest, field)
        return said or "", contact.corrected(field, said, signup.latest.at)
    booking = calls.introduced(contact)
    if booking is None or field == "business_name":
        return "", contact.corrected(field, None, datetime.min.replace(tzinfo=UTC))
    said = calls.first_name(booking.booker)
    return said, contact.corrected(field, said, booking.sent_at)


def _wish(contact: Contact, kind: type[Wish], what: str, hand: Hand) -> Wish | None:
    return wish(contact, kind, what, by=hand.by, at=hand.at, why="in Notion", seen_at=hand.seen_at)
