"""A row as a form that works without scripts: its fields, and which cells a sent form changes. Pure."""

from collections.abc import Callable, Mapping

import msgspec

from services.sandbox.notion_model import Column, DataSource, Page
from services.sandbox.notion_objects import cell
from services.sandbox.notion_values import plain_value

INPUTS = {
    "title": "text",
    "rich_text": "area",
    "email": "text",
    "phone_number": "text",
    "url": "text",
    "number": "number",
    "date": "date",
    "checkbox": "checkbox",
    "select": "select",
    "status": "status",
}

Name = Callable[[str], str]


class Field(msgspec.Struct, frozen=True):
    """`input` is empty where a person types nothing; a relation then lists links, by page id and name."""

    column: Column
    input: str
    text: str
    links: list[tuple[str, str]] = []


def fields(source: DataSource, page: Page, name_of: Name) -> list[Field]:
    return [_field(each, page, name_of) for each in title_first(source.columns)]


def title_first(columns: list[Column]) -> list[Column]:
    return sorted(columns, key=lambda each: each.type != "title")


def _field(column: Column, page: Page, name_of: Name) -> Field:
    value = plain_value(column, cell(column, page))
    if column.type == "relation" and isinstance(value, list):
        return Field(column, "", "", [(str(each), name_of(str(each))) for each in value])
    return Field(column, INPUTS.get(column.type, ""), _text(value))


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case list():
            return ", ".join(map(str, value))
        case {"id": str(user_id)}:
            return user_id
        case _:
            return str(value)


def changed_cells(source: DataSource, form: Mapping[str, str]) -> dict[str, object]:
    """Bare values by column id. What the form leaves as it was is left out, whoever has written there meanwhile.

    Shape: `cell.<column id>`, beside it `was.<column id>` as the form showed it, `new.<column id>` for a new option.
    """
    return {
        column.id: _bare(column, text)
        for column in source.columns
        if column.type in INPUTS and (text := _changed(form, column)) is not None
    }


def _changed(form: Mapping[str, str], column: Column) -> str | None:
    """Browsers leave out a box that is not ticked."""
    was, now = form.get(f"was.{column.id}"), form.get(f"cell.{column.id}")
    if was is None and now is None:
        return None
    text = _sent(column, form.get(f"new.{column.id}") or now or "")
    return None if was is not None and _sent(column, was) == text else text


def _sent(column: Column, text: str) -> str:
    """Browsers send line ends of their own, and none at all from a field of one line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines if INPUTS[column.type] == "area" else lines.replace("\n", "")


def _bare(column: Column, text: str) -> object:
    match column.type:
        case "checkbox":
            return text == "yes"
        case "number":
            return _number(text.strip())
        case "title" | "rich_text":
            return text
        case _:
            return text.strip()


def _number(text: str) -> object:
    """What is no number stays text, for the column to refuse."""
    try:
        return float(text) if "." in text or "e" in text.lower() else int(text)
    except ValueError:
        return text or None
