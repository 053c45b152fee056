"""Made-up people: their forms, facts and timers. The same number is the same person."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from contracts.facts import SignupReceived
from contracts.ids import contact_id
from contracts.subjects import Timer
from journey.campaign import Campaign, load_campaigns
from journey.contact import fold
from journey.plan import Pace, plan
from services.ingest.signup import translate
from services.settings import ROOT

CAMPAIGN, EMAILS = "christmas-2025", 7


def campaign() -> Campaign:
    return load_campaigns(ROOT / "campaigns")[CAMPAIGN]


def address(number: int) -> str:
    return f"person-{number}@example.com"


def form(number: int) -> dict[str, object]:
    """As the website sends it."""
    return {
        "email": address(number),
        "first_name": f"Person {number}",
        "business_name": f"Bakery {number}",
        "assessment_data": {
            "assessment_score": number % 101,
            "red_systems": number % 3,
            "orange_systems": number % 4,
            "yellow_systems": 3,
            "green_systems": 4,
            "gps_score": 35.5,
            "money_score": 50,
            "weakest_system_1": "Lead follow-up",
            "weakest_system_2": "Invoicing",
            "revenue_leak_total": 14_500,
        },
    }


def signup(number: int, at: datetime) -> SignupReceived:
    fact = translate(form(number), CAMPAIGN, at)
    assert isinstance(fact, SignupReceived)
    return fact


def timers_of(fact: SignupReceived, campaign_: Campaign) -> list[Timer]:
    """All the signup leads to, in order of time."""
    planned = plan(fold(fact.contact, [fact]), campaign_, Pace())
    return [Timer.at(each.email_id, each.due) for each in planned]


def steps(campaign_: Campaign) -> list[tuple[str, timedelta]]:
    """Each email's id without the person, and when it is due after the signup."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [(each.email_id.partition(".")[2], each.due_at - start) for each in timers_of(signup(0, start), campaign_)]


def timers_by_id(number: int, at: datetime, each_step: Iterable[tuple[str, timedelta]]) -> list[Timer]:
    """The same timers from the id alone: fast enough to make a million of them."""
    contact = contact_id(address(number))
    return [Timer.at(f"{contact}.{tail}", at + delay) for tail, delay in each_step]
