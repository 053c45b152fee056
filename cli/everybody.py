"""Every fact there is, one person at a time: what is in memory is the list of people, and the facts of a few."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

import msgspec

from cli.progress import Progress
from contracts import subjects
from contracts.bookings import BookingFact
from contracts.codec import Undecodable, fact_at
from contracts.facts import FACTS, AnyFact, SignupReceived, Triggered
from contracts.operations import OPERATIONS, WebhooksCounted
from eventlog.connection import Broker
from eventlog.direct import DirectReader
from eventlog.log import EventLog
from journey.model import Campaign
from journey.plan import Pace
from journey.tally import Fate, fates

AT_ONCE = 32
BEGIN = tuple(
    str(each.__struct_config__.tag) for each in FACTS if issubclass(each, SignupReceived | Triggered | BookingFact)
)
"""Nobody gets an email who has none of these."""


class Read(msgspec.Struct):
    """How many people were read, and who could not be: something of theirs was written by a newer version."""

    people: int = 0
    unreadable: list[str] = []


async def everybody(
    broker: Broker, campaigns: Mapping[str, Campaign], pace: Pace, take: Callable[[list[Fate]], None]
) -> Read:
    """The emails of each person, in turn, to `take`. Errors: Unavailable."""
    events, read = EventLog(broker), Read()
    contacts = await events.contacts(*BEGIN)
    with Progress("reading people") as progress:
        for place in range(0, len(contacts), AT_ONCE):
            some = contacts[place : place + AT_ONCE]
            for contact, facts in zip(
                some, await asyncio.gather(*(readable(events, each) for each in some)), strict=True
            ):
                if facts is None:
                    read.unreadable.append(contact)
                else:
                    take(fates(contact, facts, campaigns, pace))
            read.people = min(place + AT_ONCE, len(contacts))
            progress.told(read.people, len(contacts))
    return read


async def readable(events: EventLog, contact: str) -> list[AnyFact] | None:
    """Every fact of one person; None where this version cannot read one of them. Errors: Unavailable."""
    try:
        return await events.history(contact)
    except Undecodable:
        return None


async def webhooks_counted(broker: Broker, since: datetime | None = None) -> AsyncIterator[WebhooksCounted]:
    """The operators' diary, as far as it tells of webhooks. Errors: Unavailable."""
    wanted = subjects.history_of(OPERATIONS)
    async for page in DirectReader(broker).pages(subjects.EVENTS, wanted, since or 1):
        for message in page:
            try:
                fact = fact_at(message.subject, message.payload)
            except Undecodable:
                continue
            if isinstance(fact, WebhooksCounted):
                yield fact
