"""Campaigns are data: `campaigns/<id>/campaign.toml` and templates, refused at load if they could fail."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path

from contracts.ids import TOKEN
from journey.liquid_rules import check_condition
from journey.model import Campaign, Segment, Sequence, Step
from journey.problems import CampaignError, Problem, Report
from journey.toml_table import Table, lines_of
from journey.variables import SUPPLIED, Format, Shown, Variable

__all__ = [
    "Campaign",
    "CampaignError",
    "Problem",
    "Segment",
    "Sequence",
    "Step",
    "load_campaign",
    "load_campaigns",
]

TRIGGERS = ("signup",)
DEFAULT_EXPIRY = "72h"
LONGEST_DELAY = timedelta(days=3_650)
_DELAY = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_FULL: dict[str, object] = {name: 2 if what.format == "number" else "text" for name, what in SUPPLIED.items()}


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
        source = file.read_bytes().decode()
        return Table(tomllib.loads(source), report, lines_of(source))
    except (OSError, UnicodeDecodeError) as error:
        report.add(1, f"cannot be read: {error}")
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        report.add(int(place[1]) if place else source.count("\n") + 1, f"not TOML: {error}")
    return None


def _campaign(folder: Path, table: Table) -> tuple[Campaign, list[Report]]:
    from journey.compose import Supply, load_templates  # noqa: PLC0415 - who only reads the model needs no MJML

    table.allow_only("name", "from", "reply_to", "constants", "segments", "variables", "sequences")
    constants, variables, segments = _constants(table), _variables(table), _segments(table)
    samples = _samples(constants, variables, segments)
    templates, reports = load_templates(folder / "templates", Supply(samples, constants))
    written = {file.stem for file in (folder / "templates").glob("[!_]*.mjml")}
    sequences = _sequences(table, tuple(segment.name for segment in segments), written)
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
    )
    return campaign, reports


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


def _constants(table: Table) -> dict[str, str]:
    constants = table.table("constants")
    taken = {"segment", *SUPPLIED, *(f"has_{name}" for name in SUPPLIED)}
    for name in constants.data:
        if name in taken:
            constants.refuse(name, f"constant {name!r} is the name of a variable")
        elif not _NAME.fullmatch(name):
            constants.refuse(name, f"constant {name!r} is not a name templates can use: a-z, 0-9 and '_'")
    return {name: constants.text(name) for name in constants.data}


def _variables(table: Table) -> dict[str, Variable]:
    variables = table.table("variables")
    variables.allow_only(*SUPPLIED)
    return {name: _variable(variables.table(name), name) for name in variables.data if name in SUPPLIED}


def _variable(table: Table, name: str) -> Variable:
    supplied = SUPPLIED[name]
    table.allow_only("format", "fallback")
    formats: tuple[Format, ...] = ("text",) if supplied.format == "text" else ("number", "money")
    format_ = next((each for each in formats if each == table.data.get("format", formats[0])), None)
    if format_ is None:
        table.refuse("format", f"variable {name}: 'format' must be one of {', '.join(formats)}")
    fallback = table.text("fallback") if "fallback" in table.data else None
    if fallback is None and supplied.optional:
        table.refuse(None, f"variable {name}: may be missing and needs a 'fallback'")
    return Variable(name, format_ or supplied.format, fallback)


def _segments(table: Table) -> tuple[Segment, ...]:
    tables = table.tables("segments")
    if not tables:
        return (Segment("ALL"),)
    segments = tuple(_segment(each, last=each is tables[-1]) for each in tables)
    _refuse_twice(tables, [segment.name for segment in segments], "name", "segment")
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
    for reason in check_condition(when, _FULL) if when else ():
        table.refuse("when", f"segment {name}: {reason}")
    return Segment(name, when)


def _sequences(table: Table, segments: tuple[str, ...], templates: set[str]) -> tuple[Sequence, ...]:
    sequences = table.table("sequences")
    if not sequences.data:
        sequences.refuse(None, "no sequence is defined: write [sequences.<id>] and [[sequences.<id>.steps]]")
    return tuple(_sequence(sequences.table(id_), id_, segments, templates) for id_ in sequences.data)


def _sequence(table: Table, id_: str, segments: tuple[str, ...], templates: set[str]) -> Sequence:
    table.allow_only("trigger", "steps")
    if not TOKEN.fullmatch(id_):
        table.refuse(None, f"sequence {id_!r} is no id: letters, digits, '-' and '_' only, at most 64")
    trigger = table.text("trigger")
    if trigger and trigger not in TRIGGERS:
        table.refuse("trigger", f"sequence {id_}: trigger {trigger!r} is unknown; known are {', '.join(TRIGGERS)}")
    tables = table.tables("steps")
    if not tables:
        table.refuse("steps", f"sequence {id_}: has no steps")
    steps = tuple(_step(each, segments, templates) for each in tables)
    _refuse_twice(tables, [step.id for step in steps], "id", "step")
    return Sequence(id_, trigger, steps)


def _refuse_twice(tables: list[Table], names: list[str], key: str, what: str) -> None:
    for number, (table, name) in enumerate(zip(tables, names, strict=True)):
        if name and name in names[:number]:
            table.refuse(key, f"{what} {name}: is there twice")


def _step(table: Table, segments: tuple[str, ...], templates: set[str]) -> Step:
    table.allow_only("id", "after", "testing_after", "expires_after", "template")
    id_ = table.text("id")
    if id_ and not TOKEN.fullmatch(id_):
        table.refuse("id", f"step {id_!r} is no id: letters, digits, '-' and '_' only, at most 64")
    expires_after = _delay(table, id_, "expires_after", DEFAULT_EXPIRY)
    if expires_after == timedelta(0) and "expires_after" in table.data:
        table.refuse("expires_after", f"step {id_}: 'expires_after' must be longer than nothing")
    return Step(
        id=id_,
        after=_delay(table, id_, "after"),
        testing_after=_delay(table, id_, "testing_after"),
        expires_after=expires_after,
        template=_template(table, id_, segments, templates),
    )


def _delay(table: Table, step: str, key: str, default: str | None = None) -> timedelta:
    text = table.text(key, default)
    match = _DELAY.fullmatch(text)
    delay = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta(0)
    if (text and not match) or delay > LONGEST_DELAY:
        table.refuse(key, f"step {step}: {key!r} must be a delay such as '90s', '5m', '24h' or '3d', not {text!r}")
    return delay


def _template(table: Table, step: str, segments: tuple[str, ...], templates: set[str]) -> str | dict[str, str]:
    """One name, or a table that names one for every segment."""
    if not isinstance(table.data.get("template"), dict):
        return _existing(table, "template", step, templates)
    variants = table.table("template")
    for name in variants.data.keys() - set(segments):
        variants.refuse(name, f"step {step}: there is no segment {name!r}; there are {', '.join(segments)}")
    for name in set(segments) - variants.data.keys():
        table.refuse("template", f"step {step}: no template for segment {name}")
    return {name: _existing(variants, name, step, templates) for name in variants.data}


def _existing(table: Table, key: str, step: str, templates: set[str]) -> str:
    name = table.text(key)
    if name and name not in templates:
        table.refuse(key, f"step {step}: template {name!r} does not exist")
    return name


def _samples(
    constants: dict[str, str], variables: dict[str, Variable], segments: tuple[Segment, ...]
) -> tuple[dict[str, Shown], ...]:
    """The variables of somebody with every value and of somebody with none, in each segment."""
    samples = []
    for segment in segments:
        for values in (_FULL, {}):
            shown = {name: value for each in variables.values() for name, value in each.shown(values).items()}
            samples.append({**constants, "segment": segment.name, **shown})
    return tuple(samples)
