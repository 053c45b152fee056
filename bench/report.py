"""Figures for people (a table) and for programs (one JSON document per line)."""

from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import SYNC_INTERVAL, Figure
from bench.machine import Machine


def as_json(machine: Machine, figures: Iterable[Figure]) -> Iterable[str]:
    yield msgspec.json.encode({"machine": machine}).decode()
    for figure in figures:
        fields = {
            **msgspec.structs.asdict(figure),
            "sync_interval": SYNC_INTERVAL[figure.fsync],
            "ratio": figure.ratio,
            "is_met": figure.is_met,
        }
        yield msgspec.json.encode(fields).decode()


def show(machine: Machine, figures: list[Figure], console: Console) -> None:
    console.print(title(machine))
    for fsync, interval in SYNC_INTERVAL.items():
        if mine := [figure for figure in figures if figure.fsync == fsync]:
            console.print(_table(f"{fsync} fsync (sync_interval: {interval})", mine))


def title(machine: Machine) -> str:
    return (
        f"{machine.cores} cores ({machine.cpu}, {machine.system}), {machine.memory_gb} GB; Python {machine.python}, "
        f"nats-server {machine.nats_server}, nats-py {machine.nats_py}; one broker, everything on these cores"
    )


def _table(name: str, figures: Iterable[Figure]) -> Table:
    table = Table(title=name, title_justify="left")
    for heading in ("figure", "value", "target", "", "limit of the same work", "value/limit", "others", "setting"):
        table.add_column(heading, overflow="fold")
    for figure in figures:
        table.add_row(
            figure.name,
            _value(figure),
            _target(figure),
            _mark(figure),
            _limit(figure),
            _ratio(figure),
            f"{figure.others:.0%}",
            figure.detail,
        )
    return table


def _value(figure: Figure) -> str:
    text = f"{number(figure.value)} {figure.unit}"
    if figure.runs > 1 and figure.lowest is not None and figure.highest is not None:
        text += f" ({number(figure.lowest)}..{number(figure.highest)}, {figure.runs} runs)"
    return text


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≤' if figure.at_most else '≥'} {number(figure.target)}"


def _mark(figure: Figure) -> str:
    return {True: "[green]✓[/]", False: "[red]✗[/]", None: ""}[figure.is_met]


def _limit(figure: Figure) -> str:
    return f"{number(figure.limit)} {figure.unit}: {figure.limit_is}" if figure.limit else ""


def _ratio(figure: Figure) -> str:
    return f"{figure.ratio:.2f}" if figure.ratio is not None else ""


def number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
