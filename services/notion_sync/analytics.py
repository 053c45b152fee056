"""Email Analytics: one row for each fact about an email, written once. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from contracts.base import Fact
from contracts.deliveries import (
    DeliveryFact,
    EmailAccepted,
    EmailBounced,
    EmailClicked,
    EmailComplained,
    EmailDelayed,
    EmailDelivered,
    EmailOpened,
    EmailSuppressed,
    EmailUndeliverable,
)
from contracts.facts import EmailAttemptFailed, EmailFact, EmailFailed, EmailSent, EmailSkipped, EmailUnknown
from contracts.ids import EmailId
from contracts.subjects import fact_name
from journey.campaign import Campaign
from journey.contact import Contact
from services.notion_sync.queue import email_number
from services.notion_sync.row import Row
from services.notion_sync.schema import ANALYTICS, KEY
from services.notion_sync.values import date, number, rich_text, select, title

EVENT_TYPES: Mapping[type[Fact], str] = {
    EmailSent: "sent",
    EmailDelivered: "delivered",
    EmailOpened: "opened",
    EmailClicked: "clicked",
    EmailBounced: "bounced",
    EmailComplained: "complained",
    EmailFailed: "failed",
    EmailUndeliverable: "failed",
    EmailSkipped: "skipped",
    EmailAccepted: "accepted",
    EmailDelayed: "delayed",
    EmailSuppressed: "suppressed",
    EmailUnknown: "unknown",
    EmailAttemptFailed: "attempt failed",
}


def event_rows(contact: Contact, facts: Iterable[Fact], campaigns: Mapping[str, Campaign]) -> Iterator[Row]:
    """Of the facts that are about an email; the contact tells which template it was."""
    for fact in facts:
        if isinstance(fact, EmailFact | DeliveryFact):
            yield _row(contact, fact, campaigns)


def about_the_same(history: Iterable[Fact], news: Iterable[Fact]) -> Iterator[Fact]:
    """The news, and what was heard before of the same emails: a webhook can come before we know what was sent."""
    heard = list(news)
    told = {(fact.tag, fact.id) for fact in heard}
    emails = {email_of(fact) for fact in heard} - {None}
    seen = set[tuple[str, str]]()
    for fact in history:
        identity = fact.tag, fact.id
        if identity not in seen and (identity in told or email_of(fact) in emails):
            seen.add(identity)
            yield fact


def email_of(fact: Fact) -> str | None:
    """Which planned email a fact is about."""
    return fact.email_id if isinstance(fact, EmailFact | DeliveryFact) else None


def _row(contact: Contact, fact: EmailFact | DeliveryFact, campaigns: Mapping[str, Campaign]) -> Row:
    email = EmailId.parse(fact.email_id) if fact.email_id else None
    event, key = EVENT_TYPES[type(fact)], fact_name(fact)
    campaign = campaigns.get(email.campaign) if email else None
    return Row(
        database=ANALYTICS,
        key=f"analytics.{key}",
        contact=contact.id,
        find_by={KEY: key},
        properties={
            "Name": title(f"{event} · {email.step}" if email else event),
            KEY: rich_text(key),
            "Event Type": select(event),
            "Template ID": rich_text(_template(contact, fact)),
            "Email Number": number(_number(campaign, email)),
            "Resend Email ID": rich_text(getattr(fact, "provider_id", "")),
            "Campaign": select(campaign.name if campaign else email.campaign if email else None),
            "Timestamp": date(fact.at),
            "Reason": rich_text(_reason(fact)),
        },
    )


def _number(campaign: Campaign | None, email: EmailId | None) -> int | None:
    sequence = campaign.sequence(email.sequence) if campaign and email else None
    step = sequence.step(email.step) if sequence and email else None
    return email_number(sequence, step) if sequence and step else None


def _template(contact: Contact, fact: EmailFact | DeliveryFact) -> str:
    """Of what was sent; before that, nobody has chosen one."""
    sent = contact.email(fact.email_id).end if fact.email_id else None
    return fact.template if isinstance(fact, EmailSent) else getattr(sent, "template", "")


def _reason(fact: EmailFact | DeliveryFact) -> str:
    """Why, where there is a why: a reason, what the provider said besides, the link that was followed."""
    said = (getattr(fact, name, "") for name in ("kind", "reason", "detail", "link"))
    return ": ".join(str(each) for each in said if each)
