"""`dripstream doctor`: everything looked at, each by itself, and for each what is wrong and what to do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.backends import NoBroker, nats_url, reach
from cli.checks import campaigns, clock, configuration, disk, nats, notion, passwords, resend, streams
from cli.checks.finding import Check, Finding, Patient, State, not_checked, trouble
from cli.operate import print_json
from cli.output import output
from eventlog.connection import Unavailable
from services.settings import Settings

CHECKS: tuple[Check, ...] = (
    *nats.CHECKS,
    *clock.CHECKS,
    *passwords.CHECKS,
    *streams.CHECKS,
    *disk.CHECKS,
    *configuration.CHECKS,
    *campaigns.CHECKS,
    *resend.CHECKS,
    *notion.CHECKS,
)
CONNECT_S, LOOK_S = 4.0, 15.0
STYLE: dict[State, str] = {"ok": "green", "warning": "yellow", "trouble": "bold red", "not checked": "dim"}


async def doctor(settings: Settings, *, as_json: bool) -> int:
    """Exit code 1 where anything is in trouble."""
    async with patient(settings) as found:
        findings = await examined(found)
    if as_json:
        for each in findings:
            print_json(msgspec.structs.asdict(each))
    else:
        _print(findings)
    return int(any(each.state == "trouble" for each in findings))


@asynccontextmanager
async def patient(settings: Settings) -> AsyncIterator[Patient]:
    """With the broker, where one takes us."""
    async with AsyncExitStack() as stack:
        url, broker = "", None
        try:
            url = nats_url(settings)
            broker = await stack.enter_async_context(reach(settings, name="doctor", patience_s=CONNECT_S))
        except (NoBroker, Unavailable):
            broker = None
        yield Patient(settings, broker, url)


async def examined(found: Patient, checks: Iterable[Check] = CHECKS, look_s: float = LOOK_S) -> list[Finding]:
    """Every check, side by side; none waits for another, nor stops it."""
    findings = await asyncio.gather(*(_one(each, found, look_s) for each in checks))
    return [each for several in findings for each in several]


async def _one(check: Check, found: Patient, look_s: float) -> list[Finding]:
    if check.needs_broker and found.broker is None:
        return [not_checked(check.name, "there is no broker to ask")]
    try:
        async with asyncio.timeout(look_s):
            return await check.look(found)
    except TimeoutError:
        return [
            trouble(
                check.name, f"no answer within {look_s:g} s", "run this again; if it stays so, look at that service"
            )
        ]
    except Exception as error:  # noqa: BLE001 - a check that fails is a finding, and the others go on
        return [
            trouble(
                check.name,
                f"could not be looked at: {_said(error)}",
                "mend what is in trouble above, then run this again",
            )
        ]


def _said(error: Exception) -> str:
    """Of our own errors the words; of others only the kind, since words of others may hold anything."""
    return str(error) if isinstance(error, Unavailable) else type(error).__name__


def _print(findings: list[Finding]) -> None:
    table = Table("", "check", "", box=None, show_header=False)
    for each in findings:
        table.add_row(f"[{STYLE[each.state]}]{each.state}[/]", escape(each.check), escape(_line(each)))
    console = output()
    console.print(table)
    counts = Counter(each.state for each in findings)
    console.print(", ".join(f"[{STYLE[state]}]{counts[state]} {state}[/]" for state in STYLE if counts[state]))


def _line(finding: Finding) -> str:
    return f"{finding.detail}\n→ {finding.do}" if finding.do else finding.detail
