from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.calls import Refused
from services.sandbox.notion_columns import parse_columns
from services.sandbox.notion_model import DataSource
from services.sandbox.notion_values import PARSERS, plain_value, read, write

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KINDS = sorted(PARSERS)
PAGE_ID = "11111111-1111-4111-8111-111111111111"
RELATED: dict[str, object] = {"data_source_id": PAGE_ID, "single_property": {}}
SETTINGS: dict[str, object] = {"relation": RELATED}
COLUMNS = parse_columns("s", {kind: {kind: SETTINGS.get(kind, {})} for kind in KINDS})
SOURCE = DataSource("s", "d", "All", COLUMNS, NOW, NOW)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "content", "name", "id", "start", "end", "time_zone"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def written(kind: str, value: object) -> object:
    result = write(SOURCE, {kind: {kind: value}})
    column = next(each for each in result.columns if each.name == kind)
    return plain_value(column, result.values[column.id])


def refusal(kind: str, value: object) -> str:
    with pytest.raises(Refused) as caught:
        written(kind, value)
    assert (caught.value.status, caught.value.name) == (400, "validation_error")
    return caught.value.message


@given(st.sampled_from(KINDS), JSON)
def test_any_value_in_any_column_is_written_or_refused_but_never_breaks(kind: str, value: object) -> None:
    try:
        written(kind, value)
    except Refused as refused:
        assert refused.name == "validation_error"  # noqa: PT017 - being refused is one of two good ends


@pytest.mark.parametrize(
    ("kind", "value", "plain"),
    [
        ("rich_text", [{"text": {"content": "a"}}, {"text": {"content": "b"}}], "ab"),
        ("number", None, None),
        ("checkbox", False, False),
        ("email", None, None),
        ("select", {"name": "new"}, "new"),
        ("multi_select", [{"name": "a"}, {"name": "b"}, {"name": "a"}], ["a", "b", "a"]),
        ("status", None, "Not started"),
        ("relation", [{"id": PAGE_ID.replace("-", "")}], [PAGE_ID]),
        ("relation", [], []),
        ("date", {"start": "2026-11-20"}, "2026-11-20"),
        ("date", {"start": "2026-11-20T10:00:00-05:00"}, "2026-11-20T10:00:00.000-05:00"),
        ("date", {"start": "2026-11-20T10:00", "time_zone": "America/Toronto"}, "2026-11-20T10:00:00.000+00:00"),
    ],
)
def test_values_are_kept(kind: str, value: Any, plain: object) -> None:
    assert written(kind, value) == plain


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("rich_text", "plain"),
        ("rich_text", [{"content": "a"}]),
        ("number", float("inf")),
        ("number", 10**400),
        ("number", True),
        ("checkbox", None),
        ("url", "x" * 2001),
        ("relation", None),
        ("relation", [PAGE_ID]),
        ("relation", [{"id": "page 1"}]),
        ("relation", [{"id": PAGE_ID}] * 101),
        ("select", {"name": ""}),
        ("select", {"name": "x" * 101}),
        ("select", {"id": "nope"}),
        ("date", {"start": "2026-11-20", "end": "2026-11-19"}),
        ("date", {"start": "2026-11-20", "end": "2026-11-21T10:00:00Z"}),
        ("date", {"start": "2026-11-20T10:00:00Z", "time_zone": "America/Toronto"}),
        ("date", {"start": "2026-11-20T10:00:00", "time_zone": "Mars/Base"}),
    ],
)
def test_values_that_notion_refuses_are_refused(kind: str, value: object) -> None:
    assert refusal(kind, value)


def test_a_page_shows_the_first_25_related_pages_and_says_that_there_are_more() -> None:
    result = write(SOURCE, {"relation": {"relation": [{"id": PAGE_ID}] * 26}})
    column = next(each for each in result.columns if each.name == "relation")
    shown = read(column, result.values[column.id])
    assert shown["relation"] == [{"id": PAGE_ID}] * 25
    assert shown["has_more"] is True


def test_an_emoji_counts_twice_toward_the_limit() -> None:
    assert "instead was `2002`" in refusal("rich_text", [{"text": {"content": "🎉" * 1001}}])


def test_shapes_are_reported_before_unknown_columns() -> None:
    properties = {"Nope": {"number": 1}, "title": {"title": [{"text": {"content": "x" * 2001}}]}}
    with pytest.raises(Refused, match="body failed validation"):
        write(SOURCE, properties)
