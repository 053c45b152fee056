"""Template files to Templates: layout around body, checks, MJML. Every problem names file and line."""

import hashlib
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import mrml

from journey.front_matter import Source, checked_fields, read_source
from journey.liquid_rules import NOWHERE, Finding, check, failure_of
from journey.markup import check_markup, with_plain_entities
from journey.masking import Masked, mask
from journey.problems import Report
from journey.templates import Template
from journey.variables import Shown

SIZE_LIMIT = 50_000
"""Of a template file, in bytes: ten times the longest we have seen, and mailboxes cut an email at 100 kB."""

_CONTENT = "[[content]]"
_COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)


class Supply(NamedTuple):
    """What templates may use: variables, in samples to try them with; constants, which may be links; `links`, the
    variables that may be.
    """

    samples: tuple[Mapping[str, Shown], ...]
    constants: Mapping[str, str]
    links: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        return frozenset().union(*self.samples)


class Layout(NamedTuple):
    text: str
    report: Report


class Composed(NamedTuple):
    """A whole MJML document, and where each of its lines comes from; what is about the whole goes to `report`."""

    text: str
    places: list[tuple[Report, int]]
    report: Report

    def add(self, finding: Finding) -> None:
        if finding.line == NOWHERE:
            self.report.add(1, finding.reason)
            return
        report, line = self.places[min(finding.line, len(self.places)) - 1]
        report.add(line, finding.reason)


def load_templates(folder: Path, supply: Supply) -> tuple[dict[str, Template], list[Report]]:
    """Every `*.mjml` that is not a `_partial`. A template with problems is reported, not returned."""
    layout = _read_layout(folder / "_layout.mjml")
    reports, templates = [layout.report], {}
    for file in sorted(folder.glob("[!_]*.mjml")):
        reports.append(report := Report(file))
        text = _read(file, report)
        source = read_source(text, report) if text else None
        if source is None or not layout.text:
            continue
        fields = checked_fields(source, supply.samples, report)
        compiled = _compile(_compose(source, fields, layout, report), supply)
        if compiled and not report.problems:
            used = frozenset().union(*(check(each, supply.names).variables for each in (fields["subject"], compiled)))
            templates[file.stem] = Template(
                file.stem, _version(text, layout.text), **fields, html=compiled, variables=used
            )
    return templates, reports


def _read_layout(file: Path) -> Layout:
    report = Report(file)
    text = _read(file, report)
    if text and [line.strip() for line in text.split("\n")].count(_CONTENT) != 1:
        report.add(1, f"must hold {_CONTENT} once, on a line of its own")
        return Layout("", report)
    return Layout(text, report)


def _read(file: Path, report: Report) -> str:
    """Bytes are decoded here, so that a lone carriage return is seen and does not become a line."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(SIZE_LIMIT + 1)
        text = raw.decode().replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        report.add(1, f"cannot be read: {error}")
        return ""
    if len(raw) > SIZE_LIMIT:
        report.add(1, f"is longer than {SIZE_LIMIT:,} bytes")
        return ""
    if not text.strip():
        report.add(1, "is empty")
    return text.strip("\ufeff")


def _version(*sources: str) -> str:
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()[:12]


def _compose(source: Source, fields: Mapping[str, str], layout: Layout, report: Report) -> Composed:
    """The layout around the body. Comments go: they are for authors, and no reader should find them."""
    lines: list[str] = []
    places: list[tuple[Report, int]] = []
    for number, line in enumerate(layout.text.split("\n"), start=1):
        if line.strip() == _CONTENT:
            lines += source.body
            places += [(report, source.body_line + n) for n in range(len(source.body))]
        else:
            lines.append(_filled(line, fields))
            places.append((layout.report, number))
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), "\n".join(lines))
    return Composed(text, places, report)


def _filled(line: str, fields: Mapping[str, str]) -> str:
    """Quotes are escaped too: MJML repeats the title in an attribute, where a bare one would end it."""
    for name, value in fields.items():
        masked = mask(value)
        line = line.replace(f"[[{name}]]", masked.restored(html.escape(masked.text)))
    return line


def _compile(composed: Composed, supply: Supply) -> str:
    """MJML to HTML, with the Liquid kept out of the compiler's sight; "" where there are problems."""
    masked = mask(composed.text)
    masked = masked._replace(text=with_plain_entities(masked.text))
    findings = [*check(composed.text, supply.names).findings, *check_markup(masked, supply.constants, supply.links)]
    findings = findings or _failures(composed.text, supply)
    for finding in findings:
        composed.add(finding)
    if findings:
        return ""
    compiled = _to_html(composed, masked)
    for failure in _failures(compiled, supply):  # of which there is more than the author wrote
        composed.add(Finding(NOWHERE, f"compiled from MJML: {failure.reason}"))
    return compiled


def _failures(text: str, supply: Supply) -> list[Finding]:
    """What goes wrong for those it is tried with."""
    return list(filter(None, (failure_of(text, sample) for sample in supply.samples)))


def _to_html(composed: Composed, masked: Masked) -> str:
    try:
        compiled = mrml.to_html(masked.text, render_options=mrml.RenderOptions(fonts={})).content
    except OSError as error:  # what mrml raises; it knows no lines, so check_markup has looked before
        composed.add(Finding(1, f"MJML: {error}"))
        return ""
    dropped = masked.missing_from(compiled)
    for line in dropped:
        composed.add(Finding(line, "MJML drops Liquid that stands between elements; put it inside an mj-text"))
    return "" if dropped else masked.restored(compiled)
