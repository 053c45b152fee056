"""Rows as they should be beside pages as Notion shows them: what differs, and whose doing it is. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec

from eventlog.pages import Page
from services.notion_sync.cells import Bare, bare
from services.notion_sync.found import Found
from services.notion_sync.hands import touched
from services.notion_sync.row import Row, known_to_stand
from services.notion_sync.schema import ANALYTICS, BUSINESSX, COLUMNS, CUSTOMER, EMAIL_SEQUENCE, KEY, QUEUE, Database
from services.notion_sync.values import Value

TELLS_APART: Mapping[Database, tuple[str, ...]] = {
    EMAIL_SEQUENCE: ("Email", "Campaign"),
    BUSINESSX: ("Email",),
    ANALYTICS: (KEY,),
    QUEUE: (KEY,),
}
"""The columns of `Row.find_by`; a row without the first of them is like no other."""

State = Literal["right", "differs", "missing", "trashed", "gone", "moving"]
"""
right    every column is as it should be, but for what somebody's hand may have changed
differs  a page is there, and shows something else
missing  nothing says that there ever was a page
trashed  we made a page, and it is in the trash
gone     we made a page, and it is not in this database any more
moving   somebody is writing it, or may have written it since the rows were read
"""


NOTHING = Page(at=datetime.min.replace(tzinfo=UTC))


class Seen(msgspec.Struct, frozen=True):
    """A page as it was read, in as little memory as will do: there are many."""

    id: str
    in_trash: bool
    cells: Mapping[str, Bare]


def seen(database: Database, found: Found) -> Seen:
    return Seen(found.id, found.in_trash, found.shows(database))


class Sheet:
    """The rows of one database as they were read, the oldest first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.pages: dict[str, Seen] = {}
        self._alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)

    def add(self, page: Seen) -> None:
        if page.id not in self.pages and (place := _place(self.database, page.cells)):
            self._alike[place].append(page.id)
        self.pages[page.id] = page

    def like(self, row: Row) -> list[Seen]:
        """Those that are told apart from others as this row is; not those in the trash."""
        place = _place(self.database, row.find_by)
        alike = [self.pages[each] for each in self._alike.get(place, ())] if place else []
        return [each for each in alike if not each.in_trash]


def _place(database: Database, cells: Mapping[str, object]) -> tuple[str, ...] | None:
    """Addresses are compared without case."""
    texts = {name: str(cells.get(name) or "") for name in TELLS_APART[database]}
    place = tuple(text.casefold() if name == "Email" else text for name, text in texts.items())
    return place if place[0] else None


Changes = Mapping[str, tuple[Bare, Bare]]
"""By column: what the page shows, and what it should."""


class Finding(msgspec.Struct, frozen=True):
    """`page` is the one to be kept in step, `doubles` are others like it; `hands` are differences left to the watch.

    `known`: what the bucket says.
    """

    row: Row
    known: Page | None
    state: State
    page: Seen | None = None
    changes: Changes = {}
    hands: Changes = {}
    doubles: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people know the row by."""
        titles = {name for name, kind in COLUMNS[self.row.database].items() if kind == "title"}
        written = [str(bare("title", self.row.properties[each])) for each in titles & self.row.properties.keys()]
        shown = [str(self.page.cells.get(each) or "") for each in titles] if self.page else []
        return next(filter(None, [*written, *shown]), self.row.key)

    @property
    def properties(self) -> dict[str, Value]:
        """What to write: the columns that differ, and no other."""
        return {name: self.row.properties[name] for name in self.changes}

    def noted(self, now: datetime) -> Page:
        """What the bucket should say once the page shows what it should; a hand is still to be found by the watch."""
        shown, before = self.row.shown, known_to_stand(_known(self.known, self.page), self.row.generation)
        left = {name: before[name] for name in self.hands}
        settled = all(shown[name] == value for name, value in left.items())
        return Page(
            page_id=self.page.id if self.page else None,
            digest=self.row.digest if settled else "",
            at=now,
            shown={**shown, **left},
            generation=self.row.generation,
        )

    @property
    def is_noted(self) -> bool:
        return self.known is not None and _is_same(self.known, self.noted(self.known.at))


def compare(row: Row, known: Page | None, sheet: Sheet, *, is_new: bool, related: bool = True) -> Finding:
    """One row.

    `is_new`: the bucket was told since the rows were read, or a create may not have shown itself to a query by then:
    the bucket is to be believed, and not the rows. `related`: False where the person's page is not there to point to.
    """
    if known and is_new and (known.page_id or not known.refused):
        return Finding(row, known, "right" if known.page_id and known.digest == row.digest else "moving")
    ours = sheet.pages.get(known.page_id) if known and known.page_id else None
    alike = sheet.like(row)
    page = ours if ours and not ours.in_trash else next(iter(alike), ours)
    if page is None:
        return Finding(
            row if related else row.of_customer(None), known, "gone" if known and known.page_id else "missing"
        )
    differing = differences(row, page, skip=frozenset() if related else frozenset({CUSTOMER}))
    by_hand = touched(row.database, page.cells, _known(known, page), row.generation).keys() & differing.keys()
    changes = {name: each for name, each in differing.items() if name not in by_hand}
    return Finding(
        row=row,
        known=known,
        state="trashed" if page.in_trash else "differs" if changes else "right",
        page=page,
        changes=changes,
        hands={name: differing[name] for name in sorted(by_hand)},
        doubles=tuple(each.id for each in alike if each.id != page.id),
    )


def differences(row: Row, page: Seen, *, skip: frozenset[str] = frozenset()) -> dict[str, tuple[Bare, Bare]]:
    """Column by column, by what they mean and not by how it is written."""
    kinds = COLUMNS[row.database]
    wanted = {name: bare(kinds[name], value) for name, value in row.properties.items() if name not in skip}
    return {name: (page.cells.get(name), value) for name, value in wanted.items() if page.cells.get(name) != value}


def _known(known: Page | None, page: Seen | None) -> Page:
    """What we know of this page, which may be nothing."""
    return known if known and page and known.page_id == page.id else NOTHING


def _is_same(one: Page, other: Page) -> bool:
    return msgspec.structs.replace(one, at=other.at) == other
