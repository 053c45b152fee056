"""Hold, resume and cancel a person's emails: each is a fact, with who and why."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import rich_click as click

from cli.backends import reach
from cli.everybody import readable
from cli.operate import print_json
from cli.output import output, shown
from cli.progress import Progress
from cli.who import Who
from cli.whom import Cannot, Meant, meant, require_campaign
from contracts.codec import Undecodable
from contracts.operators import OperatorCancelled, OperatorHeld, OperatorIntent, OperatorResumed
from eventlog.log import EventLog
from journey.campaign import Campaign, load_campaigns
from journey.contact import Contact, evolve, fold
from journey.plan import Pace, Planned, plan, plan_all
from journey.wishes import Wish, wish
from services.settings import Settings

KINDS: Mapping[str, type[Wish]] = {"hold": OperatorHeld, "resume": OperatorResumed, "cancel": OperatorCancelled}
SAID = {"hold": "held", "resume": "resumed", "cancel": "cancelled"}


class Made(NamedTuple):
    """What came of a wish: `fact` is None where it was so already."""

    what: str
    fact: Wish | None
    state: Contact


async def make(events: EventLog, state: Contact, verb: str, what: str, who: Who) -> Made:
    """Write the wish down, unless it is so already.

    Somebody who wishes about the same at the same moment wishes in the same round, and there the stronger counts:
    what was not seen is not overruled. Errors: Cannot, where a stronger wish won; Unavailable.
    """
    fact = wish(state, KINDS[verb], what, by=who.by, why=who.why, at=datetime.now(UTC))
    if fact is None:
        return Made(what, None, state)
    await events.append(fact)
    history = await events.history(state.id)
    state = evolve(fold(state.id, history), fact)  # a replica that lags may not have it yet
    counts = state.intent(what)
    if not isinstance(counts, KINDS[verb]):
        by = counts.by if counts else "nobody"
        raise Cannot(f"{by} wished something stronger about {what} at the same moment: look, and say it again")
    return Made(what, fact, state)


async def wish_for(
    settings: Settings, verb: str, target: str, *, campaign: str | None, step: str | None, who: Who, as_json: bool
) -> None:
    """One person's emails. Errors: Cannot, NoBroker, Unavailable, CampaignError."""
    campaigns = load_campaigns(settings.campaigns_dir)
    async with reach(settings, name=verb) as broker:
        events = EventLog(broker)
        found = await meant(events, campaigns, settings.pace, target, campaign=campaign, step=step)
        _refuse_ended(verb, found)
        made = await make(events, found.state, verb, found.what, who)
    after = plan_all(made.state, campaigns, settings.pace)
    emails = [after[each.email_id] for each in found.emails]
    if as_json:
        print_json(_told(verb, made, emails))
    else:
        _say(verb, made, emails)


def _refuse_ended(verb: str, found: Meant) -> None:
    one = found.emails[0] if found.emails and found.what == found.emails[0].email_id else None
    if one and one.email.end:
        raise Cannot(f"{one.email_id} has ended, it is {one.state}: there is nothing to {verb}")


def _told(verb: str, made: Made, emails: list[Planned]) -> dict[str, Any]:
    counts = {state: sum(each.state == state for each in emails) for state in ("pending", "held", "skipped")}
    return {"did": SAID[verb], "what": made.what, "changed": made.fact is not None, "emails": counts}


def _say(verb: str, made: Made, emails: list[Planned]) -> None:
    counts = _told(verb, made, emails)["emails"]
    left = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing to come"
    head = f"{SAID[verb]}: {made.what}" if made.fact else f"{made.what} is not held" if verb == "resume" else ""
    console = output()
    console.print(f"{head or f'{made.what} is {SAID[verb]} already'} ({left})", highlight=False)
    if verb == "resume":
        for other in kept_by(made.state, emails):
            console.print(
                f"[yellow]still kept back[/]: {other.what}, by {shown(other.by)}: {shown(other.why)}", highlight=False
            )


def kept_by(state: Contact, emails: list[Planned]) -> list[OperatorIntent]:
    """The wishes, about more or less than was named, that still keep one of these emails back."""
    newest = [known for what in state.intents if (known := state.intent(what))]
    stopping = [each for each in newest if not isinstance(each, OperatorResumed)]
    open_ = [each.email_id for each in emails if each.email.end is None]
    return [each for each in stopping if any(f"{id_}.".startswith(f"{each.what}.") for id_ in open_)]


async def wish_for_all(
    settings: Settings, verb: str, campaign: str, *, who: Who, force: bool, as_json: bool
) -> int | None:
    """Everybody in a campaign. Errors: Cannot, NoBroker, Unavailable, CampaignError; Abort, where not agreed to."""
    campaigns = load_campaigns(settings.campaigns_dir)
    require_campaign(campaign, campaigns)
    async with reach(settings, name=verb) as broker:
        events = EventLog(broker)
        people, unreadable = await in_campaign(events, campaigns[campaign], settings.pace)
        if not force:
            click.confirm(f"{verb} {campaign} for {len(people)} people?", abort=True, err=True)
        ends = Counter[_End]()
        for person in _told_one_by_one(people, verb):
            what = f"{person}.{campaign}"
            end = await _one_of_all(events, person, verb, what, who)
            ends[end] += 1
            if end == "unreadable":
                unreadable.append(person)
            elif as_json and end != "beaten":
                print_json(_told_of_one(verb, what, end))
    if not as_json:
        stay = f"; {ends['stays cancelled']} stay cancelled: resume them by name" if ends["stays cancelled"] else ""
        output().print(
            f"{SAID[verb]}: {campaign} for {ends['changed']} of {len(people)} people; "
            f"{ends['so already']} were so already{stay}"
        )
    if ends["beaten"]:
        click.echo(
            f"{ends['beaten']} not {SAID[verb]}: somebody wished something stronger at the same moment", err=True
        )
    if unreadable:
        click.echo(f"not {SAID[verb]}, as this version cannot read their facts: {', '.join(unreadable)}", err=True)
    return int(bool(ends["beaten"] or unreadable))


_End = Literal["changed", "so already", "stays cancelled", "beaten", "unreadable"]


async def _one_of_all(events: EventLog, person: str, verb: str, what: str, who: Who) -> _End:
    """Nobody who was called off is held or resumed with all the others: a hold is there to be taken back.

    Errors: Unavailable.
    """
    try:
        state = fold(person, await events.history(person))
        if verb != "cancel" and isinstance(state.intent(what), OperatorCancelled):
            return "stays cancelled"
        made = await make(events, state, verb, what, who)
    except Undecodable:
        return "unreadable"
    except Cannot:
        return "beaten"
    return "changed" if made.fact else "so already"


def _told_of_one(verb: str, what: str, end: _End) -> dict[str, Any]:
    did = "left alone" if end == "stays cancelled" else SAID[verb]
    stays = {"stays": "cancelled"} if end == "stays cancelled" else {}
    return {"did": did, "what": what, "changed": end == "changed", **stays}


def _told_one_by_one(people: list[str], verb: str) -> Iterator[str]:
    with Progress(verb) as progress:
        for number, person in enumerate(people, start=1):
            yield person
            progress.told(number, len(people))


class People(NamedTuple):
    """Who gets, or got, anything of a campaign, and of whom nobody here can tell."""

    found: list[str]
    unreadable: list[str]


async def in_campaign(events: EventLog, campaign: Campaign, pace: Pace) -> People:
    """Errors: Unavailable."""
    people, everybody = People([], []), await events.contacts()
    with Progress("reading people") as progress:
        for number, each in enumerate(everybody, start=1):
            facts = await readable(events, each)
            if facts is None:
                people.unreadable.append(each)
            elif plan(fold(each, facts), campaign, pace):
                people.found.append(each)
            progress.told(number, len(everybody))
    return people
