"""What an author wrote to Templates: layout around body, checks, MJML. Every problem names file and line."""

import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import mrml

from journey.front_matter import Source, checked_fields, read_source, source_of, written
from journey.liquid_rules import NOWHERE, Finding, check, failure_of, line_of
from journey.markup import check_markup, with_plain_entities
from journey.masking import Masked, mask
from journey.problems import Problem, Report
from journey.templates import Sources, Template
from journey.variables import Shown

SIZE_LIMIT = 50_000
"""Of a template, in bytes: ten times the longest we have seen, and mailboxes cut an email at 100 kB."""

_CONTENT = "[[content]]"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
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


class Draft(NamedTuple):
    """One template as written, and who is told what is wrong with which part of it."""

    name: str
    source: Source
    text: str
    """The text part, where it is written by hand."""

    whole: str
    """The file as it is, or would be."""

    head: Report
    body: Report
    text_part: Report

    @property
    def problems(self) -> list[Problem]:
        return [*self.head.problems, *self.body.problems, *self.text_part.problems]


def load_templates(folder: Path, supply: Supply) -> tuple[dict[str, Template], list[Report]]:
    """Every `*.mjml` that is not a `_partial`. A template with problems is reported, not returned."""
    layout = _read_layout(folder / "_layout.mjml")
    reports, templates = [layout.report], {}
    for file in sorted(folder.glob("[!_]*.mjml")):
        text_file = file.with_suffix(".txt")
        reports += [report := Report(file), text_report := Report(text_file)]
        whole, text = _read(file, report), _read(text_file, text_report) if text_file.exists() else ""
        source = read_source(whole, report) if whole else None
        if source is None or not layout.text:
            continue
        if template := _template(Draft(file.stem, source, text, whole, report, report, text_report), layout, supply):
            templates[file.stem] = template
    return templates, [*reports, *_orphans(folder)]


def make_template(name: str, sources: Sources, layout: str, supply: Supply) -> Template | tuple[str, ...]:
    """From sources that stand in no file; or the reasons why they make no template, each with its place."""
    report, head, body, text_part = (Report(Path(part)) for part in ("layout", "head", "body", "text"))
    source = source_of(sources, head)
    if not sources.body.strip():
        head.add(1, "the body is empty")
    for part in Sources.__struct_fields__:
        if len(getattr(sources, part).encode()) > SIZE_LIMIT:
            head.add(1, f"the {part} is longer than {SIZE_LIMIT:,} bytes")
    if not head.problems and len(written(sources).encode()) > SIZE_LIMIT:  # it could be written, and not be read again
        head.add(1, f"the whole is longer than {SIZE_LIMIT:,} bytes")
    if head.problems:  # the rest is not looked at: it may be too much
        return tuple(each.reason for each in head.problems)
    draft = Draft(name, source, sources.text, written(sources), head, body, text_part)
    template = _template(draft, Layout(layout, report), supply)
    return template or (
        *(each.reason for each in head.problems),
        *(f"line {each.line} of the body: {each.reason}" for each in body.problems),
        *(f"line {each.line} of the plain text: {each.reason}" for each in text_part.problems),
        *(f"line {each.line} of the layout: {each.reason}" for each in report.problems),
    )


def _template(draft: Draft, layout: Layout, supply: Supply) -> Template | None:
    fields = checked_fields(draft.source, supply.samples, draft.head)
    compiled = _compile(_compose(draft.source, fields, layout, draft.body), supply)
    _check_text(draft, supply)
    if not compiled or draft.problems:
        return None
    parts = (fields["subject"], compiled, draft.text)
    return Template(
        name=draft.name,
        version=_version(draft.whole, layout.text, *filter(None, [draft.text])),
        **fields,
        html=compiled,
        variables=frozenset().union(*(check(each, supply.names).variables for each in parts)),
        sources=Sources(**fields, body="\n".join(draft.source.body), text=draft.text),
        layout=layout.text,
    )


def _check_text(draft: Draft, supply: Supply) -> None:
    findings = [*check(draft.text, supply.names).findings] or _failures(draft.text, supply)
    if control := _CONTROL.search(draft.text):
        findings.append(Finding(line_of(draft.text, control.start()), "holds a control character"))
    for finding in findings:
        draft.text_part.add(*finding)


def _read_layout(file: Path) -> Layout:
    report = Report(file)
    text = _read(file, report)
    if text and [line.strip() for line in text.split("\n")].count(_CONTENT) != 1:
        report.add(1, f"must hold {_CONTENT} once, on a line of its own")
        return Layout("", report)
    return Layout(text, report)


def _orphans(folder: Path) -> Iterator[Report]:
    """Text parts whose template is not there: one of the two names is mistyped."""
    for file in sorted(folder.glob("*.txt")):
        if not file.with_suffix(".mjml").exists():
            report = Report(file)
            report.add(1, f"there is no {file.stem}.mjml whose text part it could be")
            yield report


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
