"""Room: what JetStream uses of what it is allowed, and the disk under a server on this machine."""

import asyncio
import re
import shutil
from pathlib import Path

from cli.backends import nats_folder
from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning

GB = 1024**3
NEARLY, FULL = 0.80, 0.95
MAKE_ROOM = (
    "free the disk or give it a larger one; a full store refuses signups until there is room (docs/operations.md)"
)


async def allowance(patient: Patient) -> list[Finding]:
    """Of the account; what the server itself may use, it tells nobody but the monitoring port."""
    account = await patient.nats.js.account_info()
    used, most = int(account.storage), int(account.limits.max_storage or -1)
    if most <= 0:
        do = "on each node: curl -s 127.0.0.1:8222/jsz | jq '{storage, config}' shows it beside max_storage"
        return [ok("JetStream", f"{_size(used)} used; this account has no limit, the server's own is not visible", do)]
    share = used / most
    detail = f"{_size(used)} of {_size(most)} used ({share:.0%})"
    return [_grade("JetStream", detail, trouble_if=share >= FULL, warn_if=share >= NEARLY)]


async def local_disk(patient: Patient) -> list[Finding]:
    """Where the data folder is on this machine and holds the server's files."""
    folder = nats_folder(patient.settings)
    if patient.settings.nats_url or not folder.exists():
        do = "on the machine of nats-server: df -h, for the folder NATS_STORE"
        return [not_checked("disk", "the broker's files are not in the data folder of this machine", do)]
    return [await asyncio.to_thread(_disk, folder)]


def _disk(folder: Path) -> Finding:
    found = shutil.disk_usage(folder)
    share = found.free / found.total
    detail = f"{_size(found.free)} free of {_size(found.total)} at {folder}"
    return _grade(
        "disk",
        detail,
        trouble_if=share < 0.02 or (share < 0.05 and found.free < GB),
        warn_if=share < 0.10 and found.free < 10 * GB,
    )


def _grade(check: str, detail: str, *, trouble_if: bool, warn_if: bool) -> Finding:
    if trouble_if:
        return trouble(check, detail, MAKE_ROOM)
    return warning(check, detail, MAKE_ROOM) if warn_if else ok(check, detail)


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
