"""One page in Notion as it should be. Pure."""

from collections.abc import Mapping

import msgspec

from contracts.ids import digest
from services.notion_sync.cells import Scalar, bare
from services.notion_sync.schema import COLUMNS, CUSTOMER, EDITABLE, HOLD, Database
from services.notion_sync.values import Value, relation

UNTICKED: Mapping[str, Scalar] = {HOLD: False}
"""What a page shows that we never wrote to: a tick on it is somebody's."""


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

    def changes(self, shown: Mapping[str, Scalar]) -> dict[str, Value]:
        """What to write over a page that shows this in what people may change.

        A cell that is as we want it is left out: somebody may be changing it at this moment.
        """
        wanted = self.shown
        there = {**UNTICKED, **shown}
        same = {name for name, value in wanted.items() if name in there and there[name] == value}
        return {name: value for name, value in self.properties.items() if name not in same}

    @property
    def points_to_customer(self) -> bool:
        return bool(self.properties.get(CUSTOMER, relation(None))["relation"])

    def of_customer(self, page_id: str | None) -> "Row":
        """With the page of the person it is about."""
        if CUSTOMER not in COLUMNS[self.database]:
            return self
        return msgspec.structs.replace(self, properties={**self.properties, CUSTOMER: relation(page_id)})
