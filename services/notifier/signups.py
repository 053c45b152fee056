"""Which signups are told, and what the chat hears of them. Pure."""

from datetime import timedelta
from typing import Literal

from contracts.facts import SignupReceived
from journey.contact import Signup
from journey.model import Campaign
from services.notifier.message import Message

Details = Literal["none", "names", "full"]
NEWS = timedelta(hours=24)
"""Older than that, a signup is no news: it is in Notion."""


def notice(
    fact: SignupReceived, campaign: Campaign, *, segment: str, details: Details, link: str | None
) -> Message | None:
    """None for a signup of another segment."""
    if campaign.segment_of(Signup(fact.at, fact).values()) != segment:
        return None
    score = ("Score", f"{fact.assessment.assessment_score} of 100")
    about = (("Campaign", campaign.name), ("Contact", fact.contact))
    lines = (*_person(fact, details), score, *_assessment(fact, details), *about)
    return Message(f"{segment} signup", lines, link)


def _person(fact: SignupReceived, details: Details) -> tuple[tuple[str, str], ...]:
    if details == "none":
        return ()
    names = (("Name", fact.first_name), ("Business", fact.business_name or "not given"))
    return (*names, ("Email", fact.email)) if details == "full" else names


def _assessment(fact: SignupReceived, details: Details) -> tuple[tuple[str, str], ...]:
    if details != "full":
        return ()
    found = fact.assessment
    systems = f"{found.red_systems} red, {found.orange_systems} orange, {found.yellow_systems} yellow"
    weakest = ", ".join(each for each in (found.weakest_system_1, found.weakest_system_2) if each)
    return (("Systems", systems), *((("Weakest", weakest),) if weakest else ()))


def link_to(page_id: str | None) -> str | None:
    return f"https://www.notion.so/{page_id.replace('-', '')}" if page_id else None
