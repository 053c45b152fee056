"""What Notion cannot show."""

from typing import Annotated

from msgspec import Meta

from contracts.base import Fact
from contracts.ids import digest


class RowIncomplete(Fact, frozen=True, kw_only=True, tag="row_incomplete"):
    """A row in Notion lacks something that does not fit into it. Identity: the row, and the columns."""

    database: str
    columns: Annotated[tuple[str, ...], Meta(description="those that are empty although there is something to show")]
    row: Annotated[str, Meta(description="its key in the bucket `pages`")]

    @property
    def id(self) -> str:
        return f"{digest(self.row)}.{digest(','.join(self.columns))}"
