"""A life in fast forward: which emails a history of facts leads to, without any server or clock.

Between two facts every pending email goes out at its time, as the sender would send it; each is a fact for what comes
after. The same plan decides here as in production.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from contracts.base import Fact
from contracts.facts import EmailSent, EmailSkipped
from journey.campaign import Campaign
from journey.contact import Contact, evolve
from journey.plan import Pace, Planned, plan_all


class Sending(msgspec.Struct, frozen=True):
    """One email going out, and the contact as of that moment."""

    planned: Planned
    contact: Contact
    at: datetime


class Life(msgspec.Struct, frozen=True):
    """What was sent, in order, and the contact at the end: its plan says why the rest was not."""

    sent: tuple[Sending, ...]
    contact: Contact


def simulate(contact: str, facts: Iterable[Fact], campaigns: Mapping[str, Campaign], pace: Pace) -> Life:
    """From the facts, each known at its `at`, to every email sent until nothing is pending."""
    state, sent = Contact(contact), list[Sending]()
    ordered = sorted(facts, key=lambda each: each.at)
    for fact, following in zip(ordered, [*ordered[1:], None], strict=True):
        state = evolve(state, fact)
        state = _pass_time(state, fact.at, following.at if following else None, campaigns, pace, sent)
    return Life(tuple(sent), state)


def _pass_time(
    state: Contact,
    now: datetime,
    until: datetime | None,
    campaigns: Mapping[str, Campaign],
    pace: Pace,
    sent: list[Sending],
) -> Contact:
    """Everything due from `now` to `until`; each email may change what follows."""
    while planned := next(_due(state, now, until, campaigns, pace), None):
        at = max(planned.due, now)
        if at > planned.expires:
            state = evolve(state, EmailSkipped(contact=state.id, at=at, email_id=planned.email_id, reason="expired"))
            continue
        sent.append(Sending(planned, state, at))
        state = evolve(state, _sent(planned, state, at))
    return state


def _sent(planned: Planned, state: Contact, at: datetime) -> EmailSent:
    return EmailSent(contact=state.id, at=at, email_id=planned.email_id, provider_id="simulated", template="")


def _due(
    state: Contact, now: datetime, until: datetime | None, campaigns: Mapping[str, Campaign], pace: Pace
) -> Iterator[Planned]:
    pending = [each for each in plan_all(state, campaigns, pace).values() if each.is_pending]
    soon = [each for each in pending if until is None or max(each.due, now) < until]
    return iter(sorted(soon, key=lambda each: each.due))
