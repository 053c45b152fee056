"""Commands for operators: look at the broker and put it right."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.table import Table

from cli.backends import reach
from cli.output import output, shown
from cli.who import Who
from contracts.ids import EmailId, contact_id
from contracts.subjects import Timer
from eventlog import topology
from eventlog.operations import note
from eventlog.pause import paused
from eventlog.timers import Timers
from journey.campaign import CampaignError, load_campaigns
from journey.views import pending_email
from services.settings import Settings

STYLE = {"created": "green", "updated": "green", "as wanted": "dim", "drift": "yellow", "missing": "red"}


async def init(settings: Settings, *, apply: bool, who: Who, as_json: bool) -> int:
    """Exit code 1 where something differs. Errors: OldServer, Incomplete, Unavailable, NoBroker."""
    async with reach(settings, name="init") as broker:
        checks = await topology.init(broker, replicas=settings.replicas, apply=apply)
        if done := [f"{each.name} {each.state}" for each in checks if each.state in {"created", "updated"}]:
            # Only now: the diary itself is one of the streams.
            now = datetime.now(UTC)
            await note(broker, "init", about=", ".join(done), by=who.by, why=who.why, now=now)
    if as_json:
        for check in checks:
            print_json({**vars(check), "differences": [vars(each) for each in check.differences]})
    else:
        _print_checks(checks)
    return int(any(check.differences for check in checks))


def _print_checks(checks: list[topology.Check]) -> None:
    console, table = output(), Table("", "name", "state", "differs", box=None)
    for check in checks:
        state = f"[{STYLE[check.state]}]{check.state}[/]"
        table.add_row(check.kind, check.name, state, "\n".join(map(str, check.differences)))
    console.print(table)
    if any(check.state == "drift" for check in checks):
        console.print("[yellow]Nothing was changed.[/] `dripstream init --apply` brings it into line.")


async def pending(
    settings: Settings,
    *,
    limit: int | None,
    as_json: bool,
    contact: str | None = None,
    campaign: str | None = None,
    step: str | None = None,
) -> None:
    """Errors: Unavailable, NoBroker."""
    who = contact_id(contact) if contact and "@" in contact else contact
    async with reach(settings, name="pending") as broker:
        every = await Timers(broker).pending()
    timers = [each for each in every if is_meant(EmailId.parse(each.email_id), who, campaign, step)]
    shown, now = timers[:limit], datetime.now(UTC)
    if as_json:
        for timer in shown:
            print_json(pending_email(timer))
        return
    console = output()
    table = Table("due (UTC)", "in", "step", "key", box=None)
    table.columns[3].overflow = "fold"
    for timer in shown:
        table.add_row(f"{timer.due_at:%Y-%m-%d %H:%M:%S}", _until(timer, now), _step(timer), timer.key)
    console.print(table)
    of = f" of {len(every)}" if len(timers) < len(every) else ""
    console.print(f"{len(timers)}{of} pending" + (f", {len(shown)} shown" if len(shown) < len(timers) else ""))


def is_meant(email: EmailId, contact: str | None, campaign: str | None, step: str | None) -> bool:
    """Whether it is one of those asked for; a contact id may be shortened."""
    steps = {email.step, f"{email.sequence}/{email.step}"}
    return (
        (contact is None or email.contact.startswith(contact))
        and campaign in {None, email.campaign}
        and (step is None or step in steps)
    )


async def replay(settings: Settings, service: str, *, who: Who, as_json: bool = False) -> None:
    """Errors: Unavailable, NoBroker, Incomplete."""
    durable = topology.durable_of(service)
    async with reach(settings, name="replay") as broker:
        await topology.require(broker, replicas=settings.replicas)
        await note(broker, "replay", about=service, by=who.by, why=who.why, now=datetime.now(UTC))
        count = await topology.rewind(broker, durable)
        pause = await paused(broker, durable)
    if as_json:
        print_json({"service": service, "facts": count, "paused_until": pause.until if pause else None})
        return
    then = f" once its pause is over, at {pause.until:%Y-%m-%d %H:%M:%S} UTC: {shown(pause.reason)}" if pause else ""
    output().print(f"{durable.name} reads {count} facts again{then}")


def check_campaigns(settings: Settings, *, as_json: bool) -> bool:
    """Whether all of them may be run; says what they hold, or what is wrong with them."""
    console = output()
    try:
        found = load_campaigns(settings.campaigns_dir)
    except CampaignError as error:
        for problem in error.problems:
            if as_json:
                print_json({"file": str(problem.file), "line": problem.line, "reason": problem.reason})
            else:
                console.print(str(problem), style="red", markup=False, highlight=False)
        return False
    for campaign in found.values():
        steps = sum(len(sequence.steps) for sequence in campaign.sequences)
        if as_json:
            print_json({"campaign": campaign.id, "steps": steps, "templates": len(campaign.templates)})
        else:
            console.print(f"[green]{campaign.id}[/]: {steps} steps, {len(campaign.templates)} templates")
    return True


def print_json(value: dict[str, Any]) -> None:
    print(msgspec.json.encode(value, enc_hook=str).decode())


def _step(timer: Timer) -> str:
    email = EmailId.parse(timer.email_id)
    return f"{email.campaign} {email.sequence} {email.step}"


def _until(timer: Timer, now: datetime) -> str:
    seconds = int((timer.due_at - now).total_seconds())
    if seconds < 0:
        return "overdue"
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return (
        f"{hours // 24}d {hours % 24}h"
        if hours >= 48
        else f"{hours}h {minutes}m"
        if hours
        else f"{minutes}m {seconds % 60}s"
    )
