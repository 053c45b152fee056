"""Relation columns: which data source they point to, which pages may be written, how they are read back."""

from collections.abc import Callable, Iterable

from services.sandbox.notion_model import Column, DataSource, Page, body_invalid, dashed, invalid
from services.sandbox.notion_text import shown, too_long

MAX_RELATED, MAX_SHOWN = 100, 25
SINGLE: dict[str, object] = {"type": "single_property", "single_property": {}}


def parse_target(config: object, path: str) -> dict[str, object]:
    """The settings of a new relation column. Whether the data source exists, the API asks.

    Errors: Refused, 400 validation_error.
    """
    if not isinstance(config, dict):
        body_invalid(path, f"should be an object, instead was `{shown(config)}`")
    source_id = _uuid(config.get("data_source_id"), f"{path}.data_source_id")
    if "dual_property" in config or config.get("type") == "dual_property":
        invalid("The sandbox does not do `dual_property` relations, only `single_property`.")
    if not isinstance(config.get("single_property"), dict):
        body_invalid(f"{path}.single_property", "should be defined, instead was `undefined`")
    return {"data_source_id": source_id, **SINGLE}


def check_same_target(column: Column, config: object) -> None:
    target = parse_target(config, f"properties.{column.name}.relation")["data_source_id"]
    if target != column.config.get("data_source_id"):
        invalid(f"The sandbox does not point a relation elsewhere: {column.name} stays.")


def with_databases(columns: Iterable[Column], find: Callable[[str], DataSource]) -> list[Column]:
    """Each new relation with the database of its data source, as Notion shows it.

    Errors: whatever `find` raises for a data source that is not there.
    """
    return [
        _with_database(each, find) if each.type == "relation" and "database_id" not in each.config else each
        for each in columns
    ]


def _with_database(column: Column, find: Callable[[str], DataSource]) -> Column:
    source_id = str(column.config.get("data_source_id"))
    config = {"database_id": find(source_id).database_id, "data_source_id": source_id, **SINGLE}
    return Column(column.id, column.name, column.type, config=config)


def parse_relation(value: object, path: str) -> list[str]:
    """The ids of the pages, in the order written."""
    if not isinstance(value, list):
        body_invalid(path, f"should be an array, instead was `{shown(value)}`")
    too_long(path, len(value), MAX_RELATED)
    return [_page_id(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _page_id(item: object, path: str) -> str:
    if not isinstance(item, dict):
        body_invalid(path, f"should be an object, instead was `{shown(item)}`")
    return _uuid(item.get("id"), f"{path}.id")


def _uuid(value: object, path: str) -> str:
    found = dashed(value)
    if found is None:
        body_invalid(path, f"should be a valid uuid, instead was `{shown(value)}`")
    return found


def check_related(columns: Iterable[Column], values: dict[str, object], find: Callable[[str], Page]) -> None:
    """Errors: Refused, 400 for a page of another data source; whatever `find` raises for one that is not there."""
    for column in columns:
        if column.type != "relation" or column.id not in values:
            continue
        for page_id in page_ids(values[column.id]):
            if find(page_id).data_source_id != column.config.get("data_source_id"):
                invalid(f"Page {page_id} is not in the data source that {column.name} is related to.")


def page_ids(stored: object) -> list[str]:
    return [str(each) for each in stored] if isinstance(stored, list) else []


def related(stored: object) -> dict[str, object]:
    """As on a page object, which shows the first 25 only."""
    ids = page_ids(stored)
    return {"relation": [{"id": each} for each in ids[:MAX_SHOWN]], "has_more": len(ids) > MAX_SHOWN}
