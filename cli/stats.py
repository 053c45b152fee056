"""`dripstream stats`: what became of the emails of each campaign, step by step, counted from the facts."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.table import Table

from cli.backends import reach
from cli.everybody import Read, everybody
from cli.operate import print_json
from cli.output import output
from journey.campaign import load_campaigns
from journey.tally import Counts, Fate, Of, count, in_order, merged
from services.settings import Settings

STATES = ("planned", "pending", "held", "sent", "skipped", "failed", "unknown")
ALWAYS = ("planned", "sent", "skipped", "failed", "opened", "clicked")
"""Columns for a narrow terminal; the others where there is something in them."""

WIDE = 130
HAPPENED = ("delivered", "opened", "clicked", "bounced", "complained")


async def stats(settings: Settings, *, campaign: str | None, since: datetime | None, as_json: bool) -> int:
    """Exit code 1 where somebody's facts could not be read.

    Errors: NoBroker, Unavailable, CampaignError; ValueError where nobody knows that campaign.
    """
    campaigns, counts = load_campaigns(settings.campaigns_dir), dict[Of, Counts]()

    def take(found: list[Fate]) -> None:
        nonlocal counts
        wanted = [each for each in found if campaign in {None, each.of.campaign}]
        counts = merged(counts, count(wanted, since.replace(tzinfo=UTC) if since else None))

    async with reach(settings, name="stats") as broker:
        read = await everybody(broker, campaigns, settings.pace, take)
    if campaign and campaign not in {*campaigns, *(of.campaign for of in counts)}:
        raise ValueError(f"no campaign {campaign!r}; there are: {', '.join(sorted(campaigns)) or 'none'}")
    rows = in_order(counts, campaigns)
    total = Counts()
    for _, each in rows:
        total = total.plus(each)
    (_print_lines if as_json else _print_table)(rows, total)
    return left_out(read)


def left_out(read: Read) -> int:
    """Said on standard error, and an exit code: figures that leave somebody out must not look whole."""
    if read.unreadable:
        some = ", ".join(read.unreadable[:3])
        print(f"left out: {len(read.unreadable)} people with facts this version cannot read: {some}", file=sys.stderr)
    return int(bool(read.unreadable))


def _print_lines(rows: list[tuple[Of, Counts]], total: Counts) -> None:
    for of, each in rows:
        print_json({**of._asdict(), **document(each)})
    print_json({"campaign": None, "sequence": None, "step": None, **document(total)})


def document(counts: Counts) -> dict[str, Any]:
    return {"planned": counts.planned, **msgspec.structs.asdict(counts), "rates": counts.rates()}


def _print_table(rows: list[tuple[Of, Counts]], total: Counts) -> None:
    console = output()
    wide = console.width >= WIDE
    shown = [each for each in (*STATES, *HAPPENED) if each in ALWAYS or wide or getattr(total, each)]
    table = Table(box=None, show_footer=True, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True, footer="total")
    for name, cell in zip(shown, _cells(total, shown, rates=True, between="\n"), strict=True):
        table.add_column(name, justify="right", footer=cell)
    before = Of("", "", "")
    for of, each in rows:
        if of.campaign != before.campaign:
            table.add_row(f"[bold]{of.campaign}[/]")
        if of[:2] != before[:2]:
            table.add_row(f" {of.sequence}")
        table.add_row(f"  {of.step}", *_cells(each, shown, rates=wide))
        before = of
    console.print(table)


def _cells(counts: Counts, names: Sequence[str], *, rates: bool, between: str = " ") -> list[str]:
    """With their shares of what was sent or delivered, where there is room for them."""
    shares = counts.rates() if rates else {}
    return [_number(getattr(counts, name), shares.get(name), between) for name in names]


def _number(number: int, rate: float | None, between: str) -> str:
    return "·" if not number else f"{number}{between}{rate:.1%}" if rate is not None else str(number)
