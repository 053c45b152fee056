"""`dripstream trigger`: say that something happened which no webhook tells."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from cli.backends import reach
from cli.operate import print_json
from cli.output import output, shown
from cli.who import Who
from contracts.facts import Triggered
from contracts.ids import contact_id
from eventlog.log import EventLog
from journey.campaign import Campaign, load_campaigns
from services.settings import Settings


class Told(NamedTuple):
    """What happened, to whom, as it was typed."""

    campaign: str
    name: str
    email: str
    first_name: str | None = None
    values: Mapping[str, str] = {}
    key: str | None = None


async def trigger(settings: Settings, told: Told, *, who: Who, as_json: bool) -> None:
    """Append the fact `triggered`. Errors: ValueError naming what is known; NoBroker, Unavailable, CampaignError."""
    require_known(load_campaigns(settings.campaigns_dir), told.campaign, told.name)
    fact = fact_of(told, who, datetime.now(UTC))
    async with reach(settings, name="trigger") as broker:
        stored = await EventLog(broker).append(fact)
    if as_json:
        print_json({"event_id": fact.id, "contact": fact.contact, "duplicate": stored.duplicate})
    else:
        known = "was known already" if stored.duplicate else "noted"
        output().print(f"{fact.name} for {shown(fact.email)} {known}: {fact.id}", highlight=False)


def fact_of(told: Told, who: Who, now: datetime) -> Triggered:
    """Without a key of the caller's it is a new fact each time. Errors: ValueError, where that is no address."""
    email = checked_address(told.email)
    return Triggered(
        contact=contact_id(email),
        at=now,
        campaign=told.campaign,
        name=told.name,
        key=told.key or now.isoformat(),
        email=email,
        first_name=told.first_name,
        values=dict(told.values),
        by=who.by,
        why=who.why,
    )


def checked_address(email: str) -> str:
    """In the spelling that webhooks store, so that it is the same person. Errors: ValueError."""
    try:
        found = validate_email(email, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(f"not an address: {error}") from error
    return (found.ascii_email or found.normalized).lower()


def require_known(campaigns: dict[str, Campaign], campaign: str, name: str) -> None:
    """Errors: ValueError, naming the campaigns, or the triggers of this one."""
    if campaign not in campaigns:
        raise ValueError(f"there is no campaign {campaign}; there are: {', '.join(sorted(campaigns))}")
    known = campaigns[campaign].trigger_names()
    if name not in known:
        raise ValueError(f"no sequence of {campaign} knows {name!r}; known: {', '.join(sorted(known)) or 'none'}")
