"""How a rebuild looks: a bar on a terminal, a line every ten seconds elsewhere, a row's difference, the numbers."""

import sys
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from services.notion_sync.cells import Bare
from services.notion_sync.compare import Changes, Finding
from services.notion_sync.schema import Database
from services.notion_sync.survey import Progress

EVERY_S = 10.0
CELL = 60
WORDS = {
    "right": "right",
    "differs": "differs",
    "missing": "missing: to be created",
    "trashed": "in the trash",
    "gone": "deleted, or in another database",
    "moving": "being written",
}
COLUMNS = ("right", "differs", "missing", "moving", "hands", "trashed", "gone", "doubled", "foreign")
DONE = ("updated", "created", "refused")


class Watching:
    """Hears how far it is; on standard error. `rate`: calls a second that we allow ourselves."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = self._said = time.monotonic()
        self._doing = ""
        self._bar: Bar | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[of]}"),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("reading rows", total=None, of="")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        if self._bar:
            self._bar.start()

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()

    def told(self, now: Progress) -> None:
        if now.doing != self._doing:
            self._doing, self._began = now.doing, time.monotonic()
        if self._bar:
            self._bar.update(self._task, description=now.doing, completed=now.done, total=now.total, of=self._of(now))
        elif time.monotonic() - self._said >= EVERY_S:
            self._said = time.monotonic()
            total = f" of {now.total:,}" if now.total else ""
            print(f"{now.doing}: {now.done:,}{total}, {self._of(now)}", file=sys.stderr, flush=True)

    def _of(self, now: Progress) -> str:
        """Rate, and what is left of calls and of time."""
        took = time.monotonic() - self._began
        rate = f"{now.done / took:,.1f}/s" if took > 0 else ""
        if now.calls_left is None:
            return rate
        return f"{rate}, {now.calls_left:,} calls left, {duration(now.calls_left / self._rate)} at {self._rate:g}/s"


def duration(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds) % 60} s" if minutes else f"{int(seconds)} s"


def line_of(finding: Finding) -> str:
    """A row's difference: the database, the row's name, each column as it is and as it should be."""
    lines = [f"[bold]{finding.row.database}[/] {escape(finding.name)}: {WORDS[finding.state]}"]
    lines += [f"    {each}" for each in _cells(finding.changes)]
    lines += [f"    {each} [dim](somebody's hand: left to notion-sync)[/]" for each in _cells(finding.hands)]
    lines += [f"    doubled by page {each}" for each in finding.doubles]
    return "\n".join(lines)


def _cells(changes: Changes) -> list[str]:
    return [f"{escape(name)}: {_cell(shown)} → {_cell(wanted)}" for name, (shown, wanted) in changes.items()]


def _cell(value: Bare) -> str:
    if isinstance(value, tuple):
        return escape(" – ".join(each for each in value if each) or "nothing")
    text = "nothing" if value in ("", None) else str(value)
    return escape(text if len(text) <= CELL else f"{text[: CELL - 1]}…")


def summary_of(database: Database, counts: Mapping[str, int], *, done: bool) -> str:
    """What was found in a database, and what was done about it: only what there is to tell."""
    found = _numbers(counts, COLUMNS) or "no rows"
    acted = _numbers(counts, DONE) if done else ""
    return f"{database}: {found}" + (f"; {acted}" if acted else "")


def _numbers(counts: Mapping[str, int], names: Iterable[str]) -> str:
    return ", ".join(f"{counts[each]:,} {each}" for each in names if counts[each])
