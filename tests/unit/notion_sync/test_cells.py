"""What we write and what Notion answers are the same cell, whatever they look like on the wire."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notion_sync.cells import bare
from services.notion_sync.values import checkbox, date, number, relation, rich_text, select, title

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def answered(kind: str, value: Any) -> dict[str, Any]:
    return {"id": "abc", "type": kind, kind: value}


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        ("title", title("Ada"), [{"type": "text", "text": {"content": "Ada"}, "plain_text": "Ada"}]),
        ("rich_text", rich_text(None), []),
        ("number", number(42), 42.0),
        ("select", select("held"), {"id": "x", "name": "held", "color": "red"}),
        ("select", select(None), None),
        ("checkbox", checkbox(value=True), True),
        ("date", date(NOON), {"start": "2026-11-21T12:00:00.000+00:00", "end": None, "time_zone": None}),
        ("date", date(NOON), {"start": "2026-11-21T07:00:00.000-05:00", "end": None, "time_zone": None}),
        ("date", date(None), None),
        ("relation", relation("1c9f64ab-0000-4000-8000-000000000001"), [{"id": "1c9f64ab000040008000000000000001"}]),
        ("relation", relation(None), []),
    ],
)
def test_what_was_written_is_what_is_read(kind: str, written: dict[str, Any], read: Any) -> None:
    assert bare(kind, written) == bare(kind, answered(kind, read))


def test_a_day_is_not_the_first_moment_of_it() -> None:
    assert bare("date", answered("date", {"start": "2026-11-21", "end": None})) != bare(
        "date", date(datetime(2026, 11, 21, tzinfo=UTC))
    )


def test_an_end_makes_another_date() -> None:
    with_end = {"start": NOON.isoformat(), "end": "2026-11-21T13:00:00+00:00"}
    assert bare("date", answered("date", with_end)) != bare("date", date(NOON))


@given(st.text(max_size=5_000))
def test_text_in_pieces_is_the_text(text: str) -> None:
    written = rich_text(text)
    pieces = [{"plain_text": piece["text"]["content"]} for piece in written["rich_text"]]
    assert bare("rich_text", written) == bare("rich_text", answered("rich_text", pieces))
    assert all(len(piece["plain_text"].encode("utf-16-le")) <= 4_000 for piece in pieces)


@pytest.mark.parametrize("text", ["x" * 1_999 + "😀" + "y" * 2_100, "👩‍👩‍👧‍👦" * 400])
def test_an_emoji_at_the_boundary_is_not_cut_in_two(text: str) -> None:
    assert bare("rich_text", rich_text(text)) == text
