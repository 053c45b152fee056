"""Campaigns are data: `campaigns/<id>/campaign.toml` and templates, refused at load if they could fail."""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from contracts.ids import TOKEN
from journey.liquid_rules import check_condition
from journey.model import Campaign, Late, Segment, Sequence, Step
from journey.problems import CampaignError, Problem, Report
from journey.sequences import read_sequences, refuse_twice
from journey.templates import Sources, Template
from journey.toml_table import Table, lines_of
from journey.variables import MEETING, NUMBER_LIMIT, SUPPLIED, TEXT_LIMIT, URL_LIMIT, Format, Shown, Variable, url

if TYPE_CHECKING:
    from journey.compose import Supply

__all__ = [
    "Campaign",
    "CampaignError",
    "Problem",
    "Segment",
    "Sequence",
    "Step",
    "load_campaign",
    "load_campaigns",
    "template_from",
]

SIZE_LIMIT, LINE_LIMIT = 100_000, 2_000
"""Of `campaign.toml`, in bytes and characters: reading a dotted key takes time quadratic in its dots."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_FORMATS: dict[Format, tuple[Format, ...]] = {"text": ("text",), "number": ("number", "money"), "url": ("url",)}
"""How each kind of value we supply may be shown, the usual way first."""

_OWN: tuple[Format, ...] = ("text", "number", "money", "url")
_FULL: dict[Format, object] = {"text": "text", "number": 2, "money": 2, "url": "https://example.com/"}
_LONGEST: dict[Format, object] = {
    "text": "&" * TEXT_LIMIT,
    "number": 1 - NUMBER_LIMIT,
    "money": 1 - NUMBER_LIMIT,
    "url": "https://example.com/".ljust(URL_LIMIT, "&"),
}
"""What takes the most room, as HTML spells an ampersand in five characters."""

_ABOUT_A_PERSON = {name: _FULL[what.format] for name, what in SUPPLIED.items() if name not in MEETING}
"""What a segment may ask for: it is the same at every meeting."""


def load_campaigns(folder: Path) -> dict[str, Campaign]:
    """Every subfolder, by id. Errors: CampaignError with the problems of all of them."""
    if not folder.is_dir():
        raise CampaignError([Problem(str(folder), 1, "is not a folder")])
    campaigns: dict[str, Campaign] = {}
    problems: list[Problem] = []
    for each in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))):
        try:
            campaigns[each.name] = load_campaign(each)
        except CampaignError as error:
            problems += error.problems
    if problems:
        raise CampaignError(problems)
    return campaigns


def load_campaign(folder: Path) -> Campaign:
    """Errors: CampaignError with every problem of its files."""
    report = Report(folder / "campaign.toml")
    table = _read(folder / "campaign.toml", report)
    if not TOKEN.fullmatch(folder.name):
        report.add(1, f"the folder's name {folder.name!r} is no id: letters, digits, '-' and '_' only, at most 64")
    if table is None:
        raise CampaignError(report.problems)
    campaign, others = _campaign(folder, table)
    problems = [problem for each in (report, *others) for problem in sorted(each.problems)]
    if problems:
        raise CampaignError(problems)
    return campaign


def _read(file: Path, report: Report) -> Table | None:
    try:
        with file.open("rb") as opened:
            source = opened.read(SIZE_LIMIT + 1).decode()
        if unfit := _unfit(source):
            report.add(*unfit)
            return None
        return Table(tomllib.loads(source), report, lines_of(source))
    except (OSError, UnicodeDecodeError) as error:
        report.add(1, f"cannot be read: {error}")
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        report.add(int(place[1]) if place else source.count("\n") + 1, f"not TOML: {error}")
    except RecursionError:
        report.add(1, "is nested too deeply")
    return None


def _unfit(source: str) -> tuple[int, str] | None:
    if len(source) > SIZE_LIMIT:
        return 1, f"is longer than {SIZE_LIMIT:,} bytes"
    long = (number for number, line in enumerate(source.split("\n"), start=1) if len(line) > LINE_LIMIT)
    return next(((number, f"a line of more than {LINE_LIMIT:,} characters") for number in long), None)


def _campaign(folder: Path, table: Table) -> tuple[Campaign, list[Report]]:
    from journey.compose import load_templates  # noqa: PLC0415 - who only reads the model needs no MJML

    table.allow_only("name", "from", "reply_to", "on_resume", "constants", "segments", "variables", "sequences")
    variables, segments = _variables(table), _segments(table)
    constants = _constants(table, {"segment", *SUPPLIED, *variables})
    templates, reports = load_templates(folder / "templates", _supply(constants, variables, segments))
    written = {file.stem for file in (folder / "templates").glob("[!_]*.mjml")}
    sequences = read_sequences(table, tuple(segment.name for segment in segments), written)
    campaign = Campaign(
        id=folder.name,
        name=table.text("name"),
        sender=_address(table, "from"),
        reply_to=_address(table, "reply_to"),
        constants=constants,
        segments=segments,
        sequences=sequences,
        variables=variables,
        templates=templates,
        on_resume=_late(table),
    )
    return campaign, reports


def _late(table: Table) -> Late:
    text = table.text("on_resume", "shift")
    if text and text not in get_args(Late):
        table.refuse("on_resume", f"'on_resume' must be one of {', '.join(get_args(Late))}, not {text!r}")
    return next((each for each in get_args(Late) if each == text), "shift")


def template_from(campaign: Campaign, name: str, sources: Sources) -> Template | tuple[str, ...]:
    """A template of this campaign from other sources than its file; or why it cannot be, passing the same checks."""
    from journey.compose import make_template  # noqa: PLC0415

    layout = next(iter(campaign.templates.values())).layout
    return make_template(name, sources, layout, _supply(campaign.constants, campaign.variables, campaign.segments))


def _supply(constants: Mapping[str, str], variables: Mapping[str, Variable], segments: tuple[Segment, ...]) -> "Supply":
    from journey.compose import Supply  # noqa: PLC0415

    links = frozenset(each.name for each in variables.values() if each.format == "url")
    return Supply(_samples(constants, variables, segments), constants, links)


def _address(table: Table, key: str) -> str:
    """`ada@example.com` or `Ada <ada@example.com>`."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - only loading needs it

    text = table.text(key)
    try:
        if text:
            validate_email(text, allow_display_name=True, check_deliverability=False)
    except EmailNotValidError as error:
        table.refuse(key, f"{key!r} is not an address: {error}")
    return text


def _constants(table: Table, variables: set[str]) -> dict[str, str]:
    constants = table.table("constants")
    taken = {*variables, *(f"has_{name}" for name in variables)}
    for name in constants.data:
        if name in taken:
            constants.refuse(name, f"constant {name!r} is the name of a variable")
        elif not _NAME.fullmatch(name):
            constants.refuse(name, f"constant {name!r} is not a name templates can use: a-z, 0-9 and '_'")
    return {name: constants.text(name) for name in constants.data}


def _variables(table: Table) -> dict[str, Variable]:
    """What we supply, and what a campaign expects by itself: values of its triggers, unknown fields of its form."""
    variables = table.table("variables")
    taken = {"segment", *(f"has_{name}" for name in variables.data)}
    for name in variables.data:
        if name in taken:
            variables.refuse(name, f"variable {name}: is a name that is there already")
        elif not _NAME.fullmatch(name):
            variables.refuse(name, f"variable {name!r} is not a name templates can use: a-z, 0-9 and '_'")
    return {name: _variable(variables.table(name), name) for name in variables.data}


def _variable(table: Table, name: str) -> Variable:
    supplied = SUPPLIED.get(name)
    table.allow_only("format", "fallback")
    formats = _FORMATS[supplied.format] if supplied else _OWN
    format_ = next((each for each in formats if each == table.data.get("format", formats[0])), None)
    if format_ is None:
        table.refuse("format", f"variable {name}: 'format' must be one of {', '.join(formats)}")
    fallback = table.text("fallback") if "fallback" in table.data else None
    if fallback is None and (supplied is None or supplied.optional):
        table.refuse(None, f"variable {name}: {_unsupplied(name)}may be missing and needs a 'fallback'")
    if format_ == "url" and fallback and url(fallback) is None:
        table.refuse("fallback", f"variable {name}: 'fallback' must be an https URL")
    return Variable(name, format_ or formats[0], fallback)


def _unsupplied(name: str) -> str:
    """For a name that is not ours: it may be a typo, or the campaign's own."""
    close = get_close_matches(name, SUPPLIED, n=1)
    hint = f"did you mean {close[0]!r}? One of your own " if close else "one of your own "
    return "" if name in SUPPLIED else hint


def _segments(table: Table) -> tuple[Segment, ...]:
    tables = table.tables("segments")
    if not tables:
        return (Segment("ALL"),)
    segments = tuple(_segment(each, last=each is tables[-1]) for each in tables)
    refuse_twice(tables, [segment.name for segment in segments], "name", "segment")
    return segments


def _segment(table: Table, *, last: bool) -> Segment:
    table.allow_only("name", "when")
    name = table.text("name")
    if name and not TOKEN.fullmatch(name):
        table.refuse("name", f"segment {name!r} is no name: letters, digits, '-' and '_' only")
    if last and "when" in table.data:
        table.refuse("when", f"segment {name}: the last segment takes everybody else, so it has no 'when'")
    if last:
        return Segment(name)
    when = table.text("when")
    for reason in check_condition(when, _ABOUT_A_PERSON) if when else ():
        table.refuse("when", f"segment {name}: {reason}")
    return Segment(name, when)


def _samples(
    constants: Mapping[str, str], variables: Mapping[str, Variable], segments: tuple[Segment, ...]
) -> tuple[dict[str, Shown], ...]:
    """The variables of somebody with every value, with the longest values and with none, in each segment."""
    everything, longest = ({each.name: of[each.format] for each in variables.values()} for of in (_FULL, _LONGEST))
    samples = []
    for segment in segments:
        for values in (everything, longest, {}):
            shown = {name: value for each in variables.values() for name, value in each.shown(values).items()}
            samples.append({**constants, "segment": segment.name, **shown})
    return tuple(samples)
