"""What the pages of a contact should show. Pure: facts in, rows in Notion's write format out."""

from collections.abc import Mapping

from contracts.bookings import Scheduled
from contracts.facts import Assessment
from contracts.operators import OperatorHeld
from eventlog.pages import contact_key, sequence_key
from journey.contact import Contact, Signup
from journey.meetings import Meeting
from journey.model import SIGNUP, Campaign
from journey.plan import Pace, Planned, plan
from services.notion_sync import calls
from services.notion_sync.row import Row
from services.notion_sync.schema import BUSINESSX, EMAIL_SEQUENCE, EMAILS, HOLD
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

NOT_GIVEN = "N/A"
PHASE, NURTURE, PRE_CALL = "Phase 1 Assessment", "Nurture Sequence", "Pre-Call Prep"
ENDED = frozenset({"sent", "skipped", "failed"})
"""`unknown` waits for a person, so it has not ended."""


def rows_for(contact: Contact, campaigns: Mapping[str, Campaign], pace: Pace) -> tuple[Row, ...]:
    """A row for each campaign the contact is in, and one for the contact, from the newest signup and the calls.

    Campaigns this process does not know are left out: nobody can tell what their rows should show.
    """
    known = _known(contact, campaigns)
    rows = [_sequence_row(contact, known[name], campaigns[name], pace) for name in sorted(known)]
    call = calls.call_that_counts(contact)
    if known:
        newest = newest_signup(contact, campaigns)
        return (*rows, _contact_row(contact, known[newest], campaigns[newest], call))
    return (_booker_row(contact, call),) if call else ()


def _known(contact: Contact, campaigns: Mapping[str, Campaign]) -> dict[str, Signup]:
    return {name: signup for name, signup in contact.signups.items() if name in campaigns}


def newest_signup(contact: Contact, campaigns: Mapping[str, Campaign]) -> str:
    """The campaign that the contact's own page speaks of; "" if they are in none we know."""
    known = _known(contact, campaigns)
    return max(known, key=lambda name: (known[name].latest.at, known[name].latest.id), default="")


def _sequence_row(contact: Contact, signup: Signup, campaign: Campaign, pace: Pace) -> Row:
    emails = _emails(contact, campaign, pace)
    return Row(
        database=EMAIL_SEQUENCE,
        key=sequence_key(contact.id, campaign.id),
        contact=contact.id,
        find_by={"Email": _address(signup), "Campaign": option(campaign.name)},
        incomplete=_without(email(signup.latest.email)),
        properties={
            "Name": title(f"{first_name(contact, signup)} - {campaign.name}"),
            **_person(contact, signup, campaign),
            HOLD: checkbox(is_on_hold(contact, f"{contact.id}.{campaign.id}")),
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
        key=contact_key(contact.id),
        contact=contact.id,
        find_by={"Email": _address(signup)},
        incomplete=_without(email(signup.latest.email)),
        properties={
            "Name": title(first_name(contact, signup)),
            **_person(contact, signup, campaign),
            HOLD: checkbox(is_on_hold(contact, contact.id)),
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
        key=contact_key(contact.id),
        contact=contact.id,
        find_by={"Email": address["email"] or ""},
        properties={
            **_names(contact, calls.introduced(contact)),
            "Email": address,
            HOLD: checkbox(is_on_hold(contact, contact.id)),
            **_standing(call, otherwise=None),
        },
        incomplete=_without(address),
    )


def is_on_hold(contact: Contact, what: str) -> bool:
    """Whether exactly this is held, and not more or less than it: each page has its own tick."""
    return isinstance(contact.intent(what), OperatorHeld)


def first_name(contact: Contact, signup: Signup) -> str:
    """As the form has it, unless somebody knows better."""
    return contact.corrected("first_name", signup.latest.first_name, signup.latest.at) or ""


def business_name(contact: Contact, signup: Signup) -> str:
    """Likewise."""
    given = contact.corrected("business_name", signup.latest.business_name, signup.latest.at)
    return (given or "").strip() or NOT_GIVEN


def _without(address: Value) -> tuple[str, ...]:
    return () if address["email"] else ("Email",)


def _names(contact: Contact, booking: Scheduled | None) -> dict[str, Value]:
    if booking is None:
        return {}
    said = calls.first_name(booking.booker)
    first = contact.corrected("first_name", said, booking.sent_at)
    return {"Name": title(booking.booker.name.strip() or said), "First Name": rich_text(first)}


def _standing(call: Meeting | None, *, otherwise: str | None) -> dict[str, Value]:
    """Somebody without any call keeps what their page says about calls."""
    status = PRE_CALL if call and calls.is_ahead(call) else otherwise
    return {"Christmas Campaign Status": select(status), **(calls.call_columns(call) if call else {})}


def _person(contact: Contact, signup: Signup, campaign: Campaign) -> dict[str, Value]:
    """The columns both databases have."""
    latest = signup.latest
    return {
        "Email": email(latest.email),
        "First Name": rich_text(first_name(contact, signup)),
        "Business Name": rich_text(business_name(contact, signup)),
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
