"""How far a long reading is, on standard error: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

EVERY_S = 10.0


class Progress:
    """Hears `told(done, of)`; gone without a trace at the end."""

    def __init__(self, what: str) -> None:
        self._what, self._said_at = what, time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True) if sys.stderr.isatty() else None
        self._task = self._bar.add_task(what, total=None) if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def told(self, done: int, of: int) -> None:
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=done, total=of)
        elif time.monotonic() - self._said_at >= EVERY_S:
            self._said_at = time.monotonic()
            print(f"{self._what}: {done} of {of}", file=sys.stderr, flush=True)
