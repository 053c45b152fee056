"""`python -m chaos`: break everything, at random and repeatably, and count what was lost or doubled."""

import asyncio
import logging
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import rich_click as click
import structlog
from rich.console import Console

from bench.machine import machine
from chaos import run
from chaos.plan import KINDS
from chaos.report import as_json, show, write
from chaos.run import NODES, Options


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=int, help="The same seed and options: the same people and faults. [default: drawn]")
@click.option("--people", type=click.IntRange(min=1), help="How many sign up or book. [default: 300]")
@click.option("--faults", type=click.IntRange(min=0), help="How many faults. [default: 300]")
@click.option("--minutes", type=click.FloatRange(min=0.1), help="Over how long they are spread. [default: 15]")
@click.option("--nodes", type=click.Choice(["1", str(NODES)]), default="1", help="Brokers; 3 are a cluster.")
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Only faults of this kind; may be repeated.")
@click.option("--short", is_flag=True, help="A few people and faults, in about a minute.")
@click.option("--plan", "only_plan", is_flag=True, help="Print the faults, and run nothing.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs, plan and evidence. Kept anyway on failure.")
@click.option("--json", "json_lines", is_flag=True, help="The result as one JSON document.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the result into this page.")
def chaos(
    *, seed: int | None, nodes: str, short: bool, only_plan: bool, keep: bool, json_lines: bool, report: Path | None,
    **given: Any,
) -> None:  # fmt: skip
    """Run the product as real processes and break them, their connections, their disk and their providers.

    Then an auditor that shares no code with them reads what is left. Exit code 1 unless nothing was lost, doubled,
    early or wrong.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # its connections are cut on purpose
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    size: dict[str, Any] = {name: value for name, value in given.items() if value not in {None, ()}}
    options = replace(run.short(seed) if short else run.long(seed), nodes=int(nodes), **size)
    if only_plan:
        click.echo("\n".join(map(str, run.planned(options, disk=options.has_disk))))
        return
    sys.exit(_run(options, keep=keep, json_lines=json_lines, report=report))


def _run(options: Options, *, keep: bool, json_lines: bool, report: Path | None) -> int:
    folder, began = Path(tempfile.mkdtemp(prefix="dripstream-chaos-")), time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f}  {text}", err=True)

    say(f"seed {options.seed}, in {folder}")
    kept = True
    try:
        with asyncio.Runner() as runner:
            done = runner.run(_until_told(run.run(options, folder, say)))
        kept = keep or not done.is_clean
    finally:
        if kept:
            say(f"seed {options.seed}; logs, plan and evidence are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if report:
        write(done, _command(seed=options.seed), asyncio.run(machine()), report)
    if json_lines:
        click.echo(as_json(done))
    else:
        show(done, Console())
    return 0 if done.is_clean else 1


async def _until_told(work: Coroutine[Any, Any, run.Run]) -> run.Run:
    """SIGTERM ends it as Ctrl-C does: with everything that runs."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _command(seed: int) -> str:
    """What to type to have it again."""
    given = sys.argv[1:]
    return f'make chaos ARGS="{shlex.join(given if "--seed" in given else ["--seed", str(seed), *given])}"'


if __name__ == "__main__":
    chaos()
