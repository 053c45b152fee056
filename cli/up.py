"""`dripstream up`: everything in one process."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import structlog

from cli.backends import describe
from cli.runtime import Running, running, stop_on_signal
from services.settings import Settings

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One run per data folder. Errors: ValueError, saying who has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another dripstream runs on {folder}; stop it, or choose another folder with --data-dir"
            ) from None
        yield


async def up(settings: Settings) -> None:
    """Until Ctrl-C. Errors: as `runtime.running`."""
    with locked(settings.data_dir), stop_on_signal() as stop:
        async with running(settings, stop) as all_:
            print(banner(settings, all_), flush=True)
            await stop.wait()
        log.info("stopped")


def banner(given: Settings, all_: Running) -> str:
    """Which of NATS, Resend and Notion is real, and where to go from here."""
    from services.ingest.binding import bind_host

    lines = [str(backend) for backend in describe(given, nats=all_.nats, sandbox_url=all_.sandbox)]
    lines.append("")
    address = f"http://{bind_host(all_.settings)}:{all_.settings.port}"
    lines += [f"signups   {address}/webhook/signup/{campaign}" for campaign in sorted(all_.campaigns)]
    lines.append(f"bookings  {address}/webhook/calcom-booking")
    if all_.sandbox:
        lines.append(f"sandbox   {all_.sandbox}")
    lines.append(f"notifier  {_chat(given)}")
    if given.testing_mode or given.speedup != 1:
        lines.append(f"time      compressed: testing delays {given.testing_mode}, {given.speedup:g} times as fast")
    lines.append(f"nats CLI  nats --server {all_.nats.rpartition('@')[2]} kv ls timers")
    return "\n".join(lines)


def _chat(settings: Settings) -> str:
    """Where notices go. Errors: ValueError, which does not repeat the address."""
    from services.notifier.service import configured

    if settings.notify_webhook_url is None:
        return "off (NOTIFY_WEBHOOK_URL is unset: nobody is told of alerts)"
    return str(configured(settings))


async def sandbox(settings: Settings) -> None:
    """The sandbox alone, until Ctrl-C."""
    from services.sandbox.app import Sandbox

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with stop_on_signal() as stop:
        database = settings.data_dir / "sandbox.db"
        async with Sandbox(host=settings.sandbox_host, port=settings.sandbox_port, database=database) as running_:
            print(f"sandbox   {running_.url}", flush=True)
            await stop.wait()
