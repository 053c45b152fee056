"""Query filters and sorts.

The filter is checked in full against the columns before any row is looked at, as a wrong one must fail on an
empty table too. Text comparison is case-sensitive: whether the real one is, nobody documents, so depend on
neither.
"""

from collections.abc import Callable
from datetime import datetime

from services.sandbox.notion_model import DataSource, Page, body_invalid, dashed, invalid, to_the_minute
from services.sandbox.notion_text import shown
from services.sandbox.notion_values import as_day, as_moment, plain_value

Test = Callable[[Page], bool]
MAX_NESTING = 2
TIMESTAMPS = frozenset({"created_time", "last_edited_time"})


def compile_filter(source: DataSource, raw: object, depth: int = 0) -> Test:
    """Errors: Refused, 400 validation_error."""
    if not isinstance(raw, dict):
        body_invalid("filter", f"should be an object, instead was `{shown(raw)}`")
    for junction, combine in (("and", all), ("or", any)):
        if junction in raw:
            return _compile_group(source, raw, junction, combine, depth)
    if "timestamp" in raw:
        return _compile_timestamp(raw)
    return _compile_property(source, raw)


def _compile_group(
    source: DataSource,
    raw: dict[str, object],
    junction: str,
    combine: Callable[[list[bool]], bool],
    depth: int,
) -> Test:
    parts = raw[junction]
    if len(raw) != 1 or not isinstance(parts, list):
        body_invalid(f"filter.{junction}", "should be an array and stand alone")
    if depth >= MAX_NESTING:
        body_invalid("filter", f"should be nested at most {MAX_NESTING} levels deep")
    tests = [compile_filter(source, part, depth + 1) for part in parts]
    return lambda page: combine([test(page) for test in tests])


def _compile_timestamp(raw: dict[str, object]) -> Test:
    name = raw["timestamp"]
    if name not in TIMESTAMPS or raw.keys() != {"timestamp", name}:
        body_invalid("filter.timestamp", f"should be `created_time` or `last_edited_time`, instead was `{name}`")
    test = _compile_condition("date", raw[str(name)], str(name))
    return lambda page: test(timestamp(page, str(name)).isoformat())


def timestamp(page: Page, name: str) -> datetime:
    return to_the_minute(page.created_at if name == "created_time" else page.edited_at)


def _compile_property(source: DataSource, raw: dict[str, object]) -> Test:
    name = raw.get("property")
    if not isinstance(name, str):
        body_invalid("filter.property", "should be defined, instead was `undefined`")
    column = source.column(name)
    if column is None:
        invalid(f"Could not find property with name or id: {name}")
    kinds = sorted(raw.keys() - {"property", "type"})
    if kinds != [column.type]:
        invalid(f"database property {column.type} does not match filter {', '.join(kinds) or 'undefined'}")
    test = _compile_condition(column.type, raw[column.type], name)
    found = column
    return lambda page: test(plain_value(found, page.values.get(found.id)))


def _compile_condition(kind: str, condition: object, name: str) -> Callable[[object], bool]:
    if not isinstance(condition, dict) or len(condition) != 1:
        body_invalid(f"filter.{kind}", f"should hold one condition for {name}")
    (operator, expected), *_ = condition.items()
    operators = OPERATORS.get(kind)
    if operators is None or operator not in operators:
        body_invalid(f"filter.{kind}.{operator}", f"should be not present, instead was `{shown(expected)}`")
    _check_expected(kind, operator, expected)
    compare = operators[operator]
    return lambda value: compare(value, expected)


def _check_expected(kind: str, operator: str, expected: object) -> None:
    path = f"filter.{kind}.{operator}"
    if operator in {"is_empty", "is_not_empty"}:
        fits = expected is True
    elif kind == "number":
        fits = isinstance(expected, int | float) and not isinstance(expected, bool)
    elif kind == "checkbox":
        fits = isinstance(expected, bool)
    elif kind == "relation":
        fits = dashed(expected) is not None
    else:
        fits = isinstance(expected, str) and (kind != "date" or _is_moment(expected))
    if not fits:
        body_invalid(path, f"should be a value that fits {kind}, instead was `{shown(expected)}`")


def _is_moment(text: str) -> bool:
    try:
        as_moment(text)
    except ValueError:
        return False
    return True


Comparison = Callable[[object, object], bool]


def _number(compare: Callable[[float, float], bool]) -> Comparison:
    return lambda value, expected: (
        isinstance(value, int | float) and isinstance(expected, int | float) and compare(value, expected)
    )


def _date(fits: Callable[[int], bool]) -> Comparison:
    """A day on either side compares by day; two moments compare to the instant."""

    def test(value: object, expected: object) -> bool:
        if not isinstance(value, str) or not isinstance(expected, str):
            return False
        if 10 in {len(value), len(expected)}:
            return fits((as_day(value) > as_day(expected)) - (as_day(value) < as_day(expected)))
        return fits((as_moment(value) > as_moment(expected)) - (as_moment(value) < as_moment(expected)))

    return test


def _text(compare: Callable[[str, str], bool]) -> Comparison:
    return lambda value, expected: compare(str(value or ""), str(expected))


EMPTINESS: dict[str, Comparison] = {
    "is_empty": lambda value, _: value in (None, "", []),
    "is_not_empty": lambda value, _: value not in (None, "", []),
}
EQUALITY: dict[str, Comparison] = {
    "equals": lambda value, expected: value == expected,
    "does_not_equal": lambda value, expected: value != expected,
}
TEXT: dict[str, Comparison] = {
    "equals": _text(lambda value, expected: value == expected),
    "does_not_equal": _text(lambda value, expected: value != expected),
    "contains": _text(lambda value, expected: expected in value),
    "does_not_contain": _text(lambda value, expected: expected not in value),
    "starts_with": _text(lambda value, expected: value.startswith(expected)),
    "ends_with": _text(lambda value, expected: value.endswith(expected)),
    **EMPTINESS,
}
NUMBER: dict[str, Comparison] = {
    **EQUALITY,
    "greater_than": _number(lambda value, expected: value > expected),
    "less_than": _number(lambda value, expected: value < expected),
    "greater_than_or_equal_to": _number(lambda value, expected: value >= expected),
    "less_than_or_equal_to": _number(lambda value, expected: value <= expected),
    **EMPTINESS,
}
DATE: dict[str, Comparison] = {
    "equals": _date(lambda order: order == 0),
    "before": _date(lambda order: order < 0),
    "after": _date(lambda order: order > 0),
    "on_or_before": _date(lambda order: order <= 0),
    "on_or_after": _date(lambda order: order >= 0),
    **EMPTINESS,
}
MEMBERSHIP: dict[str, Comparison] = {
    "contains": lambda value, expected: isinstance(value, list) and expected in value,
    "does_not_contain": lambda value, expected: not (isinstance(value, list) and expected in value),
    **EMPTINESS,
}
RELATION: dict[str, Comparison] = {
    "contains": lambda value, expected: MEMBERSHIP["contains"](value, dashed(expected)),
    "does_not_contain": lambda value, expected: MEMBERSHIP["does_not_contain"](value, dashed(expected)),
    **EMPTINESS,
}
OPERATORS: dict[str, dict[str, Comparison]] = {
    "title": TEXT,
    "rich_text": TEXT,
    "email": TEXT,
    "phone_number": TEXT,
    "url": TEXT,
    "select": {**EQUALITY, **EMPTINESS},
    "status": {**EQUALITY, **EMPTINESS},
    "multi_select": MEMBERSHIP,
    "relation": RELATION,
    "number": NUMBER,
    "checkbox": EQUALITY,
    "date": DATE,
}
