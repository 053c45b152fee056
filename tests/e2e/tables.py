"""What the tables must show of a person, to the last column, according to the log."""

from datetime import UTC, datetime
from typing import Any

from contracts.facts import AnyFact, EmailSent, SignupReceived
from tests.e2e.people import STEPS, Person


def expected_sequence(person: Person, facts: list[AnyFact]) -> dict[str, Any]:
    sent = {fact.email.step: fact.at for fact in facts if isinstance(fact, EmailSent)}
    return {
        "Name": f"{person.first_name} - Christmas 2025",
        **person.row(),
        "Signup Date": _signed_up(facts),
        "Hold": False,
        "Assessment Completed": True,
        "Sequence Completed": sent.keys() == set(STEPS),
        **{f"Email {n} Sent": _second(sent.get(step)) for n, step in enumerate(STEPS, start=1)},
    }


def expected_contact(person: Person, facts: list[AnyFact]) -> dict[str, Any]:
    return {
        "Name": person.first_name,
        **person.row(),
        "Signup Date": _signed_up(facts),
        "Hold": False,
        **person.assessment_row(),
        "Booking Status": None,
        "Diagnostic Call Date": None,
    }


def _signed_up(facts: list[AnyFact]) -> str | None:
    return _second(min(fact.at for fact in facts if isinstance(fact, SignupReceived)))


def _second(moment: datetime | None) -> str | None:
    """As Notion gives a date back."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+00:00" if moment else None
