"""The scheduler's handler and its sweep."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from contracts import subjects
from contracts.codec import decode_fact
from contracts.facts import AnyFact, SignupReceived, Triggered
from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.consume import Done, Item, Outcome, Park, Work
from eventlog.log import EventLog
from eventlog.timers import Timers, overdue_hours
from journey.campaign import Campaign
from journey.contact import Contact, fold
from journey.plan import Pace, plan_all
from services.scheduler.reconcile import STUCK, Changes, reconcile

log = structlog.get_logger(__name__)

SWEEP_S = 60
LOOK_BACK_H, LOOK_BACK_AT_START_H = 48, 60 * 24


@dataclass(frozen=True)
class Shell:
    """What the scheduler works with."""

    broker: Broker
    events: EventLog
    timers: Timers
    campaigns: Mapping[str, Campaign]
    pace: Pace
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


async def on_facts(items: Sequence[Item[AnyFact]], shell: Shell) -> Outcome:
    """Something happened to a contact: bring that contact's timers into line with the plan.

    Shape:  facts of one contact → keys written and purged in `timers`.
    Errors: Unavailable, to be tried again; parked where a signup names a campaign we do not have.
    """
    facts = [item.value for item in items]
    contact = await read_contact(shell.events, facts[0].contact, facts)
    changes = await bring_into_line(contact, shell)
    named = {fact.campaign for fact in facts if isinstance(fact, SignupReceived | Triggered)}
    if unknown := named - shell.campaigns.keys():
        return Park("unknown campaign", f"no folder campaigns/{min(unknown)}")
    return Done(f"armed {len(changes.arm)}, purged {len(changes.purge)}")


async def read_contact(events: EventLog, contact: str, woken_by: Sequence[AnyFact] = ()) -> Contact:
    """The contact as of now, the facts that woke us included: a replica may lag behind what it delivered.

    Errors: Unavailable, Undecodable.
    """
    return fold(contact, [*await events.history(contact), *woken_by])


async def bring_into_line(contact: Contact, shell: Shell, *, fired_are_lost: bool = False) -> Changes:
    """Errors: Unavailable."""
    planned = plan_all(contact, shell.campaigns, shell.pace).values()
    timers = await shell.timers.of(contact.id)
    now = shell.clock()
    changes = reconcile(planned, timers, shell.campaigns, now, fired_are_lost=fired_are_lost)
    await asyncio.gather(*(shell.timers.arm(timer, over=sequence) for timer, sequence in changes.arm))
    for timer in changes.purge:
        await shell.timers.purge(timer)
    for timer in changes.clear:
        await shell.timers.clear(timer)
    return changes


async def sweep(shell: Shell, *, hours: int = LOOK_BACK_H) -> int:
    """Repair what is overdue; its cost follows that, and not what is pending.

    A key still there 60 s after its time is armed again or, if its email has ended or is unwanted, purged. A wake-up
    that fired and was lost (nothing left for the sender, and the email has not ended) is armed again. How many
    contacts were repaired. Errors: Unavailable.
    """
    now = shell.clock()
    stuck = {
        timer.contact
        for hour in overdue_hours(now, hours)
        for timer in await shell.timers.pending(hour=hour)
        if timer.due_at + STUCK < now
    }
    lost = await _lost_wake_ups(shell, now)
    for contact in stuck | lost:
        state = await read_contact(shell.events, contact)
        changes = await bring_into_line(state, shell, fired_are_lost=contact in lost)
        if changes:
            log.warning(
                "swept",
                contact=contact,
                armed=[timer.key for timer, _ in changes.arm],
                purged=[timer.key for timer in changes.purge],
                cleared=len(changes.clear),
            )
    return len(stuck | lost)


async def _lost_wake_ups(shell: Shell, now: datetime) -> set[str]:
    """Whose wake-ups fired over a minute ago and are not on their way to the sender any more."""
    if await unsettled(shell.broker, topology.SENDER):
        return set()  # they are waiting for the sender, in order
    return {timer.contact for timer in await shell.timers.fired() if timer.due_at + STUCK < now}


async def unsettled(broker: Broker, durable: topology.Durable) -> int:
    """Messages a consumer has yet to finish. Errors: Unavailable."""
    try:
        info = await broker.js.consumer_info(durable.stream, durable.name)
    except Exception as error:
        raise Unavailable(f"no consumer {durable.name}: {type(error).__name__}") from error
    return int(info.num_pending or 0) + int(info.num_ack_pending or 0)


async def sweep_every_minute(shell: Shell, stop: asyncio.Event) -> None:
    hours = LOOK_BACK_AT_START_H
    while not stop.is_set():
        try:
            await sweep(shell, hours=hours)
            hours = LOOK_BACK_H
        except Unavailable as error:
            log.warning("sweep_postponed", reason=str(error))
        except Exception:
            log.exception("sweep_failed")  # the next one is a minute away
        try:
            async with asyncio.timeout(SWEEP_S):
                await stop.wait()
        except TimeoutError:
            continue


def work(shell: Shell) -> Work[AnyFact]:
    """EVENTS, by contact."""

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        return await on_facts(items, shell)

    return Work(
        durable=topology.SCHEDULER,
        decode=decode_fact,
        group=lambda item: subjects.contact_of(item.subject),
        handle=handle,
        slots=64,
        in_hand=512,
    )
