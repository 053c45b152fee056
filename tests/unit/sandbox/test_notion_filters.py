from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.sandbox.notion_columns import parse_columns
from services.sandbox.notion_filters import compile_filter
from services.sandbox.notion_model import DataSource, Page
from services.sandbox.notion_sorts import sort_pages
from services.sandbox.notion_values import write

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECONDS = timedelta(seconds=59)
KINDS = ("title", "email", "number", "select", "multi_select", "date", "checkbox", "relation")
PAGE_ID, OTHER_ID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
SETTINGS: dict[str, object] = {"relation": {"data_source_id": PAGE_ID, "single_property": {}}}
COLUMNS = parse_columns("s", {kind: {kind: SETTINGS.get(kind, {})} for kind in KINDS})
SOURCE = DataSource("s", "d", "All", COLUMNS, NOW, NOW)
FULL = {
    "title": {"title": [{"text": {"content": "Ann"}}]},
    "email": {"email": "ann@example.com"},
    "number": {"number": 5},
    "select": {"select": {"name": "urgent"}},
    "multi_select": {"multi_select": [{"name": "a"}, {"name": "b"}]},
    "date": {"date": {"start": "2026-11-20T10:00:00Z"}},
    "checkbox": {"checkbox": True},
    "relation": {"relation": [{"id": PAGE_ID}]},
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
        ("relation", {"contains": PAGE_ID.replace("-", "")}, True, False),
        ("relation", {"contains": OTHER_ID}, False, False),
        ("relation", {"does_not_contain": PAGE_ID}, False, True),
        ("relation", {"is_empty": True}, False, True),
        ("relation", {"is_not_empty": True}, True, False),
    ],
)
def test_each_condition_on_a_full_and_an_empty_row(
    kind: str, condition: dict[str, object], full: bool, empty: bool
) -> None:
    for properties, expected in ((FULL, full), ({}, empty)):
        source, row = page(properties)
        assert compile_filter(source, {"property": kind, kind: condition})(row) is expected


@pytest.mark.parametrize("stamp", ["created_time", "last_edited_time"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"on_or_after": "2026-11-20T10:00:00Z"}, True),
        ({"on_or_after": "2026-11-20T10:00:01Z"}, False),
        ({"after": "2026-11-20T10:00:00Z"}, False),
        ({"before": "2026-11-20T10:00:01Z"}, True),
        ({"on_or_before": "2026-11-20T10:00:00Z"}, True),
        ({"equals": "2026-11-20T10:00:00Z"}, True),
        ({"equals": "2026-11-20"}, True),
    ],
)
def test_a_timestamp_filter_sees_the_minute_only(stamp: str, condition: dict[str, object], expected: bool) -> None:
    source, row = page({})
    late = msgspec.structs.replace(row, created_at=NOW + SECONDS, edited_at=NOW + SECONDS)
    assert compile_filter(source, {"timestamp": stamp, stamp: condition})(late) is expected


def test_pages_of_one_minute_sort_in_the_order_created() -> None:
    first, second = page({}, 1)[1], page({}, 2)[1]
    first = msgspec.structs.replace(first, edited_at=NOW + SECONDS)
    found = sort_pages(SOURCE, [second, first], [{"timestamp": "last_edited_time", "direction": "ascending"}])
    assert [each.sequence for each in found] == [1, 2]


def test_empty_cells_sort_last_both_ways() -> None:
    rows = [page({"number": {"number": value}}, place)[1] for place, value in enumerate([2, None, 1])]
    for direction, expected in (("ascending", "201"), ("descending", "021")):
        found = sort_pages(SOURCE, rows, [{"property": "number", "direction": direction}])
        assert "".join(each.id for each in found) == expected
