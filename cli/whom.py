"""Whom and what an operator means: by address, contact id, step or email id, shortened as long as it is clear."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from cli.trigger import checked_address
from contracts.ids import EmailId, contact_id
from eventlog.log import EventLog
from journey.campaign import Campaign
from journey.contact import Contact, fold
from journey.plan import Pace, Planned, plan_all

SHOWN = 5


class Cannot(ValueError):
    """What was asked for is not possible, and why."""


class Meant(NamedTuple):
    """`what` as in an intent: a contact, a campaign of one, or an email id; `emails` are those it concerns."""

    state: Contact
    what: str
    emails: tuple[Planned, ...]


async def meant(
    events: EventLog,
    campaigns: Mapping[str, Campaign],
    pace: Pace,
    text: str,
    *,
    campaign: str | None = None,
    step: str | None = None,
) -> Meant:
    """Errors: Cannot, naming what is not clear; Unavailable."""
    state, rest = await _person(events, text)
    if campaign:
        require_campaign(campaign, campaigns)
    planned = [each for each in plan_all(state, campaigns, pace).values() if _is_of(each, campaign)]
    if rest in campaigns and not step:
        campaign, rest = rest, ""
    if not (rest or step):
        what = f"{state.id}.{campaign}" if campaign else state.id
        return Meant(state, what, tuple(each for each in planned if f"{each.email_id}.".startswith(f"{what}.")))
    email = one_of(planned, f"{state.id}.{rest}", step)
    return Meant(state, email.email_id, (email,))


async def _person(events: EventLog, text: str) -> tuple[Contact, str]:
    """Who, and what stands behind it in an email id."""
    if "@" in text:
        found, rest = contact_id(checked_address(text)), ""
    else:
        head, _, rest = text.partition(".")
        found = clear(head, await events.contacts(), "nobody")
    history = await events.history(found)
    if not history:
        raise Cannot(f"nobody of that address is known (contact {found})")
    return fold(found, history), rest


def one_of(planned: Sequence[Planned], email_id: str, step: str | None) -> Planned:
    """The email of that id, or of that step; where several are, the one that is still to come. Errors: Cannot."""
    fits = [each for each in planned if each.email_id.startswith(email_id) and (step is None or _names(each, step))]
    exact = [each for each in fits if each.email_id == email_id or step in {_name(each), each.step.id, each.email_id}]
    fits = exact or fits
    to_come = [each for each in fits if each.is_pending or each.is_held]
    fits = to_come if len(fits) > 1 and len(to_come) == 1 else fits
    if len(fits) == 1:
        return fits[0]
    said = step or email_id
    if fits:
        raise Cannot(f"{said} is not clear: {_few(each.email_id for each in fits)}")
    raise Cannot(f"{said} is no email of theirs; there are: {_few((_name(each) for each in planned), 12) or 'none'}")


def _names(each: Planned, step: str) -> bool:
    return any(name.startswith(step) for name in (_name(each), each.step.id, each.email_id))


def _name(each: Planned) -> str:
    return f"{each.sequence.id}/{each.step.id}"


def _is_of(each: Planned, campaign: str | None) -> bool:
    return campaign is None or EmailId.parse(each.email_id).campaign == campaign


def clear(text: str, known: Collection[str], none: str) -> str:
    """The one that begins so. Errors: Cannot."""
    fits = [text] if text in known else [each for each in known if text and each.startswith(text)]
    if len(fits) != 1:
        about = f"not clear: {_few(fits)}" if fits else f"{none} we know; name an address or a contact id"
        raise Cannot(f"{text!r} is {about}")
    return fits[0]


def _few(names: Iterable[str], shown: int = SHOWN) -> str:
    every = list(dict.fromkeys(names))
    return ", ".join(every[:shown]) + (f" and {len(every) - shown} more" if len(every) > shown else "")


def require_campaign(campaign: str, campaigns: Collection[str]) -> None:
    """Errors: Cannot, naming the campaigns."""
    if campaign not in campaigns:
        raise Cannot(f"there is no campaign {campaign}; there are: {', '.join(sorted(campaigns))}")
