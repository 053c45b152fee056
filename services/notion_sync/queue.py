"""Email Queue: one row for each planned email, kept in step with the plan. Pure."""

from collections.abc import Iterator, Mapping

from contracts.facts import EmailSent
from journey.campaign import Campaign, Sequence, Step
from journey.contact import Contact
from journey.plan import Pace, Planned, plan
from journey.values import values_of
from services.notion_sync.row import Row
from services.notion_sync.schema import CANCELLED, HELD, KEY, QUEUE, QUEUED, STATUS
from services.notion_sync.values import date, email, number, rich_text, select, title

NOT_PLANNED = "not planned any more"
OWN_WORDS = {"pending": QUEUED, "held": HELD}


def queue_rows(contact: Contact, campaigns: Mapping[str, Campaign], pace: Pace) -> Iterator[Row]:
    """In the order of their times, campaign by campaign."""
    for name in sorted(campaigns):
        for planned in plan(contact, campaigns[name], pace):
            yield _row(contact, campaigns[name], planned)


def queue_key(email_id: str) -> str:
    return f"queue.{email_id}"


def status_of(planned: Planned) -> str:
    """What the column Status says."""
    if planned.unwanted == CANCELLED and planned.email.end is None:
        return CANCELLED
    return OWN_WORDS.get(planned.state, planned.state)


def unplanned_row(contact: str, email_id: str) -> Row:
    """Of an email that was to come once, and is not planned any more."""
    return Row(
        database=QUEUE,
        key=queue_key(email_id),
        contact=contact,
        find_by={KEY: email_id},
        properties={STATUS: select("skipped"), "Error Message": rich_text(NOT_PLANNED)},
    )


def email_number(sequence: Sequence, step: Step) -> int:
    """Its place in its sequence, from 1."""
    return sequence.steps.index(step) + 1


def _row(contact: Contact, campaign: Campaign, planned: Planned) -> Row:
    values = values_of(contact, campaign, planned.occasion)
    first_name = str(values.get("first_name") or "")
    sent = planned.email.end if planned.email.is_sent else None
    address = email(contact.address or "")
    return Row(
        database=QUEUE,
        key=queue_key(planned.email_id),
        contact=contact.id,
        find_by={KEY: planned.email_id},
        properties={
            "Name": title(f"{first_name} · {planned.step.id}" if first_name else planned.step.id),
            KEY: rich_text(planned.email_id),
            "Email Address": address,
            "First Name": rich_text(first_name),
            "Email Number": number(email_number(planned.sequence, planned.step)),
            "Template ID": rich_text(_template(campaign, planned, values)),
            "Scheduled Time": date(planned.due),
            STATUS: select(status_of(planned)),
            "Sent At": date(sent.at if sent else None),
            "Resend Email ID": rich_text(getattr(sent, "provider_id", "")),
            "Error Message": rich_text(planned.reason),
        },
        incomplete=() if address["email"] else ("Email Address",),
    )


def _template(campaign: Campaign, planned: Planned, values: Mapping[str, object]) -> str:
    """The one it was sent with; else the one it would be sent with."""
    end = planned.email.end
    if isinstance(end, EmailSent) and end.template:
        return end.template
    return planned.step.template_for(campaign.segment_of(values))
