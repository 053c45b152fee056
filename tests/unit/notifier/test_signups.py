"""Which signups are told, and how much of the person."""

from typing import Any

import pytest

from services.notifier.message import Message
from services.notifier.signups import Details, link_to, notice
from tests.factories import make_signup
from tests.unit.journey.test_plan import campaign

CRITICAL: dict[str, Any] = {"red_systems": 2}
URGENT: dict[str, Any] = {"red_systems": 1}


def told(details: Details = "names", segment: str = "CRITICAL", **values: Any) -> Message | None:
    return notice(make_signup(**values), campaign(), segment=segment, details=details, link=None)


def shown(details: Details, **values: Any) -> str:
    message = told(details, **CRITICAL, **values)
    assert message
    return repr(message)


def test_the_campaigns_own_segment_decides() -> None:
    assert told(**CRITICAL)
    assert told(**URGENT) is None
    assert told(segment="URGENT", **URGENT)


def test_by_default_the_chat_hears_first_name_business_score_and_contact() -> None:
    message = told(**CRITICAL, assessment_score=17)
    assert message
    assert message.title == "CRITICAL signup"
    assert dict(message.lines) == {
        "Name": "Ada",
        "Business": "Ada's Bakery",
        "Score": "17 of 100",
        "Campaign": campaign().name,
        "Contact": make_signup().contact,
    }


@pytest.mark.parametrize("details", ["none", "names"])
def test_the_address_is_told_only_where_that_is_wanted(details: Details) -> None:
    assert "ada@example.com" not in shown(details)
    assert "ada@example.com" in shown("full", weakest_system_1="Money")
    assert "Money" in shown("full", weakest_system_1="Money")


def test_without_details_nobody_is_named() -> None:
    assert "Ada" not in shown("none")


def test_a_link_names_the_page() -> None:
    assert link_to("12345678-1234-1234-1234-1234567890ab") == "https://www.notion.so/123456781234123412341234567890ab"
    assert link_to(None) is None
