"""What becomes of names that are long, invisible, turned around or not quite text: docs/architecture.md promises it."""

from typing import Any

import pytest

from contracts.bookings import BookingCreated
from services.ingest.form import read_text
from tests.calcom import attendee, created
from tests.factories import NOW
from tests.fuzz.letters import christmas, facts_of, letters_of
from tests.fuzz.offers import WEBHOOKS
from tests.unit.ingest.forms import FORM, fact_of, problems_of

CLEANED: dict[str, tuple[str, str]] = {
    "NUL": ("A\x00da", "A da"),
    "a line end": ("Ada\r\nBcc: eve@example.com", "Ada Bcc: eve@example.com"),
    "a turned direction": ("\u202eadA\u202c", "adA"),
    "a mark of direction": ("Ada\u200f", "Ada"),
    "zero width": ("A\u200bd\u2060a\ufeff", "Ada"),
    "invisible tags": ("Ada\U000e0041\U000e0042", "Ada"),
    "half an emoji": ("Ada\ud83d", "Ada"),
    "a combining mark": ("Zoe\u0308", "Zo\u00eb"),
    "a family of emoji": ("\U0001f469\u200d\U0001f467", "\U0001f469\U0001f467"),
    "a skin tone": ("\U0001f44b\U0001f3fd", "\U0001f44b\U0001f3fd"),
    "right to left": ("\u05d0\u05d3\u05d4", "\u05d0\u05d3\u05d4"),
    "markup": ("<b>Ada</b> {{ x }}", "<b>Ada</b> {{ x }}"),
}


@pytest.mark.parametrize(("sent", "kept"), CLEANED.values(), ids=CLEANED.keys())
def test_a_name_is_one_line_of_visible_text(sent: str, kept: str) -> None:
    assert fact_of(FORM | {"first_name": sent}).first_name == kept


@pytest.mark.parametrize("sent", ["\u200b\u00ad", "\u3164\u2800", "\x00\x01", "\ud83d"])
def test_a_name_of_nothing_is_no_name(sent: str) -> None:
    assert problems_of(FORM | {"first_name": sent}) == {"first_name": "is required"}


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("x" * 101, "must be at most 100 characters long"),
        ("\U0001f384" * 101, "must be at most 100 characters long"),
        ("x" * 2_001, "is too long"),
        ("x" * 100_000, "is too long"),
        ("\u200b" * 100_000, "is too long"),
    ],
)
def test_a_long_name_in_a_form_is_refused(sent: str, problem: str) -> None:
    assert problems_of(FORM | {"first_name": sent}) == {"first_name": problem}


def test_a_hundred_characters_are_a_name_whatever_they_take_on_the_wire() -> None:
    assert fact_of(FORM | {"first_name": "\U0001f384" * 100}).first_name == "\U0001f384" * 100


@pytest.mark.parametrize("character", ["x", "\U0001f384", "\u05d0"])
def test_a_long_name_in_a_booking_is_cut_and_the_booking_kept(character: str) -> None:
    """Cal.com does not ask again; a form does."""
    body = created(attendees=[attendee(name=character * 100_000)], responses=None)
    (fact,) = facts_of(WEBHOOKS["booking"], body)
    assert isinstance(fact, BookingCreated)
    assert fact.booker.name == character * 200
    assert fact.booker.first_name == character * 100


def test_values_of_ones_own_are_kept_as_sent_and_shown_clean() -> None:
    fact = fact_of(FORM | {"note": "a\x00b\u202ec\ud83d\r\nd"})
    assert fact.extra == {"note": "a\x00b\u202ec?\r\nd"}


def test_a_stack_of_marks_is_bounded_like_any_text() -> None:
    assert len(read_text("a" + "\u0301" * 1_999)) <= 2_000
    assert problems_of(FORM | {"first_name": "a" + "\u0301" * 1_999})["first_name"].startswith("must be at most")


@pytest.mark.parametrize("name", ["\U0001f384" * 100, "\u05d0" * 100, "\u0301" * 100, "W" * 100])
def test_a_subject_holds_the_longest_name(name: str) -> None:
    form: dict[str, Any] = FORM | {"first_name": name}
    facts = facts_of(WEBHOOKS["signup"], form)
    subject = letters_of(facts, christmas())["nurture email-1"].body["subject"]
    assert len(subject) <= 200
    assert subject.startswith(name[:99])
    assert facts[0].at == NOW
