"""The clock of this machine beside somebody else's: a broker that shares it is wrong by just as much."""

import ctypes
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning
from cli.checks.nats import WRONG_S
from services.notion_sync.api import API_URL
from services.sender.resend_api import DEFAULT_URL
from services.settings import Settings

CHECK = "outside clock"
ASK_S = 4.0
SECOND = timedelta(seconds=1)
ROUGH = timedelta(seconds=2)
"""Servers look at their clock once a second for this header, or later when they are busy."""

UNSYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2)."""

SET = "run `timedatectl set-ntp true` here and on the broker's machine; `timedatectl` must then say `synchronized: yes`"


async def outside(patient: Patient) -> list[Finding]:
    """Beside Resend's clock or Notion's, whichever answers first in this order; neither needs a key for that."""
    async with httpx.AsyncClient(timeout=ASK_S, headers={"Cache-Control": "no-cache"}) as client:
        for url in _others(patient.settings):
            ahead = await _ahead_of(client, url, patient.now)
            if ahead is not None:
                return [_graded(ahead, str(urlsplit(url).hostname))]
    return [by_the_kernel(kernel_state())]


def _others(settings: Settings) -> list[str]:
    """Only whom we talk to anyway: who only tries things out calls nobody."""
    resend = settings.resend_api_url or DEFAULT_URL
    notion = settings.notion_api_url or API_URL
    return [url for url, key in ((resend, settings.resend_api_key), (notion, settings.notion_token)) if key]


async def _ahead_of(client: httpx.AsyncClient, url: str, now: Callable[[], datetime]) -> timedelta | None:
    """None where nobody tells us the time; a cache (`Age`) may tell that of another day."""
    before = now()
    try:
        answer = await client.head(url)
        after = now()
        return None if "age" in answer.headers else ahead(before, after, parsedate_to_datetime(answer.headers["date"]))
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError, TypeError):
        return None


def ahead(before: datetime, after: datetime, said: datetime) -> timedelta:
    """By how much our clock is ahead at least (negative: behind), if theirs said `said` between our two looks.

    Units: `said` is in whole seconds, cut off.
    """
    if before > said + SECOND:
        return before - said - SECOND
    return min(after - said, timedelta(0))


def _graded(ahead: timedelta, host: str) -> Finding:
    if abs(ahead) <= ROUGH:
        return ok(CHECK, f"this machine and {host} agree")
    off_s = ahead.total_seconds()
    detail = f"this machine is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} {host}"
    return (trouble if abs(off_s) > WRONG_S else warning)(CHECK, detail, SET)


def by_the_kernel(state: int) -> Finding:
    """Never more than a hint: what sets the clock of a virtual machine from outside does not tell its kernel."""
    if 0 <= state < UNSYNCHRONISED:
        return ok(CHECK, "the kernel says that this clock is kept right; nobody outside was there to compare with")
    told = "knows of nothing that sets this clock" if state == UNSYNCHRONISED else "does not say either"
    return not_checked(CHECK, f"nobody outside told the time, and the kernel {told}", SET)


def kernel_state() -> int:
    """What adjtimex(2) answers; -1 where it may not be asked, or is not there."""
    room = ctypes.create_string_buffer(1024)  # more than a struct timex; all zero, it changes nothing
    try:
        return int(ctypes.CDLL(None).adjtimex(room))
    except (AttributeError, OSError):
        return -1


CHECKS = (Check(CHECK, outside),)
