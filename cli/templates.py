"""`dripstream templates`: the campaigns' templates to and from the database Email Templates in Notion."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.text import Text

from cli.operate import print_json
from cli.output import output
from cli.template_pairs import Name, Pair, Place, paired, properties_of
from cli.template_rows import Rows, rows_of
from journey.campaign import Campaign, load_campaigns
from journey.front_matter import written
from journey.templates import Template
from journey.variables import printable
from services.notion_sync.template_rows import TEXT, plain
from services.notion_sync.values import Value
from services.settings import Settings

FILES: Place = "file"
NOTION: Place = "Notion"
DRAFT = "its Status in Notion is not Published"
AGAIN = "a row has turned up meanwhile: run it again"
COLOURS = {"as it is": "dim", "draft": "yellow", "left": "yellow", "refused": "red"}


@dataclass
class Told:
    """A line for each template, as it is done."""

    as_json: bool
    console: Console = field(default_factory=output)
    trouble: bool = False

    def say(self, name: Name, state: str, *reasons: str, diff: list[str] | None = None) -> None:
        self.trouble |= state in {"left", "refused"}
        label = f"{name[0]}/{name[1]}"
        if self.as_json:
            print_json({"template": label, "state": state, "reasons": list(reasons), "diff": diff or []})
            return
        self.line(f"{label}: {state}", COLOURS.get(state, "green"))
        for reason in reasons:
            self.line(f"  {reason}", "red" if state == "refused" else "default")
        self.show(diff or [])

    def show(self, diff: list[str]) -> None:
        for line in diff if not self.as_json else ():
            self.line(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "default"))

    def line(self, text: str, style: str) -> None:
        self.console.print(Text(printable(text), style), soft_wrap=True)


async def push(settings: Settings, campaign: str | None, *, force: bool, dry_run: bool, as_json: bool) -> int:
    """Exit code 1 where something was left. Errors: ValueError, CampaignError."""
    campaigns, told = chosen(settings, campaign), Told(as_json)
    wanted = properties_of(campaigns)
    async with rows_of(settings) as rows:
        pairs = [pair for pair in paired(campaigns, await rows.all()) if pair.file]
        may = dry_run or force or _agreed([each for each in pairs if each.row and each.differs], NOTION, told)
        for pair in pairs:
            await _push(pair, wanted[pair.name], rows, told, may=may, dry_run=dry_run)
    return int(told.trouble)


async def _push(pair: Pair, wanted: Mapping[str, Value], rows: Rows, told: Told, *, may: bool, dry_run: bool) -> None:
    """One row: made, overwritten, or left as it is."""
    if pair.doubled:
        told.say(pair.name, "refused", *pair.reasons)
    elif pair.row is None:
        if dry_run:
            told.say(pair.name, "would be created")
        elif await _create(pair.name, wanted, rows):
            told.say(pair.name, "created")
        else:
            told.say(pair.name, "left", AGAIN)
    elif not pair.differs:
        if not dry_run and pair.row.text_cell != plain(wanted[TEXT]):  # a preview of what was there before
            await rows.update(pair.row.page_id, {TEXT: wanted[TEXT]})
        told.say(pair.name, "as it is", *([DRAFT] if pair.is_draft else []))
    elif dry_run:
        told.say(pair.name, "would be overwritten in Notion", diff=pair.diff(to=NOTION))
    elif may:
        await rows.update(pair.row.page_id, wanted)
        told.say(pair.name, "overwritten in Notion", *([DRAFT] if pair.is_draft else []))
    else:
        told.say(pair.name, "left", "it differs in Notion; --force overwrites it there")


async def _create(name: Name, wanted: Mapping[str, Value], rows: Rows) -> bool:
    """False where the row has turned up meanwhile: a create cannot be taken back by repeating it."""
    if await rows.named(name):
        return False
    await rows.create(wanted)
    return True


async def pull(settings: Settings, campaign: str | None, *, force: bool, dry_run: bool, as_json: bool) -> int:
    """Exit code 1 where something was left or refused. Errors: ValueError, CampaignError."""
    campaigns, told = chosen(settings, campaign), Told(as_json)
    async with rows_of(settings) as rows:
        found = await rows.all()
    pairs = [pair for pair in paired(campaigns, found, every=campaign is None) if pair.row]
    may = dry_run or force or _agreed([each for each in pairs if each.file and each.is_wanted], FILES, told)
    for pair in pairs:
        _pull(pair, settings.campaigns_dir, told, may=may, dry_run=dry_run)
    return int(told.trouble)


def _pull(pair: Pair, folder: Path, told: Told, *, may: bool, dry_run: bool) -> None:
    if pair.is_draft:
        told.say(pair.name, "draft", DRAFT)
    elif pair.reasons:
        told.say(pair.name, "refused", *pair.reasons)
    elif not pair.is_wanted:
        told.say(pair.name, "as it is")
    elif dry_run:
        told.say(pair.name, "would be overwritten" if pair.file else "would be created", diff=pair.diff(to=FILES))
    elif pair.published and (may or pair.file is None):
        write(folder / pair.name[0] / "templates", pair.published)
        told.say(pair.name, "overwritten" if pair.file else "created")
    else:
        told.say(pair.name, "left", "it differs here; --force overwrites the file")


async def diff(settings: Settings, campaign: str | None, *, as_json: bool) -> int:
    """Exit code 1 where something differs. Errors: ValueError, CampaignError."""
    campaigns, told = chosen(settings, campaign), Told(as_json)
    async with rows_of(settings) as rows:
        found = await rows.all()
    pairs = paired(campaigns, found, every=campaign is None)
    for pair in pairs:
        state = "differs" if pair.file and pair.row else "only in Notion" if pair.row else "only in files"
        told.say(pair.name, state if pair.differs else "as it is", *pair.reasons, diff=pair.diff(to=FILES))
    return int(any(pair.differs for pair in pairs))


def chosen(settings: Settings, campaign: str | None) -> dict[str, Campaign]:
    """Errors: CampaignError; ValueError, naming the campaigns there are."""
    campaigns = load_campaigns(settings.campaigns_dir)
    if campaign is None:
        return campaigns
    if campaign not in campaigns:
        raise ValueError(f"there is no campaign {campaign}; there are: {', '.join(sorted(campaigns))}")
    return {campaign: campaigns[campaign]}


def _agreed(differing: list[Pair], side: Place, told: Told) -> bool:
    """Asked once for all of them, after showing what would be lost."""
    if not differing or told.as_json:
        return False
    for pair in differing:
        told.show(pair.diff(to=side))
    question = f"Overwrite {len(differing)} template(s) {'in Notion' if side == NOTION else 'in the files'}?"
    return sys.stdin.isatty() and click.confirm(question)


def write(folder: Path, template: Template) -> None:
    """Each file at once or not at all."""
    _replace(folder / f"{template.name}.mjml", written(template.sources))
    text_part = folder / f"{template.name}.txt"
    if template.sources.text:
        _replace(text_part, template.sources.text)
    else:
        text_part.unlink(missing_ok=True)


def _replace(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_bytes(text.encode())
    fresh.replace(file)
