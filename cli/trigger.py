"""`dripstream trigger`: say that something happened which no webhook tells."""

import getpass
from datetime import UTC, datetime

from email_validator import EmailNotValidError, validate_email

from cli.backends import reach
from cli.operate import print_json
from cli.output import output
from contracts.facts import Triggered
from contracts.ids import contact_id
from eventlog.log import EventLog
from journey.campaign import Campaign, load_campaigns
from services.settings import Settings


async def trigger(
    settings: Settings,
    campaign: str,
    name: str,
    email: str,
    *,
    first_name: str | None,
    values: dict[str, str],
    key: str | None,
    as_json: bool,
) -> None:
    """Append the fact `triggered`. Errors: ValueError naming what is known; NoBroker, Unavailable, CampaignError."""
    require_known(load_campaigns(settings.campaigns_dir), campaign, name)
    email = checked_address(email)
    now = datetime.now(UTC)
    fact = Triggered(
        contact=contact_id(email),
        at=now,
        campaign=campaign,
        name=name,
        key=key or now.isoformat(),
        email=email,
        first_name=first_name,
        values=values,
        by=getpass.getuser(),
    )
    async with reach(settings, name="trigger") as broker:
        stored = await EventLog(broker).append(fact)
    if as_json:
        print_json({"event_id": fact.id, "contact": fact.contact, "duplicate": stored.duplicate})
    else:
        known = "was known already" if stored.duplicate else "noted"
        output().print(f"{name} for {email} {known}: {fact.id}", highlight=False)


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
