"""`dripstream restored`: after a backup was restored, set aside what may have been sent since it was made."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import rich_click as click

from cli.backends import reach
from cli.everybody import readable
from cli.operate import print_json
from cli.output import output
from cli.progress import Progress
from cli.who import Who
from contracts.facts import EmailUnknown
from contracts.ids import EmailId
from eventlog import topology
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.operations import note
from journey.campaign import Campaign, load_campaigns
from journey.contact import fold
from journey.plan import Pace, Planned, plan_all
from services.settings import Settings

HELPS = "A newer version wrote what this one cannot read: install it, and run this again before the services start"
REASON = "restored from a backup: it may have been sent after that was made"


async def run(settings: Settings, down_since: datetime | None, *, who: Who, as_json: bool = False) -> int:
    """Exit code 1 where it is not complete. Errors: NoBroker, Unavailable, Incomplete, CampaignError."""
    campaigns = load_campaigns(settings.campaigns_dir)
    until = (down_since or datetime.now(UTC)).replace(tzinfo=UTC)
    async with reach(settings, name="restored") as broker:
        await topology.require(broker, replicas=settings.replicas)
        now = datetime.now(UTC)
        await note(broker, "restored", about=f"down since {until.isoformat()}", by=who.by, why=who.why, now=now)
        count, unreadable = await set_aside(broker, campaigns, settings.pace, until=until, now=now)
    if as_json:
        print_json({"set_aside": count, "until": until, "unreadable": unreadable})
    else:
        output().print(
            f"{count} email(s) set aside: look them up at the provider, then `dripstream retry` or `discard`"
        )
    if unreadable:
        click.echo(f"not complete: nothing was set aside of {', '.join(unreadable)}. {HELPS}", err=True)
    return int(bool(unreadable))


class SetAside(NamedTuple):
    """How many emails, and the people of whom nobody here can tell."""

    emails: int
    unreadable: list[str]


async def set_aside(
    broker: Broker, campaigns: Mapping[str, Campaign], pace: Pace, *, until: datetime, now: datetime
) -> SetAside:
    """Every email that is pending, as far as the restored facts tell, and was due before `until`.

    Shape:  → one EmailUnknown each. Run again, it changes nothing.
    Errors: Unavailable.
    """
    events, count, unreadable = EventLog(broker), 0, list[str]()
    everybody = await events.contacts()
    with Progress("reading people") as progress:
        for number, contact in enumerate(everybody, start=1):
            facts = await readable(events, contact)
            if facts is None:
                unreadable.append(contact)
            planned = plan_all(fold(contact, facts or ()), campaigns, pace).values()
            for each in in_doubt(planned, until):
                count += not (await events.append(_in_doubt(each, now))).duplicate
            progress.told(number, len(everybody))
    return SetAside(count, unreadable)


def _in_doubt(each: Planned, now: datetime) -> EmailUnknown:
    contact = EmailId.parse(each.email_id).contact
    return EmailUnknown(contact=contact, at=now, email_id=each.email_id, reason=REASON, round=each.email.round)


def in_doubt(planned: Iterable[Planned], until: datetime) -> list[Planned]:
    """What was to be sent while the lost facts were written."""
    return [each for each in planned if each.is_pending and each.due <= until]
