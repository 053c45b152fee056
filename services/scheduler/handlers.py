"""The scheduler's handler and its sweep."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from contracts import subjects
from contracts.codec import decode_fact
from contracts.facts import AnyFact, SignupReceived, Triggered
from contracts.operations import OPERATIONS
from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item, Outcome, Park, Work
from eventlog.timers import Mark, Timers, TimersOf, overdue_hours
from journey.campaign import Campaign
from journey.contact import Contact, fold
from journey.plan import Pace, plan_all
from services.scheduler.reconcile import STUCK, Changes, reconcile

log = structlog.get_logger(__name__)

SWEEP_S = 60
LOOK_BACK_H, LOOK_BACK_AT_START_H = 48, 60 * 24
NEW_AT_START = timedelta(hours=1)
LOOKS = 4


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
    Errors: Unavailable, to be tried again; parked where a fact names a campaign we do not have.
    """
    if items[0].value.contact == OPERATIONS:
        return Done("about no contact", label="about_no_contact")
    if unknown := unknown_campaign(items[0].value, shell.campaigns):
        return Park("unknown campaign", f"no folder campaigns/{unknown}", label="unknown_campaign")
    changes = await bring_into_line(subjects.contact_of(items[0].subject), shell, woken_by=items)
    return Done(f"armed {len(changes.arm)}, purged {len(changes.purge)}", label="in_line")


def unknown_campaign(fact: AnyFact, campaigns: Collection[str]) -> str | None:
    """The campaign it begins something in, if this process has no such campaign: nothing can be planned for it."""
    named = fact.campaign if isinstance(fact, SignupReceived | Triggered) else None
    return None if named in campaigns else named


async def bring_into_line(
    contact: str, shell: Shell, *, woken_by: Sequence[Item[AnyFact]] = (), fired_are_lost: bool = False
) -> Changes:
    """Make the bucket hold what the plan says of one contact.

    The bucket is read before the facts. The other way round, what another scheduler armed in between, for a fact we
    have not read, would look unwanted and be purged. Errors: Unavailable, Undecodable.
    """
    timers = await shell.timers.of(contact)
    state = await _read_contact(contact, shell, woken_by)
    _alarm(timers)
    planned = plan_all(state, shell.campaigns, shell.pace).values()
    changes = reconcile(planned, timers, shell.campaigns, shell.clock(), fired_are_lost=fired_are_lost)
    await asyncio.gather(*(shell.timers.arm(timer, over=sequence) for timer, sequence in changes.arm))
    for timer in changes.purge:
        await shell.timers.purge(timer)
    for timer in changes.clear:
        await shell.timers.clear(timer)
    return changes


async def _read_contact(contact: str, shell: Shell, woken_by: Sequence[Item[AnyFact]]) -> Contact:
    """The contact as of now.

    A history without the fact that woke us comes from a replica that lags, and what else it lacks would look
    unwanted. After a few looks it is taken for what is left of somebody who was erased. Errors: Unavailable.
    """
    history = await shell.events.history(contact)
    there = {(fact.tag, fact.id) for fact in history}
    missing = [item for item in woken_by if (item.value.tag, item.value.id) not in there]
    if any(item.attempt < LOOKS for item in missing):
        raise Unavailable("the history lacks the fact that woke us: a replica lags")
    return fold(contact, [*history, *(item.value for item in missing)])


def _alarm(timers: TimersOf) -> None:
    """Somebody wrote or deleted a timer by hand: whatever is made of it, a person should know."""
    for entry in timers.armed:
        if not entry.scheduled:
            log.error("timer_unscheduled", key=entry.timer.key)


async def sweep(shell: Shell, *, hours: int = LOOK_BACK_H) -> int:
    """Repair what is overdue; its cost follows that, and not what is pending.

    A key still there 60 s after its time is armed again or, if its email has ended or is unwanted, purged. A wake-up
    that fired and was lost (it is still there though the sender has settled all up to it, and the email has not ended)
    is armed again. How many contacts were repaired. Errors: Unavailable.
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
        await _repair(contact, shell, fired_are_lost=contact in lost)
    return len(stuck | lost)


async def look_at_new(shell: Shell, mark: Mark) -> Mark:
    """Put right what somebody wrote over or deleted by hand since the mark, long before it is due.

    Its cost follows what was written since, and not what is pending. The mark for the next look; the old one still
    holds if this fails. Errors: Unavailable.
    """
    spoilt, mark = await shell.timers.spoilt_since(mark)
    for contact in sorted({timer.contact for timer in spoilt}):
        await _repair(contact, shell)
    return mark


async def _repair(contact: str, shell: Shell, *, fired_are_lost: bool = False) -> None:
    """One contact that cannot be read must not keep the sweep from the others. Errors: Unavailable."""
    try:
        changes = await bring_into_line(contact, shell, fired_are_lost=fired_are_lost)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - undecodable, or a bug we have not met; its message may quote a person
        log.error("not_swept", contact=contact, error=type(error).__name__)  # noqa: TRY400
        return
    if changes:
        log.warning(
            "swept",
            contact=contact,
            armed=[timer.key for timer, _ in changes.arm],
            purged=[timer.key for timer in changes.purge],
            cleared=len(changes.clear),
        )


async def _lost_wake_ups(shell: Shell, now: datetime) -> set[str]:
    """Whose wake-ups fired over a minute ago and are not on their way to the sender any more."""
    floor = await topology.settled_up_to(shell.broker, topology.SENDER)
    return {timer.contact for timer in await shell.timers.passed_over(floor) if timer.due_at + STUCK < now}


async def sweep_every_minute(shell: Shell, stop: asyncio.Event) -> None:
    """Until told to stop, and then no further: after a million writes one look takes half a minute.

    What a sweep leaves undone, the next one does.
    """
    sweeping = asyncio.create_task(_sweep_on(shell))
    try:
        await stop.wait()
    finally:
        sweeping.cancel()
        await asyncio.wait({sweeping})


async def _sweep_on(shell: Shell) -> None:
    """Until cancelled."""
    hours, mark = LOOK_BACK_AT_START_H, Mark(since=shell.clock() - NEW_AT_START)
    while True:
        try:
            mark = await look_at_new(shell, mark)
            await sweep(shell, hours=hours)
            hours = LOOK_BACK_H
        except Unavailable as error:
            log.warning("sweep_postponed", reason=str(error))
        except Exception:
            log.exception("sweep_failed")  # the next one is a minute away
        await asyncio.sleep(SWEEP_S)


def work(shell: Shell) -> Work[AnyFact]:
    """EVENTS, by contact. What names an unknown campaign goes apart: it is parked, and the rest is not."""

    def group(item: Item[AnyFact]) -> str:
        unknown = unknown_campaign(item.value, shell.campaigns)
        return f"{subjects.contact_of(item.subject)} {unknown or ''}"

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        return await on_facts(items, shell)

    return Work(
        durable=topology.SCHEDULER,
        decode=decode_fact,
        group=group,
        handle=handle,
        slots=64,
        in_hand=512,
    )
