"""The Christmas campaign as its readers meet it."""

import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.campaign import Campaign, Segment, load_campaigns
from journey.templates import Rendered, render

ROOT = Path(__file__).parents[3] / "campaigns"
FULL: dict[str, object] = {
    "first_name": "Maria",
    "business_name": "Rossi & Daughters",
    "assessment_score": 61,
    "red_systems": 2,
    "orange_systems": 3,
    "yellow_systems": 2,
    "green_systems": 3,
    "gps_score": 45.0,
    "money_score": 58.5,
    "weakest_system_1": "Lead follow-up",
    "weakest_system_2": "Cash planning",
    "revenue_leak_total": 14_700.0,
}
OPTIONAL = (
    "business_name",
    "gps_score",
    "money_score",
    "weakest_system_1",
    "weakest_system_2",
    "revenue_leak_total",
)
BARE = FULL | dict.fromkeys(OPTIONAL)
COUNTS = {
    "CRITICAL": {"red_systems": 2},
    "URGENT": {"red_systems": 1},
    "OPTIMIZE": {"red_systems": 0, "orange_systems": 1},
}


@pytest.fixture(scope="module")
def christmas() -> Campaign:
    return load_campaigns(ROOT)["christmas-2025"]


def every_mail(campaign: Campaign, values: dict[str, object]) -> list[tuple[str, Rendered]]:
    """What people of each segment get, by template name."""
    found = {}
    for counts in COUNTS.values():
        for step in campaign.sequences[0].steps:
            template = campaign.template_for(step, values | counts)
            found[template.name] = render(template, campaign.variables_for(values | counts))
    return sorted(found.items())


def body(text: str) -> str:
    return text.partition("\n\n")[2].partition("Warm regards")[0]


def test_seven_emails_in_eleven_days(christmas: Campaign) -> None:
    sequence = christmas.sequences[0]
    assert (sequence.id, sequence.trigger) == ("nurture", "signup")
    assert [step.id for step in sequence.steps] == [f"email-{n}" for n in range(1, 8)]
    assert [step.after / timedelta(hours=1) for step in sequence.steps] == [0, 24, 72, 120, 168, 216, 264]


def test_testing_takes_six_minutes(christmas: Campaign) -> None:
    delays = [step.testing_after for step in christmas.sequences[0].steps]
    assert delays[0] == timedelta(0)
    assert {later - earlier for earlier, later in pairwise(delays)} == {timedelta(minutes=1)}


def test_thirteen_templates_by_segment(christmas: Campaign) -> None:
    names = {f"christmas_email_{n}" for n in ("1", "2a", "2b", "2c", "3", "4", "5a", "5b", "5c", "6", "7a", "7b", "7c")}
    assert {name for name in christmas.templates if name.startswith("christmas_email")} == names
    for letter, segment in zip("abc", COUNTS, strict=True):
        for step in christmas.sequences[0].steps:
            number = step.id.removeprefix("email-")
            suffix = letter if number in "257" else ""
            assert step.template_for(segment) == f"christmas_email_{number}{suffix}"


@pytest.mark.parametrize(
    ("red", "orange", "segment"),
    [
        (3, 0, "CRITICAL"),
        (2, 0, "CRITICAL"),
        (1, 0, "URGENT"),
        (0, 2, "URGENT"),
        (0, 1, "OPTIMIZE"),
        (0, 0, "OPTIMIZE"),
    ],
)
def test_segment_follows_red_and_orange(christmas: Campaign, red: int, orange: int, segment: str) -> None:
    assert christmas.segment_of({"red_systems": red, "orange_systems": orange}) == segment


@given(red=st.integers(min_value=0), orange=st.integers(min_value=0))
def test_everybody_has_exactly_one_segment(christmas: Campaign, red: int, orange: int) -> None:
    expected = "CRITICAL" if red >= 2 else "URGENT" if red == 1 or orange >= 2 else "OPTIMIZE"
    assert christmas.segment_of({"red_systems": red, "orange_systems": orange}) == expected
    assert isinstance(christmas.segments[-1], Segment)


def test_variables_are_shown_as_people_write_them(christmas: Campaign) -> None:
    shown = christmas.variables_for(FULL | {"assessment_score": 61.0})
    assert str(shown["assessment_score"]) == "61"
    assert (shown["gps_score"], shown["money_score"]) == (45, 58.5)
    assert (shown["revenue_leak_total"], shown["segment"]) == ("$14,700", "CRITICAL")


def test_absent_variables_have_their_fallback(christmas: Campaign) -> None:
    shown = christmas.variables_for(BARE)
    assert shown["business_name"] == "your business"
    assert {shown[name] for name in OPTIONAL if name != "business_name"} == {"N/A"}


@pytest.mark.parametrize("values", [FULL, BARE], ids=["everything known", "only the required known"])
def test_every_email_is_short_and_whole(christmas: Campaign, values: dict[str, object]) -> None:
    mails = every_mail(christmas, values)
    assert len(mails) == 13
    for name, mail in mails:
        assert 120 <= len(body(mail.text).split()) <= 220, name
        assert mail.text.startswith("Business X\n\nHi Maria,\n"), name
        assert 10 <= len(mail.subject) <= 70, name
        assert not re.search(r"N/A|\{|\}|None|  +\S.*  |&amp;|\bthere,", body(mail.text)), name
        assert not re.search(r"\{\{|\{%|N/A", mail.html), name


def test_every_email_uses_the_persons_own_results(christmas: Campaign) -> None:
    for name, mail in every_mail(christmas, FULL):
        assert "Lead follow-up" in mail.text or "Lead follow-up" in " ".join(mail.text.split()), name
        assert "$14,700" in mail.text or name.endswith("_4"), name


def test_every_email_has_one_button_to_the_calendar(christmas: Campaign) -> None:
    url = christmas.constants["booking_url"]
    for name, mail in every_mail(christmas, FULL):
        assert len(re.findall(rf'href="{re.escape(url)}"', mail.html)) == 1, name
        assert re.search(rf"\S: ?\n?{re.escape(url)}\n", mail.text), name


def test_every_email_names_sender_address_and_way_out(christmas: Campaign) -> None:
    for name, mail in every_mail(christmas, BARE):
        footer = " ".join(mail.text.rpartition("Warm regards")[2].split())
        for needed in (
            *(christmas.constants[key] for key in ("sender_name", "postal_address", "contact_email")),
            "“stop”",
        ):
            assert needed in footer, (name, needed)


def test_text_parts_read_like_typed_mail(christmas: Campaign) -> None:
    for name, mail in every_mail(christmas, FULL):
        lines = mail.text.split("\n")
        assert max(map(len, lines)) <= 76, name
        assert "\n\n\n" not in mail.text, name
        assert all(line == line.rstrip() for line in lines), name
        assert not re.search(r"[\u00a0\u200c\u034f]", mail.text), name


def test_a_leak_of_nothing_is_not_mentioned(christmas: Campaign) -> None:
    for name, mail in every_mail(christmas, FULL | {"revenue_leak_total": 0.0}):
        assert "$0" not in mail.text, name


def test_nameless_people_are_greeted_all_the_same(christmas: Campaign) -> None:
    for name, mail in every_mail(christmas, BARE | {"first_name": " "}):
        assert "Hi there," in mail.text, name
        assert "there" not in mail.subject, name


text = st.none() | st.text()
count = st.integers(min_value=0, max_value=50)


@given(
    texts=st.fixed_dictionaries(dict.fromkeys(("business_name", "weakest_system_1", "weakest_system_2"), text)),
    counts=st.fixed_dictionaries(
        dict.fromkeys(("red_systems", "orange_systems", "yellow_systems", "green_systems"), count)
    ),
    first_name=st.text(),
    leak=st.none() | st.floats(min_value=0),
)
def test_every_email_can_be_rendered_for_everybody(
    christmas: Campaign,
    texts: dict[str, object],
    counts: dict[str, object],
    first_name: str,
    leak: float | None,
) -> None:
    values = FULL | texts | counts | {"first_name": first_name, "revenue_leak_total": leak}
    for step in christmas.sequences[0].steps:
        mail = render(christmas.template_for(step, values), christmas.variables_for(values))
        assert mail.text.isprintable() or "\n" in mail.text
        assert mail.subject
