from datetime import UTC, datetime

import pytest

from services.sandbox.notion_columns import parse_columns
from services.sandbox.notion_filters import compile_filter
from services.sandbox.notion_model import DataSource, Page
from services.sandbox.notion_sorts import sort_pages
from services.sandbox.notion_values import write

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
KINDS = ("title", "email", "number", "select", "multi_select", "date", "checkbox")
SOURCE = DataSource("s", "d", "All", parse_columns("s", {kind: {kind: {}} for kind in KINDS}), NOW, NOW)
FULL = {
    "title": {"title": [{"text": {"content": "Ann"}}]},
    "email": {"email": "ann@example.com"},
    "number": {"number": 5},
    "select": {"select": {"name": "urgent"}},
    "multi_select": {"multi_select": [{"name": "a"}, {"name": "b"}]},
    "date": {"date": {"start": "2026-11-20T10:00:00Z"}},
    "checkbox": {"checkbox": True},
}


def page(properties: object, sequence: int = 1) -> tuple[DataSource, Page]:
    result = write(SOURCE, properties)
    source = DataSource("s", "d", "All", result.columns, NOW, NOW)
    return source, Page(str(sequence), "s", sequence, NOW, NOW, result.values)


@pytest.mark.parametrize(
    ("kind", "condition", "full", "empty"),
    [
        ("email", {"equals": "ann@example.com"}, True, False),
        ("email", {"equals": "Ann@example.com"}, False, False),
        ("email", {"does_not_equal": "ann@example.com"}, False, True),
        ("title", {"contains": "nn"}, True, False),
        ("title", {"does_not_contain": "nn"}, False, True),
        ("title", {"starts_with": "A"}, True, False),
        ("title", {"ends_with": "A"}, False, False),
        ("email", {"is_empty": True}, False, True),
        ("number", {"is_not_empty": True}, True, False),
        ("number", {"equals": 5}, True, False),
        ("number", {"less_than": 5}, False, False),
        ("number", {"greater_than_or_equal_to": 5}, True, False),
        ("select", {"equals": "urgent"}, True, False),
        ("select", {"does_not_equal": "urgent"}, False, True),
        ("multi_select", {"contains": "b"}, True, False),
        ("multi_select", {"does_not_contain": "b"}, False, True),
        ("checkbox", {"equals": True}, True, False),
        ("checkbox", {"does_not_equal": True}, False, True),
        ("date", {"equals": "2026-11-20"}, True, False),
        ("date", {"before": "2026-11-20"}, False, False),
        ("date", {"on_or_before": "2026-11-20"}, True, False),
        ("date", {"after": "2026-11-20T04:59:59-05:00"}, True, False),
        ("date", {"on_or_after": "2026-11-20T10:00:01Z"}, False, False),
        ("date", {"is_empty": True}, False, True),
    ],
)
def test_each_condition_on_a_full_and_an_empty_row(
    kind: str, condition: dict[str, object], full: bool, empty: bool
) -> None:
    for properties, expected in ((FULL, full), ({}, empty)):
        source, row = page(properties)
        assert compile_filter(source, {"property": kind, kind: condition})(row) is expected


def test_a_timestamp_filter_looks_at_the_page_itself() -> None:
    source, row = page({})
    created = {"timestamp": "created_time", "created_time": {"on_or_after": "2026-11-20T10:00:00Z"}}
    assert compile_filter(source, created)(row)


def test_empty_cells_sort_last_both_ways() -> None:
    rows = [page({"number": {"number": value}}, place)[1] for place, value in enumerate([2, None, 1])]
    for direction, expected in (("ascending", "201"), ("descending", "021")):
        found = sort_pages(SOURCE, rows, [{"property": "number", "direction": direction}])
        assert "".join(each.id for each in found) == expected
