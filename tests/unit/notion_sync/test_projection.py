from functools import cache
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contracts.facts import AnyFact
from contracts.ids import contact_id
from journey.campaign import Campaign, load_campaigns
from journey.contact import fold
from journey.plan import Pace
from services.notion_sync.projection import rows_for
from services.notion_sync.row import Row
from services.notion_sync.schema import BUSINESSX, COLUMNS, EMAIL_SEQUENCE
from services.settings import ROOT
from tests.factories import (
    ADA,
    CAMPAIGN,
    NOW,
    at,
    make_attempt_failed,
    make_booking_created,
    make_email_failed,
    make_email_sent,
    make_email_skipped,
    make_email_unknown,
    make_signup,
)

ME = contact_id(ADA)
STEPS = [f"email-{n}" for n in range(1, 8)]
FULL: dict[str, Any] = {
    "assessment_score": 42,
    "red_systems": 2,
    "orange_systems": 1,
    "yellow_systems": 3,
    "green_systems": 4,
    "gps_score": 45.5,
    "money_score": 58.0,
    "weakest_system_1": "Lead follow-up",
    "weakest_system_2": "Cash planning",
    "revenue_leak_total": 14_700.0,
}


@cache
def campaigns() -> dict[str, Campaign]:
    return load_campaigns(ROOT / "campaigns")


def rows(*facts: AnyFact, known: dict[str, Campaign] | None = None) -> dict[str, Row]:
    found = rows_for(fold(ME, facts), campaigns() if known is None else known, Pace())
    return {row.key: row for row in found}


def sequence_row(*facts: AnyFact) -> Row:
    return rows(*facts)[f"sequence.{ME}.{CAMPAIGN}"]


def contact_row(*facts: AnyFact) -> Row:
    return rows(*facts)[f"contact.{ME}"]


def text(value: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": {"content": value}}]


PERSON = {
    "Email": {"email": ADA},
    "First Name": {"rich_text": text("Ada")},
    "Business Name": {"rich_text": text("Ada's Bakery")},
    "Assessment Score": {"number": 42},
    "Red Systems": {"number": 2},
    "Orange Systems": {"number": 1},
    "Yellow Systems": {"number": 3},
    "Green Systems": {"number": 4},
    "Segment": {"select": {"name": "CRITICAL"}},
    "Campaign": {"select": {"name": "Christmas 2025"}},
    "Signup Date": {"date": {"start": NOW.isoformat()}},
    "Hold": {"checkbox": False},
}


def test_a_signup_fills_every_column_of_the_email_sequence() -> None:
    row = sequence_row(make_signup(**FULL))
    assert row.database == EMAIL_SEQUENCE
    assert row.find_by == {"Email": ADA, "Campaign": "Christmas 2025"}
    assert row.properties == {
        "Name": {"title": text("Ada - Christmas 2025")},
        **PERSON,
        "Assessment Completed": {"checkbox": True},
        "Sequence Completed": {"checkbox": False},
        **{f"Email {n} Sent": {"date": None} for n in range(1, 8)},
    }


def test_a_signup_fills_every_column_of_the_contacts() -> None:
    row = contact_row(make_signup(**FULL))
    assert row.database == BUSINESSX
    assert row.find_by == {"Email": ADA}
    assert row.properties == {
        "Name": {"title": text("Ada")},
        **PERSON,
        "Phase": {"select": {"name": "Phase 1 Assessment"}},
        "Christmas Campaign Status": {"select": {"name": "Nurture Sequence"}},
        "GPS Score": {"number": 45.5},
        "Money Score": {"number": 58.0},
        "Weakest System 1": {"rich_text": text("Lead follow-up")},
        "Weakest System 2": {"rich_text": text("Cash planning")},
        "Revenue Leak Total": {"number": 14_700.0},
    }


def test_every_written_column_is_one_we_check_for() -> None:
    for row in rows(make_signup(**FULL), make_booking_created()).values():
        assert {name: next(iter(value)) for name, value in row.properties.items()} == COLUMNS[row.database]


def test_a_missing_business_is_not_available() -> None:
    for missing in (None, "", "  "):
        for row in rows(make_signup(business_name=missing)).values():
            assert row.properties["Business Name"] == {"rich_text": text("N/A")}


def test_missing_scores_are_empty_cells() -> None:
    found = contact_row(make_signup()).properties
    for name in ("GPS Score", "Money Score", "Revenue Leak Total"):
        assert found[name] == {"number": None}
    for name in ("Weakest System 1", "Weakest System 2"):
        assert found[name] == {"rich_text": []}


def test_the_newest_form_decides_the_segment_and_the_first_one_the_date() -> None:
    later = make_signup(at=at(days=2), red_systems=0, orange_systems=0, first_name="Ada L.")
    for facts in ((make_signup(), later), (later, make_signup())):
        found = sequence_row(*facts).properties
        assert found["Segment"] == {"select": {"name": "OPTIMIZE"}}
        assert found["Name"] == {"title": text("Ada L. - Christmas 2025")}
        assert found["Signup Date"] == {"date": {"start": NOW.isoformat()}}


def test_an_email_that_was_sent_shows_when() -> None:
    found = sequence_row(make_signup(), make_email_sent("email-3", at=at(days=3, minutes=1))).properties
    assert found["Email 3 Sent"] == {"date": {"start": at(days=3, minutes=1).isoformat()}}
    assert found["Email 2 Sent"] == {"date": None}


def test_only_what_was_sent_has_a_date() -> None:
    endings: list[AnyFact] = [
        make_email_skipped("email-1"),
        make_email_failed("email-2"),
        make_email_unknown("email-3"),
    ]
    found = sequence_row(make_signup(), *endings, make_attempt_failed("email-4")).properties
    assert [found[f"Email {n} Sent"] for n in range(1, 5)] == [{"date": None}] * 4


def test_a_sequence_is_complete_when_every_email_has_ended() -> None:
    endings: list[AnyFact] = [
        make_email_skipped("email-1"),
        make_email_failed("email-2"),
        *(make_email_sent(step) for step in STEPS[2:]),
    ]
    assert sequence_row(make_signup(), *endings).properties["Sequence Completed"] == {"checkbox": True}
    for n in range(len(endings)):
        rest = [*endings[:n], *endings[n + 1 :]]
        assert sequence_row(make_signup(), *rest).properties["Sequence Completed"] == {"checkbox": False}


def test_an_email_nobody_knows_about_keeps_a_sequence_open() -> None:
    endings: list[AnyFact] = [*(make_email_sent(step) for step in STEPS[:6]), make_email_unknown("email-7")]
    assert sequence_row(make_signup(), *endings).properties["Sequence Completed"] == {"checkbox": False}


def test_a_contact_in_two_campaigns_has_two_sequence_rows_and_one_contact_row() -> None:
    spring = msgspec.structs.replace(campaigns()[CAMPAIGN], id="spring", name="Spring, early")
    known = campaigns() | {"spring": spring}
    facts = make_signup(), make_signup(campaign="spring", at=at(days=90))
    found = rows(*facts, known=known)
    assert set(found) == {f"sequence.{ME}.{CAMPAIGN}", f"sequence.{ME}.spring", f"contact.{ME}"}
    assert found[f"contact.{ME}"].properties["Campaign"] == {"select": {"name": "Spring early"}}
    assert found[f"sequence.{ME}.spring"].find_by["Campaign"] == "Spring early"


def test_a_campaign_nobody_knows_has_no_row() -> None:
    assert rows(make_signup(campaign="another")) == {}
    assert rows(make_email_sent()) == {}


def test_a_step_after_the_seventh_has_no_column() -> None:
    nurture = campaigns()[CAMPAIGN].sequences[0]
    eighth = msgspec.structs.replace(nurture.steps[-1], id="email-8")
    longer = msgspec.structs.replace(nurture, steps=(*nurture.steps, eighth))
    known = {CAMPAIGN: msgspec.structs.replace(campaigns()[CAMPAIGN], sequences=(longer,))}
    found = rows(make_signup(), make_email_sent("email-8"), known=known)[f"sequence.{ME}.{CAMPAIGN}"]
    assert found.properties.keys() == COLUMNS[EMAIL_SEQUENCE].keys()


def test_the_digest_tells_properties_apart_and_nothing_else() -> None:
    facts: list[AnyFact] = [make_signup(), make_email_sent("email-1"), make_email_sent("email-2")]
    assert sequence_row(*facts).digest == sequence_row(*reversed(facts)).digest
    assert sequence_row(*facts).digest != sequence_row(*facts[:2]).digest
    assert contact_row(*facts).digest == contact_row(*facts[:1]).digest
    row = sequence_row(*facts)
    turned = msgspec.structs.replace(row, properties=dict(reversed(list(row.properties.items()))))
    assert turned.digest == row.digest


@given(order=st.permutations([make_signup(), *(make_email_sent(step) for step in STEPS)]))
def test_the_order_of_facts_does_not_matter(order: list[AnyFact]) -> None:
    assert rows(*order) == rows(*sorted(order, key=lambda fact: fact.id))
