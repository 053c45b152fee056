"""One page in Notion as it should be. Pure."""

from collections.abc import Mapping

import msgspec

from contracts.ids import digest
from eventlog.pages import Page
from services.notion_sync.cells import Scalar, bare
from services.notion_sync.schema import (
    CANCELLED,
    COLUMNS,
    CUSTOMER,
    EDITABLE,
    HELD,
    HOLD,
    QUEUED,
    STATUS,
    Database,
)
from services.notion_sync.values import Value, relation

UNTICKED: Mapping[str, Scalar] = {HOLD: False}
"""What a page shows that we never wrote to: a tick on it is somebody's."""

UNWRITTEN: Mapping[str, Scalar] = {"First Name": "", "Business Name": ""}
"""What we know to be empty on a page that we wrote to without them."""

OPEN = frozenset({QUEUED, HELD, CANCELLED})
"""What Status says while somebody can still wish otherwise."""


def known_to_stand(page: Page, generation: int) -> dict[str, Scalar]:
    """In the columns that people may change; nothing of what stood in columns that were made anew since."""
    if page.generation != generation or not page.shown:
        return dict(UNTICKED)
    return {**UNTICKED, **UNWRITTEN, **page.shown}


class Row(msgspec.Struct, frozen=True):
    """`key` is its place in the bucket `pages`; `find_by` tells it among existing rows, by its first column foremost.

    `contact`: whose it is. `generation`: how often columns of the database were made anew, and so had to be filled
    again. `incomplete`: columns that cannot show what they should.
    """

    database: Database
    key: str
    contact: str
    find_by: Mapping[str, str]
    properties: Mapping[str, Value]
    generation: int = 0
    incomplete: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The same for the same properties, on every machine."""
        written = msgspec.json.encode(self.properties, order="deterministic").decode()
        return digest(f"{written}{self.generation or ''}")

    @property
    def is_whole(self) -> bool:
        """Else it is some columns of a page that has to be there already."""
        return self.find_by.keys() <= self.properties.keys()

    @property
    def shown(self) -> dict[str, Scalar]:
        """What people may change, as we want it to be."""
        kinds = COLUMNS[self.database]
        names = sorted(EDITABLE[self.database] & self.properties.keys())
        cells = {name: bare(kinds[name], self.properties[name]) for name in names}
        return {name: value for name, value in cells.items() if not isinstance(value, tuple)}

    def changes(self, known: Page) -> dict[str, Value]:
        """What to write over a page of which this is known.

        A cell that is as we want it is left out: somebody may be changing it at this moment.
        """
        wanted, there, begun = self.shown, known_to_stand(known, self.generation), known.begun or {}
        same = {name for name, value in wanted.items() if name in there and there[name] == value and name not in begun}
        return {name: value for name, value in self.properties.items() if name not in same}

    def at_stake(self, changes: Mapping[str, Value]) -> set[str]:
        """What people may change among what is about to be written; nobody can wish anything of what is over."""
        wanted = self.shown
        return {name for name in wanted.keys() & changes.keys() if name != STATUS or wanted[name] in OPEN}

    @property
    def points_to_customer(self) -> bool:
        return bool(self.properties.get(CUSTOMER, relation(None))["relation"])

    def of_customer(self, page_id: str | None) -> "Row":
        """With the page of the person it is about."""
        if CUSTOMER not in COLUMNS[self.database]:
            return self
        return msgspec.structs.replace(self, properties={**self.properties, CUSTOMER: relation(page_id)})
