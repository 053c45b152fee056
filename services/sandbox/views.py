"""What the page shows, worked out from what is stored. Pure."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from html.parser import HTMLParser
from itertools import groupby
from urllib.parse import urlencode, urlsplit

import msgspec

from services.sandbox.mailbox import Mail, Summary, Tag
from services.sandbox.notion_forms import title_first
from services.sandbox.notion_model import PERSON_ID, Column, Database, DataSource, Page
from services.sandbox.notion_objects import cell, user
from services.sandbox.notion_relations import page_ids
from services.sandbox.notion_values import plain_value, read

LED_BY = ("campaign", "sequence", "step")
OPENABLE = frozenset({"http", "https", "mailto"})
MARKS = {
    "title": "Aa",
    "rich_text": "≡",
    "email": "@",
    "number": "#",
    "select": "◉",
    "multi_select": "◉",
    "status": "◐",
    "date": "◷",
    "checkbox": "☑",
    "url": "↗",
    "phone_number": "☏",
    "relation": "⇢",
}

Name = Callable[[str], str]


class Link(msgspec.Struct, frozen=True):
    """`opens` is False for anything but web and mail addresses: shown, never made clickable."""

    target: str
    label: str
    opens: bool


class Cell(msgspec.Struct, frozen=True):
    """`column` is the id of the column."""

    column: str
    kind: str
    text: str
    colour: str = ""


class Row(msgspec.Struct, frozen=True):
    id: str
    in_trash: bool
    cells: list[Cell]


class Table(msgspec.Struct, frozen=True):
    title: str
    database_id: str
    source_id: str
    in_trash: bool
    columns: list[Column]
    rows: list[Row]
    total: int


def leading_tags(tags: list[Tag]) -> list[Tag]:
    """Campaign, sequence and step first and alone; without them, whatever there is."""
    led = [tag for name in LED_BY for tag in tags if tag.name == name and tag.value]
    return led or [tag for tag in tags if tag.value][:3]


def query(search: str, order: str, offset: int) -> str:
    """What a link must carry so that the list beside it stays as it is."""
    kept = {"order": order, "q": search, "offset": offset or ""}
    return "?" + urlencode({name: value for name, value in kept.items() if value})


def by_day(summaries: Iterable[Summary]) -> list[tuple[date, list[Summary]]]:
    return [(day, list(group)) for day, group in groupby(summaries, lambda each: each.accepted_at.date())]


def initials(address: str) -> str:
    return next((letter.upper() for letter in address if letter.isalnum()), "?")


def hue(address: str) -> int:
    """One of eight colours, the same for one recipient always."""
    return sum(address.encode()) % 8


def clock(at: datetime) -> str:
    return at.strftime("%H:%M:%S")


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href") if tag == "a" else None
        if target:
            self.found.append([target, ""])
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[-1][1] += data


def links(mail: Mail) -> list[Link]:
    """The iframe opens nothing, so the links of a mail are listed beside it."""
    anchors = _Anchors()
    anchors.feed(mail.html or "")
    listed = [
        (part.strip().removeprefix("<").removesuffix(">"), name)
        for name, value in mail.headers.items()
        if name.lower() == "list-unsubscribe"
        for part in value.split(",")
    ]
    return [_link(target, label) for target, label in [*anchors.found, *listed]]


def _link(target: str, label: str) -> Link:
    try:
        opens = urlsplit(target).scheme.lower() in OPENABLE
    except ValueError:
        opens = False
    return Link(target, " ".join(label.split()), opens)


def table(database: Database, source: DataSource, pages: list[Page], limit: int, name_of: Name) -> Table:
    """The newest `limit` rows, in the order created, titles first; `name_of` names the page of an id."""
    columns = title_first(source.columns)
    return Table(
        title=source.title or database.title,
        database_id=database.id,
        source_id=source.id,
        in_trash=database.in_trash,
        columns=columns,
        rows=[_row(columns, page, name_of) for page in pages[-limit:]],
        total=len(pages),
    )


def title_of(source: DataSource, page: Page) -> str:
    column = source.title_column
    return str(plain_value(column, page.values.get(column.id)) or "Untitled")


def _row(columns: list[Column], page: Page, name_of: Name) -> Row:
    return Row(page.id, page.in_trash, [_cell(each, page, name_of) for each in columns])


def _cell(column: Column, page: Page, name_of: Name) -> Cell:
    stored = cell(column, page)
    return Cell(column.id, _kind(column), _shown(column, stored, name_of), _colour(column, stored))


def _kind(column: Column) -> str:
    return "select" if column.type == "status" else column.type


def _shown(column: Column, stored: object, name_of: Name) -> str:
    value = plain_value(column, stored)
    match column.type:
        case "checkbox":
            return "yes" if value else ""
        case "date" | "created_time" | "last_edited_time":
            return _short_date(str(value or ""))
        case "created_by" | "last_edited_by":
            return "a person" if stored == user(PERSON_ID) else "the API"
        case "relation":
            return ", ".join(name_of(each) for each in page_ids(stored))
        case _:
            return ", ".join(map(str, value)) if isinstance(value, list) else str("" if value is None else value)


def _colour(column: Column, stored: object) -> str:
    if column.type not in {"select", "status"}:
        return ""
    option = read(column, stored)[column.type]
    return str(option["color"]) if isinstance(option, dict) else "default"


def _short_date(text: str) -> str:
    return text if len(text) == 10 else f"{text[:10]} {text[11:16]}"
