"""A form as the website sends it."""

from typing import Any

from contracts.facts import SignupReceived
from services.ingest.signup import FieldProblem, translate
from tests.factories import ADA, CAMPAIGN, NOW

SCORES: dict[str, Any] = {
    "assessment_score": 42,
    "red_systems": 2,
    "orange_systems": 1,
    "yellow_systems": 3,
    "green_systems": 4,
    "gps_score": 35.5,
    "money_score": 50,
    "weakest_system_1": "Lead follow-up",
    "weakest_system_2": "Invoicing",
    "revenue_leak_total": 14_500,
}
PERSON: dict[str, Any] = {"email": ADA, "first_name": "Ada", "business_name": "Ada's Bakery"}
FORM: dict[str, Any] = PERSON | SCORES
NESTED: dict[str, Any] = PERSON | {"assessment_data": SCORES}
SMALLEST: dict[str, Any] = {"email": ADA, "first_name": "Ada", "assessment_score": 42}


def fact_of(form: dict[str, Any]) -> SignupReceived:
    fact = translate(form, CAMPAIGN, NOW)
    assert isinstance(fact, SignupReceived), fact
    return fact


def problems_of(form: dict[str, Any]) -> dict[str, str]:
    """Problem by field."""
    problems = translate(form, CAMPAIGN, NOW)
    assert not isinstance(problems, SignupReceived)
    assert all(isinstance(each, FieldProblem) for each in problems)
    return {each.field: each.problem for each in problems}
