"""`dripstream demo`: the whole product in half a minute, on this machine alone."""

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live

from cli.backends import describe
from cli.demo_script import PEOPLE, calls
from cli.demo_view import Board, not_sent, sent_table
from cli.output import output
from cli.runtime import Running, running, stop_on_signal
from cli.up import locked
from contracts import subjects
from eventlog.server import free_port
from services.logs import configure
from services.settings import Settings

SPEEDUP = 20
"""A testing minute, itself a production day or two, passes in three seconds."""

PATIENCE_S = 150


async def demo(settings: Settings, *, keep: bool, fresh: bool) -> int:
    """Exit code 0 when every email was sent and every row written. Errors: as `runtime.running`."""
    console = output()
    folder = settings.data_dir / "demo"
    with locked(folder), stop_on_signal() as stop:
        resumed = _prepare(folder, fresh=fresh)
        settings = _demo_settings(settings, folder)
        configure("console", file=folder / "dripstream.log")
        if resumed:
            console.print("[yellow]Taking up the demo that was interrupted.[/] `--fresh` starts over.")
        async with running(settings, stop) as all_:
            _introduce(console, settings, all_)
            complete = await _watch(console, all_, _people(settings, folder), folder, stop)
            if complete:
                (folder / "finished").touch()
            if keep and not stop.is_set():
                _say_what_runs(console, all_)
                await stop.wait()
    return 0 if complete else 1


def _prepare(folder: Path, *, fresh: bool) -> bool:
    """Whether there is an interrupted demo to finish; the state of a finished one is dropped."""
    unfinished = (folder / "run").exists() and not (folder / "finished").exists()
    if unfinished and not fresh:
        return True
    for each in folder.iterdir():
        if each.name != "lock":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    (folder / "run").write_text(os.urandom(3).hex())
    return False


def _run(folder: Path) -> str:
    """The id of this demo: an interrupted one goes on with it."""
    return (folder / "run").read_text()


def began(folder: Path, now: datetime) -> datetime:
    """When the calls were booked, to the second: now, unless it was before an interruption."""
    note = folder / "began"
    said = note.read_text() if note.exists() else ""  # empty: interrupted while it was written
    if not said:
        said = now.replace(microsecond=0).isoformat()
        note.write_text(said)
    return datetime.fromisoformat(said)


def _demo_settings(settings: Settings, folder: Path) -> Settings:
    """Compressed time, and never a real provider: the people of the demo are made up."""
    return settings.model_copy(
        update={
            "data_dir": folder,
            "testing_mode": True,
            "speedup": SPEEDUP,
            "port": _port(settings.port),
            "sandbox_port": _port(settings.sandbox_port),
            "host": "127.0.0.1",
            "signup_webhook_secret": None,
            "calcom_webhook_secret": None,
            "resend_webhook_secret": None,
            "notify_webhook_url": None,
            "resend_api_key": None,
            "resend_api_url": None,
            "notion_token": None,
            "notion_api_url": None,
            "notion_email_sequence_db_id": None,
            "notion_businessx_db_id": None,
        }
    )


def _port(wanted: int) -> int:
    """The usual one, or another where that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted


def _people(settings: Settings, folder: Path) -> list[dict[str, Any]]:
    """On a server of one's own, people nobody signed up before: their facts are kept there for ever."""
    if not settings.nats_url:
        return list(PEOPLE)
    run = _run(folder)
    return [person | {"email": person["email"].replace("@", f"+{run}@")} for person in PEOPLE]


def _introduce(console: Console, settings: Settings, all_: Running) -> None:
    for backend in describe(settings, nats=all_.nats, sandbox_url=all_.sandbox):
        console.print(str(backend), highlight=False)
    console.print(f"\nMailbox and Notion tables: [link={all_.sandbox}]{all_.sandbox}[/link]\n", highlight=False)


async def _watch(
    console: Console, all_: Running, people: list[dict[str, Any]], folder: Path, stop: asyncio.Event
) -> bool:
    """Sign everybody up and show what happens, until all of it has happened."""
    board = Board(all_.campaigns, all_.settings.pace, people)
    await all_.broker.nc.subscribe(subjects.ALL_FACTS, cb=board.receive)
    with _shown(console, board):
        await _sign_up(all_, people, board)
        booking = asyncio.create_task(_book(all_, [each["email"] for each in people], folder))
        complete = await _until_complete(all_, board, booking, stop)
    await board.catch_up(all_.broker)
    console.print(sent_table(board))
    console.print(not_sent(board), highlight=False)
    if complete:
        calls = board.sent - board.nurtured
        console.print(
            f"[bold green]{board.nurtured} nurture emails and {calls} around calls sent, each exactly once.[/]"
        )
        console.print(f"[bold green]{board.rows} Notion rows right.[/]")
    elif not stop.is_set():
        log_file = all_.settings.data_dir / "dripstream.log"
        console.print(f"[bold red]Not complete after {PATIENCE_S} s; the log is {log_file}[/]")
    return complete


@contextlib.contextmanager
def _shown(console: Console, board: Board) -> Iterator[None]:
    """A live table in a terminal; plain lines anywhere else."""
    if not console.is_terminal:
        board.say = lambda line: console.print(line, highlight=False)
        yield
        return
    with Live(board, console=console, refresh_per_second=8):
        yield


async def _sign_up(all_: Running, people: list[dict[str, Any]], board: Board) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{all_.settings.port}", timeout=10) as client:
        await _until_ready(client)
        for person in people:
            answer = await client.post("/webhook/christmas-signup", json=person)
            answer.raise_for_status()
            board.signed_up(person["email"], duplicate=bool(answer.json().get("duplicate")))


async def _book(all_: Running, addresses: list[str], folder: Path) -> None:
    """What the calendar service would tell, at its time, counted from when everything ran: a start can be slow."""
    start = began(folder, datetime.now(UTC))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{all_.settings.port}", timeout=10) as client:
        for call in calls(start, _run(folder), addresses):
            wait = (start - datetime.now(UTC)).total_seconds() + call.after_s
            await asyncio.sleep(max(0, wait))
            (await client.post("/webhook/calcom-booking", json=call.body)).raise_for_status()


async def _until_ready(client: httpx.AsyncClient) -> None:
    for _ in range(100):
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/ready")).status_code == 200:
                return
        await asyncio.sleep(0.1)
    raise ValueError("ingest did not become ready within 10 s")


async def _until_complete(all_: Running, board: Board, booking: asyncio.Task[None], stop: asyncio.Event) -> bool:
    async with httpx.AsyncClient(base_url=all_.sandbox, timeout=10) as sandbox:
        for _ in range(PATIENCE_S * 4):
            if stop.is_set():
                booking.cancel()
                return False
            await board.catch_up(all_.broker)
            if booking.done() and board.all_ended:
                booking.result()
                board.count_rows((await sandbox.get("/_control/notion")).json())
                if board.rows_complete:
                    return True
            await asyncio.sleep(0.25)
    return False


def _say_what_runs(console: Console, all_: Running) -> None:
    port = all_.settings.port
    console.print(
        f"\nEverything is still running. Try:\n"
        f"  curl -s http://127.0.0.1:{port}/webhook/christmas-signup -H 'content-type: application/json' \\\n"
        f'    -d \'{{"email":"you@example.com","first_name":"You","assessment_score":50,"red_systems":2}}\'\n'
        f"  .venv/bin/dripstream pending --data-dir {all_.settings.data_dir}\n"
        f"  nats --server {all_.nats.rpartition('@')[2]} kv ls timers\n"
        f"Ctrl-C ends it.",
        highlight=False,
        soft_wrap=True,
    )
