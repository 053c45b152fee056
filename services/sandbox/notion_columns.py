"""Column definitions: what may be created, renamed, removed."""

import msgspec

from services.sandbox.notion_model import (
    COLOURS,
    KNOWN_TYPES,
    WITH_OPTIONS,
    Column,
    DataSource,
    Option,
    body_invalid,
    column_id,
    invalid,
    new_option,
)
from services.sandbox.notion_relations import check_same_target, parse_target
from services.sandbox.notion_text import shown

DEFAULT_STATUSES = ("Not started", "In progress", "Done")


def parse_columns(source_id: str, properties: object) -> list[Column]:
    """The columns of a new data source; exactly one is the title."""
    if not isinstance(properties, dict):
        body_invalid("properties", f"should be an object, instead was `{shown(properties)}`")
    columns = [_parse_column(source_id, name, raw) for name, raw in properties.items()]
    _check_title(columns)
    return columns


def change_columns(source: DataSource, properties: object) -> list[Column]:
    """Null removes, `name` renames, a new name adds; retyping is left out.

    Errors: Refused, 400 validation_error; nothing changes.
    """
    if not isinstance(properties, dict):
        body_invalid("properties", f"should be an object, instead was `{shown(properties)}`")
    columns = {each.id: each for each in source.columns}
    for name, raw in properties.items():
        present = source.column(name)
        if present is None:
            # Not the id of an earlier column of that name: what stood in that one is gone.
            added = _parse_column(f"{source.id}/{source.edited_at.isoformat()}", name, raw)
            columns[added.id] = added
        elif raw is None:
            del columns[present.id]
        else:
            columns[present.id] = _change(present, raw)
    _check_title(list(columns.values()))
    return list(columns.values())


def _check_title(columns: list[Column]) -> None:
    if sum(each.type == "title" for each in columns) != 1:
        invalid("Title is not provided or more than one column is of type title.")
    if len({each.name for each in columns}) != len(columns):
        invalid("Two properties must not have the same name.")


def _parse_column(source_id: str, name: str, raw: object) -> Column:
    kind, config = _kind(name, raw)
    column = Column(column_id(source_id, name, kind), name, kind)
    if kind in WITH_OPTIONS:
        return _with_options(column, config.get("options", []), f"properties.{name}.{kind}.options")
    if kind == "relation":
        config = parse_target(config, f"properties.{name}.relation")
    return msgspec.structs.replace(column, config=config)


def _kind(name: str, raw: object) -> tuple[str, dict[str, object]]:
    kinds = sorted(raw.keys() & KNOWN_TYPES) if isinstance(raw, dict) else []
    if not isinstance(raw, dict) or len(kinds) != 1 or not isinstance(raw[kinds[0]], dict):
        body_invalid(f"properties.{name}", "should hold one known column type with its settings")
    return kinds[0], raw[kinds[0]]


def _with_options(column: Column, options: object, path: str) -> Column:
    if not isinstance(options, list):
        body_invalid(path, f"should be an array, instead was `{shown(options)}`")
    if column.type == "status" and not options:
        options = [{"name": name} for name in DEFAULT_STATUSES]
    for index, raw in enumerate(options):
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(name, str) or not name or "," in name:
            body_invalid(f"{path}[{index}].name", f"should be text without commas, instead was `{shown(name)}`")
        if column.option(name) is None:
            option = _coloured(new_option(column, name), raw.get("color"))
            column = msgspec.structs.replace(column, options=[*column.options, option])
    return column


def _coloured(option: Option, colour: object) -> Option:
    return msgspec.structs.replace(option, color=colour) if colour in COLOURS else option


def _change(column: Column, raw: object) -> Column:
    if not isinstance(raw, dict):
        body_invalid(f"properties.{column.name}", f"should be an object, instead was `{shown(raw)}`")
    kinds = raw.keys() & KNOWN_TYPES
    if kinds - {column.type}:
        invalid(f"The sandbox does not change the type of a column: {column.name} stays {column.type}.")
    name = raw.get("name", column.name)
    if not isinstance(name, str) or not name:
        body_invalid(f"properties.{column.name}.name", f"should be a string, instead was `{shown(name)}`")
    column = msgspec.structs.replace(column, name=name)
    config = raw.get(column.type)
    if column.type == "relation" and config is not None:
        check_same_target(column, config)
    if column.type in WITH_OPTIONS and isinstance(config, dict) and "options" in config:
        # Naming the options replaces the list; ids of those kept stay, so that rows keep their values.
        return _replace_options(column, config["options"])
    return column


def _replace_options(column: Column, options: object) -> Column:
    empty = msgspec.structs.replace(column, options=[])
    named = _with_options(empty, options, f"properties.{column.name}.{column.type}.options")
    return msgspec.structs.replace(column, options=[column.option(each.name) or each for each in named.options])
