"""How the broker stands, as figures: what is pending, what is late, how far each service is behind.

Asked in a way that costs the broker little, whatever there is: of pending emails only counts cross the wire, one small
answer for each step of a campaign, and never a list of keys.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from nats.js.errors import APIError, NotFoundError

from contracts import subjects
from contracts.ids import BadId
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.index import count, info
from eventlog.lag import lag_of
from eventlog.timers import STREAM, how_many, overdue_hours
from eventlog.topology import Durable

LATE_HOURS, LISTED = 48, 10_000


class Step(NamedTuple):
    """A step of a sequence of a campaign."""

    campaign: str
    sequence: str
    step: str


class ConsumerFigures(msgspec.Struct, frozen=True):
    """`pending` was not delivered yet, `ack_pending` was and is not settled; `oldest_s` is the age of the oldest."""

    pending: int
    ack_pending: int
    oldest_s: float
    paused: bool


class Storage(msgspec.Struct, frozen=True):
    """Bytes on disk, and how many there may be, of all nodes together; None where nobody has told us."""

    used: int
    limit: int | None


async def consumers(broker: Broker, now: datetime) -> dict[str, ConsumerFigures]:
    """All there are, by name. Errors: Unavailable."""
    try:
        made = await topology.made(broker)
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"consumer list not readable: {type(error).__name__}") from error
    return {each.name: await consumer_figures(broker, each, now) for each in made}


async def consumer_figures(broker: Broker, durable: Durable, now: datetime) -> ConsumerFigures:
    """Errors: Unavailable, also while the consumer does not exist."""
    try:
        found = await broker.js.consumer_info(durable.stream, durable.name)
        oldest = await lag_of(broker, durable, found, now)
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"consumer {durable.name} not readable: {type(error).__name__}") from error
    return ConsumerFigures(
        int(found.num_pending or 0), int(found.num_ack_pending or 0), oldest.oldest_s, bool(found.paused)
    )


async def storage(broker: Broker, allowed: int | None = None) -> Storage:
    """`allowed`: bytes of all nodes together, where the account has no limit of its own. Errors: Unavailable."""
    try:
        account = await broker.js.account_info()
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"JetStream did not answer: {type(error).__name__}") from error
    limit = account.limits.max_storage
    return Storage(account.storage, limit if limit > 0 else allowed)


async def parked(broker: Broker) -> int:
    """Messages that wait for a person. Errors: Unavailable."""
    return (await info(broker, subjects.PARKED)).state.messages


async def pending_by_step(broker: Broker, steps: Iterable[Step]) -> tuple[dict[Step, int], int]:
    """How many emails are armed, for each step that is asked about, and of all steps. Errors: Unavailable."""
    found = {each: await count(broker, STREAM, subjects.timers_of_step(*each)) for each in steps}
    return found, await how_many(broker)


async def oldest_overdue(broker: Broker, now: datetime) -> datetime | None:
    """When the email was due that is overdue longest: fired and not handled yet, or not even fired.

    Wake-ups fire in the order of their times, so the first that is still there is the oldest. Errors: Unavailable.
    """
    dues = [await _first_fired(broker)]
    for hour in overdue_hours(now, LATE_HOURS):
        oldest = await _oldest_armed(broker, hour, now)
        if oldest and oldest < now:
            dues.append(oldest)
            break  # later hours are later
    return min((due for due in dues if due), default=None)


async def _oldest_armed(broker: Broker, hour: datetime, now: datetime) -> datetime | None:
    """Of so many that listing them would be work, only that the hour is over."""
    wanted = subjects.timers_of_hour(hour)
    number = await count(broker, STREAM, wanted)
    if number > LISTED:
        return hour if now - hour >= timedelta(hours=1) else None
    names = (await info(broker, STREAM, wanted=wanted)).state.subjects if number else None
    return min((due for name in names or () if (due := _due(name))), default=None)


def _due(subject: str) -> datetime | None:
    """None for a key that is not ours."""
    try:
        return Timer.parse(subject).due_at
    except BadId:
        return None


async def _first_fired(broker: Broker) -> datetime | None:
    try:
        first = await broker.js.get_msg(STREAM, seq=1, subject=subjects.ALL_DUE, next=True)
    except NotFoundError:
        return None
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"wake-up not readable: {type(error).__name__}") from error
    return _due(str(first.subject))


def age_s(due: datetime | None, now: datetime) -> float:
    return max(timedelta(0), now - due).total_seconds() if due else 0.0
