"""What the pages of a contact should show. Pure: facts in, rows in Notion's write format out."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from contracts.bookings import Person
from contracts.facts import Assessment
from contracts.ids import digest
from journey.contact import Contact, Signup
from journey.meetings import Meeting
from journey.model import SIGNUP, Campaign
from journey.plan import Pace, Planned, plan
from services.notion_sync import calls
from services.notion_sync.values import (
    Value,
    checkbox,
    date,
    email,
    number,
    option,
    rich_text,
    select,
    title,
)

Database = Literal["Email Sequence", "BusinessX Canada"]
EMAIL_SEQUENCE: Database = "Email Sequence"
BUSINESSX: Database = "BusinessX Canada"

NOT_GIVEN = "N/A"
PHASE, NURTURE, PRE_CALL = "Phase 1 Assessment", "Nurture Sequence", "Pre-Call Prep"
EMAILS = 7
"""The database has so many "Email N Sent" columns; what comes after the seventh step has none."""

ENDED = frozenset({"sent", "skipped", "failed"})
"""`unknown` waits for a person, so it has not ended."""

_PERSON = {
    "Name": "title",
    "Email": "email",
    "First Name": "rich_text",
    "Business Name": "rich_text",
    "Assessment Score": "number",
    "Red Systems": "number",
    "Orange Systems": "number",
    "Yellow Systems": "number",
    "Green Systems": "number",
    "Segment": "select",
    "Campaign": "select",
    "Signup Date": "date",
}
COLUMNS: Mapping[Database, Mapping[str, str]] = {
    EMAIL_SEQUENCE: {
        **_PERSON,
        "Assessment Completed": "checkbox",
        "Sequence Completed": "checkbox",
        **{f"Email {n} Sent": "date" for n in range(1, EMAILS + 1)},
    },
    BUSINESSX: {
        **_PERSON,
        "Phase": "select",
        "Christmas Campaign Status": "select",
        "GPS Score": "number",
        "Money Score": "number",
        "Weakest System 1": "rich_text",
        "Weakest System 2": "rich_text",
        "Revenue Leak Total": "number",
        **calls.COLUMNS,
    },
}
"""Every column we write, with its type."""

ADDED: Mapping[Database, Mapping[str, Value]] = {
    EMAIL_SEQUENCE: {},
    BUSINESSX: {
        "Booking Status": {"select": {"options": [{"name": name} for name in calls.STATUSES]}},
        "Diagnostic Call Date": {"date": {}},
    },
}
"""Columns that are made where they are missing, as older databases do not have them; no others are."""


class Row(msgspec.Struct, frozen=True):
    """One page as it should be. `key` is its place in the bucket `pages`; `find_by` tells it among existing rows.

    `generation`: how often columns of the database were made anew, and so had to be filled again.
    """

    database: Database
    key: str
    find_by: Mapping[str, str]
    properties: Mapping[str, Value]
    generation: int = 0

    @property
    def digest(self) -> str:
        """The same for the same properties, on every machine."""
        written = msgspec.json.encode(self.properties, order="deterministic").decode()
        return digest(f"{written}{self.generation or ''}")


def rows_for(contact: Contact, campaigns: Mapping[str, Campaign], pace: Pace) -> tuple[Row, ...]:
    """A row for each campaign the contact is in, and one for the contact, from the newest signup and the calls.

    Campaigns this process does not know are left out: nobody can tell what their rows should show.
    """
    known = {name: signup for name, signup in contact.signups.items() if name in campaigns}
    rows = [_sequence_row(contact, known[name], campaigns[name], pace) for name in sorted(known)]
    call = calls.call_that_counts(contact)
    if known:
        newest = max(known, key=lambda name: (known[name].latest.at, known[name].latest.id))
        return (*rows, _contact_row(contact, known[newest], campaigns[newest], call))
    return (_booker_row(contact, call),) if call else ()


def _sequence_row(contact: Contact, signup: Signup, campaign: Campaign, pace: Pace) -> Row:
    emails = _emails(contact, campaign, pace)
    return Row(
        database=EMAIL_SEQUENCE,
        key=f"sequence.{contact.id}.{campaign.id}",
        find_by={"Email": _address(signup), "Campaign": option(campaign.name)},
        properties={
            "Name": title(f"{signup.latest.first_name} - {campaign.name}"),
            **_person(signup, campaign),
            "Assessment Completed": checkbox(True),
            "Sequence Completed": checkbox(bool(emails) and all(each.state in ENDED for each in emails)),
            **{f"Email {n} Sent": date(None) for n in range(1, EMAILS + 1)},
            **{f"Email {n} Sent": _sent(each) for n, each in enumerate(emails[:EMAILS], start=1)},
        },
    )


def _contact_row(contact: Contact, signup: Signup, campaign: Campaign, call: Meeting | None) -> Row:
    assessment = signup.latest.assessment
    return Row(
        database=BUSINESSX,
        key=f"contact.{contact.id}",
        find_by={"Email": _address(signup)},
        properties={
            "Name": title(signup.latest.first_name),
            **_person(signup, campaign),
            "Phase": select(PHASE),
            "GPS Score": number(assessment.gps_score),
            "Money Score": number(assessment.money_score),
            "Weakest System 1": rich_text(assessment.weakest_system_1),
            "Weakest System 2": rich_text(assessment.weakest_system_2),
            "Revenue Leak Total": number(assessment.revenue_leak_total),
            **_standing(call, otherwise=NURTURE),
        },
    )


def _booker_row(contact: Contact, call: Meeting) -> Row:
    """Somebody who booked without signing up. What only a form can tell is left as it stands on the page."""
    address = email(contact.address or "")
    return Row(
        database=BUSINESSX,
        key=f"contact.{contact.id}",
        find_by={"Email": address["email"] or ""},
        properties={**_names(calls.booker(contact)), "Email": address, **_standing(call, otherwise=None)},
    )


def _names(booker: Person | None) -> dict[str, Value]:
    if booker is None:
        return {}
    name, first_name = booker.name.strip(), booker.first_name.strip()
    return {"Name": title(name or first_name), "First Name": rich_text(first_name or name.split()[0])}


def _standing(call: Meeting | None, *, otherwise: str | None) -> dict[str, Value]:
    """Somebody without any call keeps what their page says about calls."""
    status = PRE_CALL if call and calls.is_ahead(call) else otherwise
    return {"Christmas Campaign Status": select(status), **(calls.call_columns(call) if call else {})}


def _person(signup: Signup, campaign: Campaign) -> dict[str, Value]:
    """The columns both databases have."""
    latest = signup.latest
    return {
        "Email": email(latest.email),
        "First Name": rich_text(latest.first_name),
        "Business Name": rich_text((latest.business_name or "").strip() or NOT_GIVEN),
        **_scores(latest.assessment),
        "Segment": select(campaign.segment_of(signup.values())),
        "Campaign": select(campaign.name),
        "Signup Date": date(signup.first_at),
    }


def _scores(assessment: Assessment) -> dict[str, Value]:
    return {
        "Assessment Score": number(assessment.assessment_score),
        "Red Systems": number(assessment.red_systems),
        "Orange Systems": number(assessment.orange_systems),
        "Yellow Systems": number(assessment.yellow_systems),
        "Green Systems": number(assessment.green_systems),
    }


def _address(signup: Signup) -> str:
    return email(signup.latest.email)["email"] or ""


def _emails(contact: Contact, campaign: Campaign, pace: Pace) -> list[Planned]:
    """The planned emails that follow the signup, and not a booking or a trigger, in the order of the campaign file."""
    steps = [(sequence.id, step.id) for sequence, step in campaign.all_steps()]
    planned = [each for each in plan(contact, campaign, pace) if each.sequence.trigger == SIGNUP]
    return sorted(planned, key=lambda each: steps.index((each.sequence.id, each.step.id)))


def _sent(planned: Planned) -> Value:
    end = planned.email.end
    return date(end.at if end and planned.state == "sent" else None)
