"""Text from outside becomes one line of visible characters."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.text import LONGEST, clean, storable


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Ada", "Ada"),
        ("  Ada \t Lovelace ", "Ada Lovelace"),
        ("Ada\r\nBcc: eve@example.com", "Ada Bcc: eve@example.com"),
        ("A\x00d\x1ba\x7f", "A d a"),
        ("Ada\u2028Lovelace\u2029\u0085", "Ada Lovelace"),
        ("\u202eadA\u202c\u2066\u2069", "adA"),
        ("A\u200bd\u00ada\ufeff", "Ada"),
        ("Ada\ud83d", "Ada"),
        ("\u3164\u2800", ""),
        ("Zoe\u0308", "Zoë"),
        ("\u00a0Zoë\u3000李", "Zoë 李"),
        ("👩🏽 <b>&amp;", "👩🏽 <b>&amp;"),
    ],
)
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text(max_size=200))
def test_clean_text_is_one_visible_line_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not {unicodedata.category(each) for each in cleaned} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(cleaned.splitlines()) <= 1


@given(st.text(st.characters(), max_size=50))
def test_any_text_can_be_stored(text: str) -> None:
    storable(text).encode()


def test_hostile_marks_are_quick() -> None:
    """Ordering combining marks takes time quadratic in their number; hence the longest text."""
    text = ("\u0301\u0323" * LONGEST)[:LONGEST]
    started = time.process_time()
    clean(text)
    assert time.process_time() - started < 0.2
