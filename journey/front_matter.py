"""The head of a template file: subject and preheader between two lines of dashes, each on one line."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from journey.liquid_rules import check, evaluate, failure_of
from journey.problems import Report
from journey.templates import Sources

FIELDS = ("subject", "preheader")
FIELD_LIMIT = 150
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class Source(NamedTuple):
    """One template file, read."""

    fields: dict[str, str]
    lines: dict[str, int]
    """The line of each field."""

    body: list[str]
    body_line: int


def source_of(sources: Sources, report: Report) -> Source:
    """Of a template that stands in no file. A field that is missing is reported."""
    fields = {name: getattr(sources, name) for name in FIELDS}
    for name, value in fields.items():
        if not value:
            report.add(1, f"the {name} is missing")
    return Source(fields, {}, sources.body.split("\n"), 1)


def written(sources: Sources) -> str:
    """The file that they are read from, as we write it."""
    head = [f"{name}: {getattr(sources, name)}" for name in FIELDS]
    return "\n".join(["---", *head, "---", sources.body])


def read_source(text: str, report: Report) -> Source | None:
    """None where there is no front matter at all; a field that is missing is "" and reported."""
    lines = text.split("\n")
    end = lines.index("---", 1) if lines[0] == "---" and "---" in lines[1:] else 0
    if not end:
        report.add(1, "must begin with front matter: a line '---', subject: …, preheader: …, a line '---'")
        return None
    source = Source({}, {}, lines[end + 1 :], end + 2)
    for number, line in enumerate(lines[1:end], start=2):
        _read_field(line, number, source, report)
    for name in FIELDS:
        if not source.fields.setdefault(name, ""):
            report.add(source.lines.get(name, 1), f"{name!r} is missing from the front matter")
    return source


def _read_field(line: str, number: int, source: Source, report: Report) -> None:
    name, colon, value = line.partition(":")
    if not colon or name not in FIELDS:
        report.add(number, f"front matter holds 'subject: …' and 'preheader: …', one line each, not {line[:40]!r}")
    elif name in source.fields:
        report.add(number, f"{name!r} is there twice")
    else:
        source.fields[name], source.lines[name] = value.strip(" \t"), number


def checked_fields(source: Source, samples: Sequence[Mapping[str, object]], report: Report) -> dict[str, str]:
    """The fields, with "" for each that was refused, so that the body can be looked at all the same.

    `samples` are variables to try them with; together they have every name that may be used.
    """
    reasons = {name: _wrong(name, value, samples) if value else [] for name, value in source.fields.items()}
    for name, found in reasons.items():
        for reason in found:
            report.add(source.lines.get(name, 1), reason)
    return {name: "" if reasons[name] else value for name, value in source.fields.items()}


def _wrong(name: str, value: str, samples: Sequence[Mapping[str, object]]) -> list[str]:
    supplied = frozenset().union(*samples)
    reasons = [f"{name}: {finding.reason}" for finding in check(value, supplied).findings]
    if _CONTROL.search(value):
        reasons.append(f"the {name} holds a line break or another control character")
    if len(value) > FIELD_LIMIT:
        reasons.append(f"the {name} is {len(value)} characters long; {FIELD_LIMIT} are allowed")
    return reasons or [f"{name}: {reason}" for reason in _failures(name, value, samples)]


def _failures(name: str, value: str, samples: Sequence[Mapping[str, object]]) -> list[str]:
    """What goes wrong for some of the people it is tried with; the provider takes no email without a subject."""
    failures = list(filter(None, (failure_of(value, sample) for sample in samples)))
    if failures:
        return [failures[0].reason]
    is_blank = any(not evaluate(value, sample, html=False).strip() for sample in samples)
    return ["is blank for somebody"] if is_blank and name == "subject" else []
