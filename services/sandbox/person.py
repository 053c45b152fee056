"""What a person does at Notion with their own hands, which no limit or trouble of the API meets."""

from collections.abc import Iterable, Mapping

import msgspec

from services.sandbox.calls import Clock, Refused
from services.sandbox.notion_columns import change_columns
from services.sandbox.notion_hands import properties_of
from services.sandbox.notion_model import PERSON_ID, WRITABLE, Column, DataSource, Page, invalid
from services.sandbox.notion_relations import check_related
from services.sandbox.notion_store import NotionStore
from services.sandbox.notion_values import grown, write

NEED_SETTINGS = frozenset({"relation", "status"})


class Person:
    """Every edit is `last_edited_by` this person, at the sandbox's clock.

    Errors: Refused, 404 for what is not there and 400 for what a column does not take.
    """

    def __init__(self, notion: NotionStore, clock: Clock) -> None:
        self._notion = notion
        self._clock = clock

    def edit(self, page_id: str, cells: Mapping[str, object]) -> Page:
        """Cells by column name or id, with bare values as `Sandbox.notion_rows` gives them."""
        page = self._page(page_id)
        source = self._notion.sources[page.data_source_id]
        if page.in_trash:
            invalid("Can't edit block that is archived. You must unarchive the block before editing.")
        written = write(source, properties_of(source, cells))
        check_related(written.columns, written.values, self._page)
        edited = self._touched(page, values={**page.values, **written.values})
        self._notion.save(edited, *grown(source, written))
        return edited

    def trash(self, page_id: str) -> None:
        self._notion.save(self._touched(self._page(page_id), in_trash=True))

    def restore(self, page_id: str) -> None:
        self._notion.save(self._touched(self._page(page_id), in_trash=False))

    def delete(self, page_id: str) -> None:
        """For good: the API then does not know it."""
        self._notion.delete([self._page(page_id)])

    def clear(self, database_id: str, *, trash: bool = False) -> None:
        """Every row, for good or into the trash."""
        pages = [page for source in self._sources(database_id) for page in self._notion.pages_of(source.id)]
        if trash:
            self._notion.save(*(self._touched(page, in_trash=True) for page in pages if not page.in_trash))
        else:
            self._notion.delete(pages)

    def trash_database(self, database_id: str, *, trash: bool = True) -> None:
        database = self._notion.databases[self._sources(database_id)[0].database_id]
        self._notion.save(msgspec.structs.replace(database, in_trash=trash))

    def rename_columns(self, database_id: str, names: Mapping[str, str]) -> None:
        self._change(database_id, {old: {"name": new} for old, new in names.items()})

    def delete_columns(self, database_id: str, names: Iterable[str]) -> None:
        self._change(database_id, dict.fromkeys(names))

    def add_columns(self, database_id: str, types: Mapping[str, str]) -> None:
        self._change(database_id, {name: {kind: {}} for name, kind in types.items()})

    def retype_column(self, database_id: str, name: str, kind: str) -> None:
        """The column keeps its id; Notion drops what it cannot convert, and this one every value."""
        source = self._sources(database_id)[0]
        column = source.column(name)
        if column is None:
            invalid(f"{name} is not a property that exists.")
        if "title" in {column.type, kind} or kind not in WRITABLE - NEED_SETTINGS:
            invalid(f"The sandbox does not turn {column.type} into {kind}.")
        columns = [Column(each.id, each.name, kind) if each.id == column.id else each for each in source.columns]
        pages = [
            msgspec.structs.replace(page, values={key: kept for key, kept in page.values.items() if key != column.id})
            for page in self._notion.pages_of(source.id)
        ]
        self._notion.save(self._changed(source, columns), *pages)

    def _change(self, database_id: str, properties: Mapping[str, object]) -> None:
        source = self._sources(database_id)[0]
        unknown = [name for name, raw in properties.items() if source.column(name) is None and not _adds(raw)]
        if unknown:
            invalid(f"{unknown[0]} is not a property that exists.")
        self._notion.save(self._changed(source, change_columns(source, dict(properties))))

    def _changed(self, source: DataSource, columns: list[Column]) -> DataSource:
        return msgspec.structs.replace(source, columns=columns, edited_at=self._clock())

    def _touched(self, page: Page, **changes: object) -> Page:
        edited = {"edited_at": self._clock(), "edited_by": PERSON_ID, **changes}
        return msgspec.structs.replace(page, **edited)

    def _page(self, page_id: str) -> Page:
        found = self._notion.pages.get(page_id)
        if found is None:
            raise Refused(404, "object_not_found", f"There is no page {page_id}.")
        return found

    def _sources(self, database_id: str) -> list[DataSource]:
        """Those of a database, or the one data source whose id it is."""
        alone = self._notion.sources.get(database_id)
        found = self._notion.sources_of(database_id) if alone is None else [alone]
        if not found:
            raise Refused(404, "object_not_found", f"There is no database {database_id}.")
        return found


def _adds(raw: object) -> bool:
    return isinstance(raw, dict) and "name" not in raw
