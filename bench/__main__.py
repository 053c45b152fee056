"""`python -m bench`: every measurement, at both fsync settings, with its target and its limit."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec
import rich_click as click
import structlog
from rich.console import Console

from bench import burst, ingest, memory, million, notion, schedule
from bench.figures import Figure, Fsync, Setting, merged
from bench.machine import Others, idle_share, machine
from bench.report import as_json, show
from cli.command import loop_factory

Measure = Callable[[Setting], Awaitable[list[Figure]]]

MEASUREMENTS: Mapping[str, Measure] = {
    "schedule": schedule.measure,
    "ingest": ingest.measure,
    "burst": burst.measure,
    "memory": memory.measure,
    "million": million.measure,
    "notion": notion.measure,
}
CORES = 2
NOISY = 0.1
"""Above this share of the cores for other programs, the figures are not ours alone."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="Only this; may be repeated.")
@click.option("--fsync", type=click.Choice(["default", "always"]), help="Only at this setting. [default: both]")
@click.option("--quick", is_flag=True, help="A tenth of the sizes, to try it out; the figures mean little.")
@click.option("--runs", type=click.IntRange(min=1), default=1, help="So many times; medians with lowest and highest.")
@click.option("--json", "json_lines", is_flag=True, help="One JSON document per line, for programs.")
@click.option("--strict", is_flag=True, help="Exit code 1 when a target is missed.")
def bench(
    *, only: tuple[str, ...], fsync: Fsync | None, quick: bool, runs: int, json_lines: bool, strict: bool
) -> None:
    """Measure Dripstream on this machine, against the limit of the same work.

    Uses two cores, and for every measurement a broker of its own in a temporary folder.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # disconnects are wanted
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    settings = [Setting(each, quick) for each in ((fsync,) if fsync else ("default", "always"))]
    work = [(name, setting) for _ in range(runs) for setting in settings for name in only or MEASUREMENTS]
    figures: list[Figure] = []
    interrupted = False
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        found = runner.run(machine())
        try:
            runner.run(_measure_all(work, figures))
        except (KeyboardInterrupt, asyncio.CancelledError):  # what was measured so far is shown
            interrupted = True
    figures = merged(figures)
    if json_lines:
        click.echo("\n".join(as_json(found, figures)))
    else:
        show(found, figures, Console())
    if interrupted:
        sys.exit(130)
    sys.exit(1 if strict and any(figure.is_met is False for figure in figures) else 0)


async def _measure_all(work: Iterable[tuple[str, Setting]], figures: list[Figure]) -> None:
    """One after the other. SIGTERM ends what runs, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for name, setting in work:
        idle = await idle_share()
        click.echo(f"{name}, {setting.fsync} fsync (idle before: {idle:.0%}) … ", err=True, nl=False)
        others, start = Others(), time.monotonic()
        measured = await MEASUREMENTS[name](setting)
        share = others.share()
        noisy = ", noisy: repeat it" if share > NOISY else ""
        click.echo(f"{time.monotonic() - start:.0f} s (others took {share:.0%}{noisy})", err=True)
        figures += [msgspec.structs.replace(figure, others=share) for figure in measured]


if __name__ == "__main__":
    bench()
