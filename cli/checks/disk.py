"""Room: what JetStream uses of what it is allowed, and the disk under a server on this machine."""

import asyncio
import re
import shutil
from pathlib import Path

from cli.backends import nats_folder
from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning
from eventlog.figures import storage

GB = 1024**3
NEARLY, FULL = 0.80, 0.95
MAKE_ROOM = (
    "free the disk or give it a larger one; a full store refuses signups until there is room (docs/operations.md)"
)
RAISE = (
    "raise NATS_MAX_FILE_STORE (70 % of the disk at most), on a larger disk if need be, and restart nats-server; "
    "a full store refuses signups (docs/operations.md)"
)


async def allowance(patient: Patient) -> list[Finding]:
    """Of the account, else of all nodes as NATS_MAX_FILE_STORE says: the server tells its own only to its monitor."""
    found = await storage(patient.nats, patient.settings.file_store)
    if found.limit is None:
        do = "set NATS_MAX_FILE_STORE for this command as nats-server has it, to have it looked at"
        return [ok("JetStream", f"{_size(found.used)} used; nobody says how much it may be", do)]
    share = found.used / found.limit
    detail = f"{_size(found.used)} of {_size(found.limit)} used ({share:.0%})"
    return [_grade("JetStream", detail, RAISE, trouble_if=share >= FULL, warn_if=share >= NEARLY)]


async def local_disk(patient: Patient) -> list[Finding]:
    """Where the server's files are on this machine: in the data folder, or where NATS_STORE says."""
    settings = patient.settings
    folder = settings.nats_store if settings.nats_url else nats_folder(settings)
    found = await asyncio.to_thread(_disk, folder) if folder else None
    if found:
        return [found]
    do = "there: df -h, for the folder NATS_STORE; compose: docker compose -f deploy/compose.yml exec nats df -h /data"
    return [not_checked("disk", "the broker's files are not on this machine, as far as is told", do)]


def _disk(folder: Path) -> Finding | None:
    """None where there is no such folder here. What we may not see into is on the disk of what we may, most likely."""
    for place in (folder, *folder.absolute().parents):
        try:
            found = shutil.disk_usage(place)
        except PermissionError:
            continue
        except OSError:
            return None
        share = found.free / found.total
        detail = f"{_size(found.free)} free of {_size(found.total)} at {place}"
        return _grade(
            "disk",
            detail,
            MAKE_ROOM,
            trouble_if=share < 0.02 or (share < 0.05 and found.free < GB),
            warn_if=share < 0.10 and found.free < 10 * GB,
        )
    return None


def _grade(check: str, detail: str, do: str, *, trouble_if: bool, warn_if: bool) -> Finding:
    if trouble_if:
        return trouble(check, detail, do)
    return warning(check, detail, do) if warn_if else ok(check, detail)


async def durability(patient: Patient) -> list[Finding]:
    """`sync_interval: always`: with the server's default a power cut loses facts that were acknowledged."""
    if patient.settings.nats_url:
        do = "on each node: curl -s 127.0.0.1:8222/varz | jq .jetstream.config must say sync_always: true"
        return [not_checked("sync_interval", "only the server's monitoring port tells it", do)]
    found = await asyncio.to_thread(_sync_interval, nats_folder(patient.settings) / "nats.conf")
    if found == "always":
        return [ok("sync_interval", "always: what is acknowledged is on the disk")]
    do = "set `sync_interval: always` in the jetstream block, as deploy/nats/common.conf has, and restart the server"
    return [
        warning("sync_interval", f"{found or 'the default of 2 minutes'}: a power cut loses acknowledged facts", do)
    ]


def _sync_interval(config: Path) -> str | None:
    """Of the server that `dripstream up` runs."""
    try:
        text = config.read_text()
    except OSError:
        return None
    found = re.search(r"^\s*sync_interval:\s*\"?(\w+)", text, re.MULTILINE)
    return found[1] if found else None


def _size(size: int) -> str:
    number, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.0f} {unit}" if unit in {"B", "kB"} else f"{number:.1f} {unit}"


CHECKS = (
    Check("JetStream", allowance, needs_broker=True),
    Check("disk", local_disk),
    Check("sync_interval", durability),
)
