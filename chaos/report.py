"""What a run came to: a table for people, JSON for programs, a section for docs/reliability.md."""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.machine import Machine
from chaos.plan import by_kind
from chaos.run import Run

FINDINGS = ("doubled", "lost", "early", "wrong")
SHOWN, WIDTH = 40, 118


def figures(run: Run) -> dict[str, int]:
    """In the order in which they are shown."""
    verdict = run.verdict
    states = {name: verdict.states[name] for name in ("sent", "skipped", "failed", "unknown", "pending")}
    return {
        "webhooks accepted": verdict.accepted,
        "facts accepted": verdict.facts,
        "emails planned": verdict.planned,
        **states,
        **{name: verdict.count(name) for name in FINDINGS},
        "Notion rows right": verdict.rows.right,
        "Notion rows wrong": verdict.rows.wrong,
        "Notion rows doubled": verdict.rows.doubled,
        "parked": verdict.parked,
        "faults": len(run.faults),
    }


def show(run: Run, console: Console) -> None:
    table = Table(title=f"seed {run.options.seed}", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in figures(run).items():
        style = "red" if value and name in FINDINGS else None
        table.add_row(name, f"{value:,}", style=style)
    console.print(table)
    console.print(_kinds(run))
    for line in _troubles(run):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def as_json(run: Run) -> str:
    found = [vars(finding) for finding in run.verdict.findings]
    about = {"seed": run.options.seed, "clean": run.is_clean, "unfinished": run.unfinished, "notes": run.notes}
    return json.dumps({**about, "figures": figures(run), "faults": by_kind(run.faults), "findings": found})


def write(run: Run, command: str, machine: Machine, page: Path) -> None:
    """One section per command and seed; the same run again takes the place of the last one."""
    title = f"### {'Cluster of three' if run.options.nodes > 1 else 'One broker'}, seed {run.options.seed}"
    section = "\n".join([title, "", *_section(run, command, machine)]) + "\n"
    text = page.read_text() if page.exists() else "# Reliability\n"
    old = re.search(rf"^{re.escape(title)}\n.*?(?=^#|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    new = text[: old.start()] + section + "\n" + text[old.end() :] if old else f"{text.rstrip()}\n\n{section}"
    page.write_text(new.rstrip() + "\n")


def _section(run: Run, command: str, machine: Machine) -> Iterator[str]:
    yield f"`{command}`"
    yield ""
    yield _wrapped(
        f"{run.took_s / 60:.0f} minutes, of which {run.rested_s:.0f} s to come to rest after the faults. "
        f"{machine.cores} cores, {machine.memory_gb} GB, {machine.system}, Python {machine.python}, "
        f"nats-server {machine.nats_server}."
    )
    yield from ("", "| | |", "| --- | ---: |")
    yield from (f"| {name} | {value:,} |" for name, value in figures(run).items())
    yield from ("", _wrapped(f"Faults: {_kinds(run)}."))
    if run.notes:
        noted = Counter(note.partition(":")[0] for note in run.notes)
        yield from ("", _wrapped("Noted: " + "; ".join(f"{count} × {note}" for note, count in noted.items()) + "."))


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def _kinds(run: Run) -> str:
    return ", ".join(f"{count} × {kind}" for kind, count in by_kind(run.faults).most_common())


def _troubles(run: Run) -> Iterator[str]:
    if run.unfinished:
        yield f"did not come to rest within {run.options.rest_s:.0f} s; left to do: {run.unfinished}"
    yield from (f"{each.kind}: {each.about}: {each.known}" for each in run.verdict.findings[:SHOWN])
    if len(run.verdict.findings) > SHOWN:
        yield f"and {len(run.verdict.findings) - SHOWN} more"
