"""What became of emails, counted by campaign and step. Pure: one person's facts at a time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from contracts.base import Fact
from contracts.deliveries import (
    DeliveryFact,
    EmailBounced,
    EmailClicked,
    EmailComplained,
    EmailDelivered,
    EmailOpened,
    EmailSuppressed,
    EmailUndeliverable,
)
from contracts.facts import EmailFailed, EmailSent
from contracts.ids import BadId, EmailId
from journey.contact import Email, fold
from journey.model import Campaign
from journey.plan import NOT_SENT, Pace, State, plan_all

Word = Literal["delivered", "refused", "none"]
"""The last word on an email that was sent: it arrived, it did not, or nobody has said yet."""


class Of(NamedTuple):
    """What is counted together."""

    campaign: str
    sequence: str
    step: str


class Fate(msgspec.Struct, frozen=True):
    """One email: how it stands, what was told of it, and when each was first so.

    `providers` are the provider's ids of it: more than one means that it went out more than once, from `again_at` on.
    """

    of: Of
    state: State
    at: datetime
    delivered_at: datetime | None = None
    refused_at: datetime | None = None
    opened: bool = False
    clicked: bool = False
    bounced: bool = False
    complained: bool = False
    providers: int = 0
    accepted_at: datetime | None = None
    again_at: datetime | None = None

    @property
    def word(self) -> Word:
        return "refused" if self.refused_at else "delivered" if self.delivered_at else "none"


class Counts(msgspec.Struct, frozen=True):
    """How many emails. Of those sent, the rest says what became of them; one may be delivered, opened and clicked."""

    pending: int = 0
    held: int = 0
    sent: int = 0
    skipped: int = 0
    failed: int = 0
    unknown: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    bounced: int = 0
    complained: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self.each(), other.each(), strict=True)))

    def each(self) -> tuple[int, ...]:
        return msgspec.structs.astuple(self)

    @property
    def planned(self) -> int:
        """Every email there was to be, whatever became of it."""
        return self.pending + self.held + self.sent + self.skipped + self.failed + self.unknown

    def rates(self) -> dict[str, float | None]:
        """Shares of 1: delivered and bounced of what was sent, the rest of what was delivered; None: of nothing."""
        of = {"delivered": self.sent, "bounced": self.sent} | dict.fromkeys(
            ("opened", "clicked", "complained"), self.delivered
        )
        return {name: getattr(self, name) / whole if whole else None for name, whole in of.items()}


def fates(contact: str, facts: Iterable[Fact], campaigns: Mapping[str, Campaign], pace: Pace) -> list[Fate]:
    """Every email of one person, planned or ended. Facts may come in any order, and twice."""
    known = list(facts)
    state = fold(contact, known)
    planned = plan_all(state, campaigns, pace)
    told = _told(known)
    found = []
    for email_id in {**planned, **dict.fromkeys(state.emails), **dict.fromkeys(told)}:
        email, plan = state.email(email_id), planned.get(email_id)
        stands = plan.state if plan else _stands(email)
        at = email.end.at if email.end else plan.planned_for if plan else None
        if stands and at and (of := _of(email_id)):
            found.append(_fate(of, stands, at, email, told.get(email_id, ())))
    return found


def count(found: Iterable[Fate], since: datetime | None = None) -> dict[Of, Counts]:
    """Of emails that ended, or are due by their plan, from `since` on."""
    counts: dict[Of, Counts] = {}
    for fate in found:
        if since is None or fate.at >= since:
            counts[fate.of] = counts.get(fate.of, Counts()).plus(_one(fate))
    return counts


def merged(all_: Mapping[Of, Counts], more: Mapping[Of, Counts]) -> dict[Of, Counts]:
    return {of: all_.get(of, Counts()).plus(more.get(of, Counts())) for of in {**all_, **more}}


def in_order(counts: Mapping[Of, Counts], campaigns: Mapping[str, Campaign]) -> list[tuple[Of, Counts]]:
    """As the campaign files have them; what no file knows any more comes last."""
    places = [Of(each.id, of.id, step.id) for each in campaigns.values() for of, step in each.all_steps()]
    return [(of, counts[of]) for of in [*(each for each in places if each in counts), *sorted({*counts} - {*places})]]


def _one(fate: Fate) -> Counts:
    is_sent = fate.state == "sent"
    happened = {
        "delivered": is_sent and fate.word == "delivered",
        "opened": fate.opened,
        "clicked": fate.clicked,
        "bounced": fate.bounced,
        "complained": fate.complained,
    }
    return Counts(**{fate.state: 1}, **{name: int(so) for name, so in happened.items()})


def _told(facts: Iterable[Fact]) -> dict[str, list[EmailSent | DeliveryFact]]:
    told: dict[str, list[EmailSent | DeliveryFact]] = {}
    for fact in facts:
        if isinstance(fact, EmailSent | DeliveryFact) and fact.email_id:
            told.setdefault(fact.email_id, []).append(fact)
    return told


def _stands(email: Email) -> State | None:
    """Of an email that no campaign plans any more; None where nothing has come of it, and nothing will."""
    if email.is_sent:
        return "sent"
    return NOT_SENT.get(type(email.end)) if email.end else None


def _of(email_id: str) -> Of | None:
    try:
        email = EmailId.parse(email_id)
    except BadId:
        return None
    return Of(email.campaign, email.sequence, email.step)


def _fate(of: Of, state: State, at: datetime, email: Email, told: Iterable[EmailSent | DeliveryFact]) -> Fate:
    told = sorted(told, key=lambda each: each.at)
    firsts: dict[str, datetime] = {}
    for each in told:
        firsts.setdefault(each.provider_id, each.at)
    accepted = sorted(at for id_, at in firsts.items() if id_)
    arrived = _first(told, EmailDelivered, EmailOpened, EmailClicked, EmailComplained)
    return Fate(
        of=of,
        state=state,
        at=at,
        delivered_at=arrived,
        refused_at=email.end.at if isinstance(email.end, EmailFailed) else _refused(told, arrived),
        opened=_first(told, EmailOpened, EmailClicked) is not None,
        clicked=_first(told, EmailClicked) is not None,
        bounced=_first(told, EmailBounced) is not None and _refused(told, arrived) is not None,
        complained=_first(told, EmailComplained) is not None,
        providers=len(accepted),
        accepted_at=told[0].at if told else None,
        again_at=accepted[1] if len(accepted) > 1 else None,
    )


def _first(told: Iterable[Fact], *kinds: type[Fact]) -> datetime | None:
    return next((each.at for each in told if isinstance(each, kinds)), None)


def _refused(told: Iterable[EmailSent | DeliveryFact], arrived: datetime | None) -> datetime | None:
    """When it was certain that it did not arrive. A bounce for the moment says nothing once it has arrived."""
    return next((each.at for each in told if _is_refusal(each) and (_is_final(each) or arrived is None)), None)


def _is_refusal(fact: Fact) -> bool:
    return isinstance(fact, EmailBounced | EmailSuppressed | EmailUndeliverable)


def _is_final(fact: Fact) -> bool:
    return not isinstance(fact, EmailBounced) or fact.kind == "permanent"
