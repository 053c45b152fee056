"""`dripstream tail` and `export`: every fact, live or to a file."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal, TextIO

import rich_click as click

from cli.backends import reach
from cli.facts import COLUMNS, Wanted, csv_line, json_line, line, read, row, whose
from cli.progress import Progress
from cli.runtime import stop_on_signal
from contracts import subjects
from contracts.codec import Undecodable
from contracts.operations import OPERATIONS
from eventlog.connection import Broker, Unavailable
from eventlog.direct import DirectReader, StoredMessage
from eventlog.index import info
from eventlog.log import EventLog
from journey.contact import fold
from services.settings import Settings

POLL_S = 0.5
KNOWN = 10_000
INTERRUPTED = 130
Format = Literal["jsonl", "csv"]


async def tail(settings: Settings, what: Wanted, person: str | None, *, addresses: bool, as_json: bool) -> None:
    """Until it is told to stop. Errors: NoBroker, Cannot; Unavailable, before the first fact."""
    with stop_on_signal() as stop, quiet_pipe():
        async with reach(settings, name="tail") as broker:
            what = await _of(what, person, broker)
            names = Addresses(EventLog(broker)) if addresses else None
            async for message in follow(broker, what, stop):
                if as_json:
                    text = json_line(message)
                else:
                    text = line(message, await names.of(message) if names else None) + "\n"
                sys.stdout.write(text)
                sys.stdout.flush()


async def follow(broker: Broker, what: Wanted, stop: asyncio.Event) -> AsyncIterator[StoredMessage]:
    """Every fact from now on, or from `since`, in the order stored, each once, across restarts of the broker.

    It reads from a sequence on, so what came while nobody answered is not missed, and no consumer is left behind.
    Errors: Unavailable, at first.
    """
    reader = DirectReader(broker)
    start = what.since or (await info(broker, subjects.EVENTS)).state.last_seq + 1
    away = False
    while not stop.is_set():
        try:
            async for page in reader.pages(subjects.EVENTS, subjects.ALL_FACTS, start):
                for message in page:
                    if stop.is_set():
                        return
                    start = message.sequence + 1
                    if message in what:
                        yield message
            away = False
        except Unavailable:
            if not away:
                click.echo("the broker does not answer; waiting for it", err=True)
            away = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await stop.wait()


class Addresses:
    """Who a contact is, asked once. None where nobody can say: what is watched goes on all the same."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._known: dict[str, str] = {}

    async def of(self, message: StoredMessage) -> str | None:
        contact = subjects.contact_of(message.subject)
        if contact == OPERATIONS:
            return None
        if contact not in self._known:
            try:
                found = fold(contact, await self._events.history(contact)).address
            except (Unavailable, Undecodable):
                return None
            if found is None:
                return None
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[contact] = found
        return self._known[contact]


class Interrupted(Exception):
    """Somebody stopped it."""


async def export(settings: Settings, what: Wanted, person: str | None, *, form: Format, to: Path | None) -> int:
    """What there is as it begins; exit code 130 where it was interrupted.

    Errors: NoBroker, Unavailable, Cannot; OSError. A file is there as a whole, or as it was before.
    """
    count = 0
    try:
        with stop_on_signal() as stop, quiet_pipe():
            async with reach(settings, name="export") as broker:
                what = await _of(what, person, broker)
                with written(to) as out, Progress("facts") as progress:
                    if form == "csv":
                        out.write(csv_line(COLUMNS))
                    async for message, last in _until_now(broker, what, stop):
                        out.write(csv_line(row(message)) if form == "csv" else json_line(message))
                        count += 1
                        progress.told(message.sequence, last)
    except Interrupted:
        left = f"{to} is as it was" if to else "what was printed is not all"
        click.echo(f"interrupted after {count} facts: {left}", err=True)
        return INTERRUPTED
    if to:
        click.echo(f"{count} facts in {to}", err=True)
    return 0


async def _until_now(broker: Broker, what: Wanted, stop: asyncio.Event) -> AsyncIterator[tuple[StoredMessage, int]]:
    """With the sequence of the last there is: an export of a log that grows comes to an end. Errors: Interrupted."""
    last = (await info(broker, subjects.EVENTS)).state.last_seq
    async for message in read(DirectReader(broker), what):
        if stop.is_set():
            raise Interrupted
        if message.sequence > last:
            return
        yield message, last


async def _of(what: Wanted, person: str | None, broker: Broker) -> Wanted:
    known = await EventLog(broker).contacts() if person and "@" not in person else []
    return Wanted(whose(person, known), what.types, what.since, what.until)


@contextlib.contextmanager
def written(to: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that is put in place at the end; only its owner can read it: it holds addresses."""
    if to is None:
        yield sys.stdout
        return
    handle, name = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(to)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def quiet_pipe() -> Iterator[None]:
    """Who reads has had enough: `| head`."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
