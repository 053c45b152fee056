"""Property values: what may be written into which column, how it is stored, and how it is read back."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from services.sandbox.notion_model import (
    WITH_OPTIONS,
    WRITABLE,
    Column,
    DataSource,
    body_invalid,
    invalid,
    new_option,
)
from services.sandbox.notion_relations import page_ids, parse_relation, related
from services.sandbox.notion_text import length, parse_rich_text, plain, shown, too_long

LIMITS = {"email": 200, "phone_number": 200, "url": 2000}
MAX_OPTION_NAME, MAX_OPTIONS = 100, 100


class Written(msgspec.Struct, frozen=True):
    """Values by column id, and the columns with the select options that the write created."""

    values: dict[str, object]
    columns: list[Column]


def write(source: DataSource, properties: object) -> Written:
    """All or nothing; the first problem is the answer.

    Errors: Refused, 400 validation_error.
    """
    if not isinstance(properties, dict):
        body_invalid("properties", f"should be an object, instead was `{shown(properties)}`")
    # Shapes come before the schema, as in the real one: too long a text is reported before an unknown column.
    parsed = {name: _parse(name, raw) for name, raw in properties.items()}
    values: dict[str, object] = {}
    columns = {column.id: column for column in source.columns}
    for name, (kind, value) in parsed.items():
        column = _target(source, name, kind)
        stored, columns[column.id] = _store(columns[column.id], value)
        values[column.id] = stored
    return Written(values, list(columns.values()))


def grown(source: DataSource, written: Written) -> list[DataSource]:
    """The data source again where the write made a select option, as it does for ever."""
    if written.columns == source.columns:
        return []
    return [msgspec.structs.replace(source, columns=written.columns)]


def _target(source: DataSource, name: str, kind: str) -> Column:
    column = source.column(name)
    if column is None:
        invalid(f"{name} is not a property that exists.")
    if column.type not in WRITABLE:
        invalid(f"{name} is of type {column.type}, which cannot be written.")
    if column.type != kind:
        invalid(f"{name} is expected to be {column.type}.")
    return column


def _parse(name: str, raw: object) -> tuple[str, object]:
    path = f"properties.{name}"
    if not isinstance(raw, dict):
        body_invalid(path, f"should be an object, instead was `{shown(raw)}`")
    kinds = sorted(raw.keys() - {"id", "type", "name"})
    if len(kinds) != 1:
        body_invalid(path, f"should hold one value, instead was `{', '.join(kinds) or 'undefined'}`")
    kind = kinds[0]
    if raw.get("type", kind) != kind:
        body_invalid(f"{path}.{raw['type']}", "should be defined, instead was `undefined`")
    parser = PARSERS.get(kind)
    return kind, raw[kind] if parser is None else parser(raw[kind], f"{path}.{kind}")


def _parse_number(value: object, path: str) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    if value is not None and not is_number:
        body_invalid(path, f"should be a number or `null`, instead was `{shown(value)}`")
    return value


def _is_finite(value: float) -> bool:
    """JSON allows integers that no double holds."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _parse_checkbox(value: object, path: str) -> object:
    if not isinstance(value, bool):
        body_invalid(path, f"should be a boolean, instead was `{shown(value)}`")
    return value


def _parse_string(value: object, path: str) -> object:
    if value is None:
        return None
    if not isinstance(value, str) or value == "":
        body_invalid(path, f"should be a non-empty string or `null`, instead was `{shown(value)}`")
    too_long(path, length(value), LIMITS[path.rsplit(".", 1)[-1]])
    return value


def _parse_option(value: object, path: str) -> object:
    """Stored for now as given; `_store` turns it into an option id once the column is known."""
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name", value.get("id")), str):
        body_invalid(f"{path}.name", "should be defined, instead was `undefined`")
    name = value.get("name")
    if name is not None and not name:
        body_invalid(f"{path}.name", 'should be non-empty, instead was `""`')
    too_long(f"{path}.name", length(name or ""), MAX_OPTION_NAME)
    return value


def _parse_multi_select(value: object, path: str) -> object:
    if not isinstance(value, list):
        body_invalid(path, f"should be an array, instead was `{shown(value)}`")
    too_long(path, len(value), MAX_OPTIONS)
    return [_parse_option(each, f"{path}[{index}]") for index, each in enumerate(value) if each is not None]


def _parse_date(value: object, path: str) -> object:
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("start") is None:
        body_invalid(f"{path}.start", "should be defined, instead was `undefined`")
    for name in sorted(value.keys() - {"start", "end", "time_zone"}):
        body_invalid(f"{path}.{name}", f"should be not present, instead was `{shown(value[name])}`")
    zone = _parse_zone(value.get("time_zone"), f"{path}.time_zone")
    start = _moment(value["start"], f"{path}.start", zoned=zone is not None)
    end = None if value.get("end") is None else _moment(value["end"], f"{path}.end", zoned=zone is not None)
    if end is not None and (len(end) == 10) != (len(start) == 10):
        body_invalid(f"{path}.end", "should be of the same kind as start")
    if end is not None and as_moment(end) < as_moment(start):
        body_invalid(f"{path}.end", "should not be before start")
    return {"start": start, "end": end, "time_zone": zone}


def _parse_zone(value: object, path: str) -> str | None:
    try:
        return None if value is None else ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        body_invalid(path, f"should be an IANA time zone, instead was `{shown(value)}`")


def _moment(value: object, path: str, *, zoned: bool) -> str:
    """A date stays a date; a time comes back with milliseconds and an offset."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        body_invalid(path, f"should be a valid ISO 8601 date string, instead was `{shown(value)}`")
    if len(str(value)) == 10:
        return str(value)
    if zoned and at.tzinfo is not None:
        body_invalid(path, "should not have a UTC offset when time_zone is set")
    return at.replace(tzinfo=at.tzinfo or UTC).isoformat(timespec="milliseconds")


def as_moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def as_day(text: str) -> date:
    return datetime.fromisoformat(text).date()


PARSERS: dict[str, Callable[[object, str], object]] = {
    "title": parse_rich_text,
    "rich_text": parse_rich_text,
    "number": _parse_number,
    "checkbox": _parse_checkbox,
    "email": _parse_string,
    "phone_number": _parse_string,
    "url": _parse_string,
    "select": _parse_option,
    "status": _parse_option,
    "multi_select": _parse_multi_select,
    "date": _parse_date,
    "relation": parse_relation,
}


def _store(column: Column, value: object) -> tuple[object, Column]:
    if column.type not in WITH_OPTIONS:
        return value, column
    if isinstance(value, list):
        ids: list[object] = []
        for each in value:
            stored, column = _store_option(column, each)
            ids.append(stored)
        return ids, column
    return _store_option(column, value)


def _store_option(column: Column, value: object) -> tuple[object, Column]:
    """A select makes a missing option silently, and for ever; a status refuses it."""
    if not isinstance(value, dict):
        return (column.options[0].id if column.type == "status" and column.options else None), column
    wanted = value.get("name", value.get("id"))
    found = column.option(wanted)
    if found is not None:
        return found.id, column
    if column.type == "status" or "name" not in value:
        invalid(f'Invalid {column.type} option. {column.type.capitalize()} option "{wanted}" does not exist.')
    if "," in str(wanted):
        invalid(f"Invalid select option, commas not allowed: {wanted}")
    option = new_option(column, str(wanted))
    return option.id, msgspec.structs.replace(column, options=[*column.options, option])


def read(column: Column, stored: object) -> dict[str, object]:
    """One property of a page object."""
    if column.type == "relation":
        return {"id": column.id, "type": "relation", **related(stored)}
    return {"id": column.id, "type": column.type, column.type: _value(column, stored)}


def _value(column: Column, stored: object) -> object:
    if column.type in {"select", "status"}:
        return _option(column, stored)
    if column.type == "multi_select":
        return [_option(column, each) for each in stored] if isinstance(stored, list) else []
    if column.type in {"title", "rich_text"}:
        return stored or []
    return stored is True if column.type == "checkbox" else stored


def _option(column: Column, stored: object) -> dict[str, object] | None:
    option = column.option(stored) if stored is not None else None
    return None if option is None else msgspec.structs.asdict(option)


def plain_value(column: Column, stored: object) -> object:
    """The bare value, as filters compare it and people read it."""
    value = _value(column, stored)
    match column.type:
        case "title" | "rich_text":
            return plain(value)
        case "select" | "status":
            return value["name"] if isinstance(value, dict) else None
        case "multi_select":
            return [each["name"] for each in value] if isinstance(value, list) else []
        case "relation":
            return page_ids(stored)
        case "date":
            return value["start"] if isinstance(value, dict) else None
        case _:
            return value
