"""Reading TOML with line numbers: tomllib gives none, and an author needs the line, not the key."""

import difflib
import itertools
import tomllib
from collections.abc import Iterator
from typing import Any

from journey.problems import Report

Keys = tuple[str | int, ...]
"""Where a value is: ("sequences", "nurture", "steps", 2, "after")."""


def lines_of(source: str) -> dict[Keys, int]:
    """The line of every key and table of a valid TOML document."""
    found: dict[Keys, int] = {(): 1}
    counts: dict[Keys, int] = {}
    base: Keys = ()
    for line, text, parsed in _statements(source):
        if text.lstrip().startswith("["):
            base = _header(parsed, counts)
            found.setdefault(base[:-1] if isinstance(base[-1], int) else base, line)
            found[base] = line
        else:
            found |= {base + keys: line for keys in _keys(parsed)}
    return found


def _statements(source: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Each shortest run of lines that is TOML by itself, so multi-line values stay whole."""
    lines = source.split("\n")
    start = 0
    while start < len(lines):
        for end in range(start + 1, len(lines) + 1):
            text = "\n".join(lines[start:end])
            try:
                parsed = tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                continue
            yield start + 1, text, parsed
            start = end
            break
        else:
            return


def _header(parsed: Any, counts: dict[Keys, int]) -> Keys:
    """The keys of `[a.b]` or `[[a.b]]`, with the index of each array of tables on the way."""
    path: Keys = ()
    while parsed:
        key, parsed = next(iter(parsed.items()))
        path += (key,)
        if isinstance(parsed, list):
            counts[path] = counts.get(path, 0) + 1
            parsed = parsed[0]
        if path in counts:
            path += (counts[path] - 1,)
    return path


def _keys(value: Any) -> Iterator[Keys]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        yield from ((key, *rest) for rest in _keys(inner))


class Table:
    """One TOML table that reports what is missing, mistyped or of the wrong type, and reads on."""

    def __init__(self, data: dict[str, Any], report: Report, lines: dict[Keys, int], keys: Keys = ()) -> None:
        self.data, self.report, self.lines, self.keys = data, report, lines, keys

    def line(self, key: str | None = None) -> int:
        """The line of a key, or of the table where the key is not written."""
        keys = self.keys if key is None else (*self.keys, key)
        return next(self.lines[keys[:n]] for n in range(len(keys), -1, -1) if keys[:n] in self.lines)

    def refuse(self, key: str | None, reason: str) -> None:
        self.report.add(self.line(key), reason)

    def allow_only(self, *allowed: str) -> None:
        for key in self.data.keys() - set(allowed):
            close = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(allowed)}"
            self.refuse(key, f"unknown key {key!r}; {hint}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank; "" where there is none, which then is reported."""
        value = self.data.get(key, default)
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.refuse(key, f"{key!r} is missing" if value is None else f"{key!r} must be a text that is not empty")
        return ""

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            self.refuse(key, f"{key!r} must be true or false")
            return default
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """An array of texts that are not blank, or none."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
            self.refuse(key, f"{key!r} must be a list of texts")
            return ()
        return tuple(each.strip() for each in value)

    def table(self, key: str, what: str = "table") -> "Table":
        """A table, or an empty one."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.refuse(key, f"{key!r} must be a {what}")
            value = {}
        return Table(value, self.report, self.lines, (*self.keys, key))

    def tables(self, key: str) -> "list[Table]":
        """An array of tables, or none."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.refuse(key, f"{key!r} must be written as [[{'.'.join(map(str, (*self.keys, key)))}]]")
            return []
        inner = zip(value, itertools.count(), strict=False)
        return [Table(each, self.report, self.lines, (*self.keys, key, n)) for each, n in inner]
