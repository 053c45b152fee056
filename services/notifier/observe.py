"""Looking: one question per alert, answered by the broker alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from nats.js.errors import APIError, NotFoundError

from contracts import subjects
from eventlog import topology
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.index import info, subjects_in
from eventlog.lag import lag
from eventlog.pause import paused
from eventlog.pulling import pulling
from eventlog.timers import Timers, overdue_hours
from eventlog.topology import Durable
from services.notifier import rules
from services.notifier.rules import Limits
from services.notifier.standing import Finding

HOURS = 48
"""How far back keys are looked at; the scheduler's sweep looks as far. What has fired is seen however old it is."""


@dataclass(frozen=True)
class Look:
    """What a look works with."""

    broker: Broker
    limits: Limits
    now: datetime


Question = Callable[[Look], Awaitable[Finding | None]]


async def emails_late(look: Look) -> Finding | None:
    timers = Timers(look.broker)
    waiting = await timers.fired()
    for hour in overdue_hours(look.now, HOURS):
        waiting += await timers.pending(hour=hour)
    return rules.emails_late(waiting, look.now, look.limits)


async def messages_parked(look: Look) -> Finding | None:
    parked = await subjects_in(look.broker, subjects.PARKED, ">")
    newest = (await info(look.broker, subjects.PARKED)).state.last_seq
    return rules.messages_parked(rules.by_consumer(parked), newest)


async def no_signups(look: Look) -> Finding | None:
    if look.limits.no_signups is None:
        return None
    return rules.no_signups(await _last_signup(look.broker), look.now, look.limits)


def is_paused(durable: Durable) -> Question:
    async def ask(look: Look) -> Finding | None:
        return rules.service_paused(durable.service, await paused(look.broker, durable))

    return ask


def lags(durable: Durable) -> Question:
    async def ask(look: Look) -> Finding | None:
        return rules.service_lags(durable.service, await lag(look.broker, durable, look.now), look.limits)

    return ask


def is_down(durable: Durable) -> Question:
    async def ask(look: Look) -> Finding | None:
        if await paused(look.broker, durable):
            return None  # which is told already, and nobody has to ask then
        return rules.service_down(durable.service, await pulling(look.broker, durable), look.now, look.limits)

    return ask


QUESTIONS: dict[str, Question] = {
    "EmailsLate": emails_late,
    "MessagesParked": messages_parked,
    "SenderPaused": is_paused(topology.SENDER),
    "ServicePaused.scheduler": is_paused(topology.SCHEDULER),
    "ServicePaused.notion-sync": is_paused(topology.NOTION_SYNC),
    "SchedulerLags": lags(topology.SCHEDULER),
    "NotionLags": lags(topology.NOTION_SYNC),
    "NoSignups": no_signups,
    "ServiceDown.sender": is_down(topology.SENDER),
    "ServiceDown.scheduler": is_down(topology.SCHEDULER),
    "ServiceDown.notion-sync": is_down(topology.NOTION_SYNC),
}
"""Every alert that is remembered on the broker. `BrokerAway` cannot be."""


async def _last_signup(broker: Broker) -> datetime:
    """When the newest one was stored; if there is none, since when there could have been one."""
    try:
        newest = await broker.js.get_last_msg(subjects.EVENTS, subjects.facts_of("signup_received"))
        if newest.time:
            return newest.time
    except NotFoundError:
        pass
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"EVENTS not readable: {type(error).__name__}") from error
    return msgspec.convert((await info(broker, subjects.EVENTS)).created, datetime)
