"""One person for each segment, and what the emails and the tables must say about them."""

from dataclasses import dataclass, field, replace
from typing import Any

from contracts.ids import EmailId, contact_id
from tests.factories import CAMPAIGN

STEPS = tuple(f"email-{number}" for number in range(1, 8))
SCORES = ("assessment_score", "red_systems", "orange_systems", "yellow_systems", "green_systems")
OPTIONAL = ("gps_score", "money_score", "weakest_system_1", "weakest_system_2", "revenue_leak_total")


@dataclass(frozen=True)
class Person:
    """What the website's form says; a score that was not given is 0."""

    email: str
    first_name: str
    segment: str
    scores: dict[str, int]
    business_name: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    nested: bool = False
    """Whether the form keeps its scores under `assessment_data`."""

    @property
    def contact(self) -> str:
        return contact_id(self.email)

    def form(self) -> dict[str, Any]:
        scores = {**self.scores, **self.more}
        about = {"email": self.email, "first_name": self.first_name}
        if self.business_name:
            about["business_name"] = self.business_name
        return {**about, "assessment_data": scores} if self.nested else {**about, **scores}

    def email_id(self, step: str) -> str:
        return str(EmailId(self.contact, CAMPAIGN, "nurture", "once", step))

    def again(self, **changes: Any) -> "Person":
        """The same person, with another form."""
        return replace(self, **changes)

    def row(self) -> dict[str, Any]:
        """The columns both tables have, but for the date."""
        return {
            "Email": self.email,
            "First Name": self.first_name,
            "Business Name": self.business_name or "N/A",
            **{_column(name): self.scores.get(name, 0) for name in SCORES},
            "Segment": self.segment,
            "Campaign": "Christmas 2025",
        }

    def assessment_row(self) -> dict[str, Any]:
        """The columns only the table of contacts has."""
        return {
            "GPS Score": self.more.get("gps_score"),
            "Money Score": self.more.get("money_score"),
            "Weakest System 1": self.more.get("weakest_system_1", ""),
            "Weakest System 2": self.more.get("weakest_system_2", ""),
            "Revenue Leak Total": self.more.get("revenue_leak_total"),
            "Phase": "Phase 1 Assessment",
            "Christmas Campaign Status": "Nurture Sequence",
        }


def _column(name: str) -> str:
    return name.replace("_", " ").title()


MARIA = Person(
    "maria@example.com",
    "Maria",
    "CRITICAL",
    {"assessment_score": 34, "red_systems": 3, "orange_systems": 2, "yellow_systems": 1, "green_systems": 2},
    business_name="Maria's Bakery",
    more={
        "gps_score": 41,
        "money_score": 28,
        "weakest_system_1": "Cash flow",
        "weakest_system_2": "Follow-up",
        "revenue_leak_total": 14_700,
    },
    nested=True,
)
TOM = Person(
    "tom@example.com",
    "Tom",
    "URGENT",
    {"assessment_score": 58, "red_systems": 1, "orange_systems": 1, "yellow_systems": 4, "green_systems": 2},
    business_name="Söhne & <Tom>",
    more={"gps_score": 60, "weakest_system_1": "Scheduling", "revenue_leak_total": 6_200},
)
AIKO = Person(
    "aiko@example.com",
    "Aiko",
    "OPTIMIZE",
    {"assessment_score": 83, "orange_systems": 1, "yellow_systems": 2, "green_systems": 5},
)
PEOPLE = (MARIA, TOM, AIKO)

SUBJECTS = {
    "CRITICAL": (
        "{first_name}, your results: {assessment_score} out of 100",
        "Start with {weakest_system_1} and leave the rest",
        "The quotes in Dana’s drawer",
        "Five questions, five minutes",
        "What another month like this would cost",
        "Four fair questions",
        "Our last email about your results",
    ),
    "URGENT": (
        "{first_name}, your results: {assessment_score} out of 100",
        "One red light, and what to do about it",
        "The quotes in Dana’s drawer",
        "Five questions, five minutes",
        "The orange light that turns red in January",
        "Four fair questions",
        "Before the year ends: a name, a time, a place",
    ),
    "OPTIMIZE": (
        "{first_name}, your results: {assessment_score} out of 100",
        "What to do with a good result",
        "The quotes in Dana’s drawer",
        "Five questions, five minutes",
        "What to do with the quiet week",
        "Four fair questions",
        "A good year, and one question for the next",
    ),
}
TEMPLATES = {
    segment: tuple(f"christmas_email_{number}{letter if number in {2, 5, 7} else ''}" for number in range(1, 8))
    for segment, letter in {"CRITICAL": "a", "URGENT": "b", "OPTIMIZE": "c"}.items()
}


def subjects_for(person: Person) -> list[str]:
    values = {"first_name": person.first_name, **person.scores, **person.more}
    return [subject.format(**values) for subject in SUBJECTS[person.segment]]
