from datetime import UTC, datetime

import pytest

from services.sandbox.notion_columns import parse_columns
from services.sandbox.notion_forms import changed_cells, fields
from services.sandbox.notion_hands import properties_of
from services.sandbox.notion_model import PERSON_ID, DataSource, Page
from services.sandbox.notion_text import length
from services.sandbox.notion_values import write

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
KINDS = ("rich_text", "title", "number", "select", "status", "date", "checkbox", "email", "last_edited_by")
SOURCE = DataSource("s", "d", "All", parse_columns("s", {kind: {kind: {}} for kind in KINDS}), NOW, NOW)
IDS = {each.name: each.id for each in SOURCE.columns}


def changes(**sent: str) -> dict[str, object]:
    """Keys are `was_<column>`, `cell_<column>` and `new_<column>`."""
    form = {f"{what}.{IDS[name]}": value for key, value in sent.items() for what, name in [key.split("_", 1)]}
    names = {column_id: name for name, column_id in IDS.items()}
    return {names[column_id]: value for column_id, value in changed_cells(SOURCE, form).items()}


def test_what_the_form_left_alone_is_not_written() -> None:
    """Somebody else may have written there since the form was opened."""
    assert changes(was_email="a@example.com", cell_email="a@example.com", was_checkbox="", cell_number="1") == {
        "number": 1
    }


def test_line_ends_of_the_browser_are_no_change() -> None:
    assert changes(was_rich_text="a\r\nb", cell_rich_text="a\nb") == {}
    assert changes(was_title="a\r\nb", cell_title="ab") == {}
    assert changes(was_rich_text="a", cell_rich_text="a\r\nb") == {"rich_text": "a\nb"}


@pytest.mark.parametrize(
    ("kind", "was", "now", "expected"),
    [
        ("checkbox", "", "yes", True),
        ("number", "1", "62.5", 62.5),
        ("number", "1", " 7 ", 7),
        ("number", "1", "", None),
        ("number", "1", "many", "many"),
        ("title", "Ann", " Ann", " Ann"),
        ("email", "", " ann@example.com ", "ann@example.com"),
    ],
)
def test_a_changed_field_is_read_as_its_column_holds_it(kind: str, was: str, now: str, expected: object) -> None:
    assert changes(**{f"was_{kind}": was, f"cell_{kind}": now}) == {kind: expected}


def test_a_box_that_comes_back_without_its_tick_is_taken_off() -> None:
    assert changes(was_checkbox="yes") == {"checkbox": False}


def test_a_new_option_wins_over_the_chosen_one() -> None:
    assert changes(was_select="", cell_select="", new_select="urgent") == {"select": "urgent"}


def test_system_columns_are_not_written_whatever_is_sent() -> None:
    assert changes(cell_last_edited_by="me") == {}


def test_the_title_leads_and_system_columns_have_no_input() -> None:
    shown = fields(SOURCE, Page("p", "s", 1, NOW, NOW, edited_by=PERSON_ID), lambda page_id: page_id)
    assert [(each.column.name, each.input) for each in shown][:2] == [("title", "text"), ("rich_text", "area")]
    assert (shown[-1].input, shown[-1].text) == ("", PERSON_ID)


def test_long_text_is_split_without_tearing_an_emoji() -> None:
    typed = "x" * 1999 + "🎉" + "y" * 2001
    written = write(SOURCE, properties_of(SOURCE, {"rich_text": typed})).values[IDS["rich_text"]]
    assert isinstance(written, list)
    parts = [part["plain_text"] for part in written]
    assert "".join(parts) == typed
    assert [length(part) for part in parts] == [1999, 2000, 3]
