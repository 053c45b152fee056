"""Databases, data sources, columns and pages as the sandbox keeps them."""

import hashlib
from datetime import datetime
from typing import NoReturn
from uuid import UUID, uuid5

import msgspec

from services.sandbox.calls import Refused

WRITABLE = frozenset(
    [
        "title",
        "rich_text",
        "number",
        "select",
        "multi_select",
        "status",
        "date",
        "checkbox",
        "url",
        "email",
        "phone_number",
        "relation",
    ]
)
COMPUTED = frozenset(
    [
        "formula",
        "rollup",
        "created_time",
        "created_by",
        "last_edited_time",
        "last_edited_by",
        "unique_id",
        "button",
        "verification",
    ]
)
# Real column types the sandbox shows but cannot write.
UNSUPPORTED = frozenset({"people", "files", "place"})
KNOWN_TYPES = WRITABLE | COMPUTED | UNSUPPORTED
WITH_OPTIONS = frozenset({"select", "multi_select", "status"})
COLOURS = ("default", "blue", "green", "orange", "purple", "pink", "yellow", "red", "brown", "gray")
NAMESPACE = UUID("6f0a1d52-61f4-4c3e-9f0e-3a5a6f5c2b10")
BOT_ID = "5a9d1c00-0000-4000-8000-000000000b07"
PERSON_ID = "5a9d1c00-0000-4000-8000-0000000bead5"


def workspace() -> dict[str, object]:
    return {"type": "workspace", "workspace": True}


class Option(msgspec.Struct, frozen=True):
    id: str
    name: str
    color: str = "default"


class Column(msgspec.Struct, frozen=True):
    id: str
    name: str
    type: str
    options: list[Option] = []
    config: dict[str, object] = {}

    def option(self, name_or_id: object) -> Option | None:
        return next((each for each in self.options if name_or_id in (each.id, each.name)), None)


class DataSource(msgspec.Struct, frozen=True):
    id: str
    database_id: str
    title: str
    columns: list[Column]
    created_at: datetime
    edited_at: datetime

    def column(self, name_or_id: str) -> Column | None:
        """Names win over ids, as a name is what people write."""
        by_name = next((each for each in self.columns if each.name == name_or_id), None)
        return by_name or next((each for each in self.columns if each.id == name_or_id), None)

    @property
    def title_column(self) -> Column:
        return next(each for each in self.columns if each.type == "title")


class Database(msgspec.Struct, frozen=True):
    id: str
    title: str
    created_at: datetime
    parent: dict[str, object] = msgspec.field(default_factory=workspace)
    in_trash: bool = False

    @property
    def parent_page(self) -> str | None:
        return page_id if isinstance(page_id := self.parent.get("page_id"), str) else None


class Page(msgspec.Struct, frozen=True):
    """`values` maps column ids to what the value rules stored; a missing id is an empty cell.

    The times are exact here; the API shows them to the minute.
    """

    id: str
    data_source_id: str
    sequence: int
    created_at: datetime
    edited_at: datetime
    values: dict[str, object] = {}
    in_trash: bool = False
    icon: object = None
    cover: object = None
    created_by: str = BOT_ID
    edited_by: str = BOT_ID


class Block(msgspec.Struct, frozen=True):
    id: str
    parent_id: str
    sequence: int
    created_at: datetime
    type: str
    content: dict[str, object]


def to_the_minute(at: datetime) -> datetime:
    """Notion rounds its own times down, so they cannot tell two quick edits apart."""
    return at.replace(second=0, microsecond=0)


def invalid(message: str) -> NoReturn:
    raise Refused(400, "validation_error", message)


def body_invalid(path: str, problem: str) -> NoReturn:
    """Notion's wording: which part of the body, what it should be, what it was."""
    invalid(f"body failed validation: body.{path} {problem}.")


def column_id(data_source_id: str, name: str, kind: str) -> str:
    """Short and stable; the title column is always called `title`."""
    if kind == "title":
        return "title"
    return hashlib.sha256(f"{data_source_id}/{name}".encode()).hexdigest()[:6]


def new_option(column: Column, name: str) -> Option:
    return Option(str(uuid5(NAMESPACE, f"{column.id}/{name}")), name, COLOURS[1 + len(column.options) % 9])


def parse_id(text: str, what: str) -> str:
    """With dashes or without; anything else is a bad request, not a missing object."""
    found = dashed(text)
    if found is None:
        invalid(f'path failed validation: path.{what} should be a valid uuid, instead was `"{text}"`.')
    return found


def dashed(text: object) -> str | None:
    """The one spelling of an id, None where it is no id."""
    try:
        return str(UUID(text)) if isinstance(text, str) else None
    except ValueError:
        return None
