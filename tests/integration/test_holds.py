"""Hold, resume and cancel with a scheduler and a sender on a real nats-server: nothing lost, nothing doubled."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts import subjects
from contracts.facts import AnyFact, EmailAttemptFailed, EmailUnknown
from contracts.ids import contact_id
from contracts.operators import OperatorHeld, OperatorResumed
from contracts.subjects import Timer
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.outcomes import Work
from journey.contact import Contact, fold
from journey.model import Late
from journey.plan import Pace
from journey.wishes import wish
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from services.sender.outcome import Refused
from tests.factories import (
    ADA,
    CAMPAIGN,
    at,
    make_attempt_failed,
    make_cancelled,
    make_email_failed,
    make_email_id,
    make_email_sent,
    make_held,
    make_resumed,
    make_retried,
    make_signup,
)
from tests.fakes import Clock, Provider
from tests.unit.journey.test_plan import HOURS, STEPS, campaign
from tests.waiting import eventually, is_idle

ME = contact_id(ADA)
MINE = f"{ME}.{CAMPAIGN}"
EMAIL, SECOND = make_email_id("email-1"), make_email_id("email-2")


def timers(late_h: float = 0, *, after: int = 1) -> list[Timer]:
    """Those of the later emails, so many hours late."""
    times = list(zip(STEPS, HOURS, strict=True))[after:]
    return [Timer.at(make_email_id(step), at(hours=hours + late_h)) for step, hours in times]


@dataclasses.dataclass(frozen=True)
class Office:
    """Scheduler and sender, and the world around them."""

    broker: Broker
    planner: scheduler.Shell
    postman: sender.Shell
    provider: Provider
    clock: Clock

    def under(self, policy: Late) -> "Office":
        ours = {CAMPAIGN: msgspec.structs.replace(campaign(), on_resume=policy)}
        return dataclasses.replace(
            self,
            planner=dataclasses.replace(self.planner, campaigns=ours),
            postman=dataclasses.replace(self.postman, campaigns=ours),
        )

    async def hear(self, *facts: AnyFact) -> None:
        for fact in facts:
            await self.postman.events.append(fact)

    async def contact(self) -> Contact:
        return fold(ME, await self.postman.events.history(ME))

    async def pending(self) -> list[Timer]:
        return await self.postman.timers.pending()

    async def wake(self, timer: Timer) -> None:
        """As when the timer fires: overdue, it is published at once."""
        await self.postman.timers.arm(timer)
        await eventually(lambda: self._fired(timer))

    async def _fired(self, timer: Timer) -> bool:
        return timer not in await self.pending()

    async def has_pending(self, expected: list[Timer]) -> bool:
        return await self.pending() == expected

    async def has_sent(self, email_id: str) -> bool:
        return (await self.contact()).email(email_id).is_sent

    async def has_ended(self, email_id: str) -> bool:
        return (await self.contact()).email(email_id).end is not None

    @asynccontextmanager
    async def working(self, *works: Work[Any]) -> AsyncIterator[None]:
        """What runs until there is nothing left to do; both services unless said otherwise."""
        works = works or (scheduler.work(self.planner), sender.work(self.postman))
        stop = asyncio.Event()
        tasks = [asyncio.create_task(Consumer(self.broker, work, stop=stop).run()) for work in works]
        try:
            yield
            await eventually(lambda: self._are_idle(works))
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def _are_idle(self, works: Iterable[Work[Any]]) -> bool:
        return all([await is_idle(self.broker, work.durable) for work in works])

    def sending(self, shell: sender.Shell | None = None) -> Any:
        return self.working(sender.work(shell or self.postman))

    def scheduling(self) -> Any:
        return self.working(scheduler.work(self.planner))


@pytest.fixture
def office(broker: Broker) -> Office:
    provider, clock, ours = Provider(), Clock(at(seconds=5)), {CAMPAIGN: campaign()}
    shell = dataclasses.replace(sender.shell_for(broker, provider, ours, Pace()), clock=clock)
    planner = scheduler.Shell(broker, shell.events, shell.timers, ours, Pace(), clock)
    return Office(broker, planner, shell, provider, clock)


async def test_a_hold_purges_what_is_pending_and_a_resume_arms_it_again_later(office: Office) -> None:
    await office.hear(make_signup(), make_email_sent())
    async with office.working():
        await eventually(lambda: office.has_pending(timers()))
        await office.hear(make_held())
        await eventually(lambda: office.has_pending([]))
        await office.hear(make_resumed(at=at(hours=2)))
        await eventually(lambda: office.has_pending(timers(late_h=2)))
    assert office.provider.calls == []


async def test_a_resume_before_anything_was_due_arms_the_very_same_timers(office: Office) -> None:
    """The same keys as were purged a moment before."""
    office = office.under("send")
    await office.hear(make_signup(), make_email_sent())
    async with office.working():
        await eventually(lambda: office.has_pending(timers()))
        await office.hear(make_held())
        await eventually(lambda: office.has_pending([]))
        await office.hear(make_resumed(at=at(seconds=5)))
        await eventually(lambda: office.has_pending(timers()))


@pytest.mark.parametrize(
    "wishes", [[make_held()], [make_held(), make_resumed(at=at(hours=2))]], ids=["held", "resumed"]
)
async def test_the_sweep_finds_nothing_to_change(office: Office, wishes: list[AnyFact]) -> None:
    await office.hear(make_signup(), make_email_sent(), *wishes)
    async with office.scheduling():
        pass
    before = await office.pending()
    office.clock.forward(seconds=61)
    assert await scheduler.sweep(office.planner) == 0
    assert not await scheduler.bring_into_line(ME, office.planner)
    assert await office.pending() == before


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
async def test_what_came_due_while_held_follows_the_campaigns_policy(office: Office, policy: Late) -> None:
    """The signup was 30 hours ago, so the second email was due after 24; held from the 23rd hour to the 29th.

    With `shift` it is due an hour after the resume, which is now; with `send` at the resume.
    """
    office = office.under(policy)
    start = -30
    await office.hear(make_signup(at=at(hours=start)), make_email_sent(at=at(hours=start)))
    await office.hear(make_held(at=at(hours=start + 23)), make_resumed(at=at(hours=start + 29)))
    async with office.working():
        if policy != "skip":
            await eventually(lambda: office.has_sent(SECOND))
    assert office.provider.accepted == ({} if policy == "skip" else {SECOND: 1})
    late = {"shift": 6, "send": 0, "skip": 0}[policy]
    assert await office.pending() == [
        Timer.at(make_email_id(step), at(hours=start + hours + late))
        for step, hours in list(zip(STEPS, HOURS, strict=True))[2:]
    ]


async def test_a_wake_up_that_fires_while_held_leaves_no_trace_and_the_email_is_sent_after_the_resume(
    office: Office,
) -> None:
    await office.hear(make_signup(), make_held())
    async with office.sending():
        await office.wake(Timer.at(EMAIL, at()))
    assert office.provider.calls == []
    assert await office.postman.timers.fired() == []
    assert len(await office.postman.events.history(ME)) == 2
    await office.hear(make_resumed(at=at(seconds=5)))
    async with office.working():
        await eventually(lambda: office.has_sent(EMAIL))
    assert office.provider.accepted == {EMAIL: 1}


class Meanwhile:
    """Stands before one part of a shell; a fact arrives just before one of its calls."""

    def __init__(self, real: Any, method: str, office: Office, fact: AnyFact) -> None:
        self._real, self._method, self._office, self._fact = real, method, office, fact

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._real, name)

        async def late(*args: Any, **kwargs: Any) -> Any:
            await self._office.hear(self._fact)
            return await getattr(self._real, name)(*args, **kwargs)

        return late


async def test_a_hold_between_the_firing_and_the_senders_look_keeps_it_back(office: Office) -> None:
    await office.hear(make_signup())
    claims: Any = Meanwhile(office.postman.claims, "get", office, make_held())
    async with office.sending(dataclasses.replace(office.postman, claims=claims)):
        await office.wake(Timer.at(EMAIL, at()))
    assert office.provider.calls == []
    await office.hear(make_resumed(at=at(seconds=5)))
    async with office.working():
        await eventually(lambda: office.has_sent(EMAIL))
    assert office.provider.accepted == {EMAIL: 1}


async def test_a_hold_that_comes_while_it_is_being_sent_is_too_late_and_doubles_nothing(office: Office) -> None:
    await office.hear(make_signup())
    office.provider.before_answer = lambda: office.hear(make_held())
    async with office.working():
        await eventually(lambda: office.has_sent(EMAIL))
        await office.hear(make_resumed(at=at(hours=1)))
    assert office.provider.accepted == {EMAIL: 1}
    assert await office.pending() == timers(late_h=1)


async def test_a_resume_while_a_wake_up_is_put_aside_arms_it(office: Office) -> None:
    """The scheduler saw the wake-up on its way and armed nothing; so whoever puts it aside looks once more."""
    office = office.under("send")
    await office.hear(make_signup(), make_held(SECOND))
    put_aside: Any = Meanwhile(office.postman.timers, "clear", office, make_resumed(SECOND, at=at(seconds=5)))
    async with office.sending(dataclasses.replace(office.postman, timers=put_aside)):
        await office.wake(Timer.at(SECOND, at()))
    assert await office.pending() == timers()[:1]


class Behind:
    """Reads from a replica that lags: for the first few looks it does not know the newest fact."""

    def __init__(self, real: Any, looks: int) -> None:
        self._real, self._looks = real, looks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def history(self, contact: str) -> list[AnyFact]:
        facts: list[AnyFact] = await self._real.history(contact)
        self._looks -= 1
        return facts if self._looks < 0 else facts[:-1]


@pytest.mark.parametrize(
    ("before", "newest"),
    [
        (make_held(at=at(seconds=-9)), make_resumed(at=at(seconds=3))),
        (make_cancelled(at=at(seconds=-9)), make_resumed(at=at(seconds=3))),
        (make_email_failed(), make_retried(at=at(seconds=3))),
    ],
    ids=["held", "cancelled", "failed"],
)
async def test_a_wake_up_is_not_put_aside_while_the_fact_that_armed_it_is_not_visible_yet(
    office: Office, before: AnyFact, newest: AnyFact
) -> None:
    """The scheduler saw that fact, armed this one wake-up for it and has no reason to look again."""
    office = office.under("send")
    await office.hear(make_signup(), before, newest)
    behind: Any = Behind(office.postman.events, looks=2)
    async with office.sending(dataclasses.replace(office.postman, events=behind)):
        await office.wake(Timer.at(EMAIL, at(seconds=3)))
    assert await office.has_sent(EMAIL)
    assert len(office.provider.calls) == 1
    assert await office.postman.timers.fired() == []


async def test_hold_resume_hold_keeps_it_back_until_the_last_resume(office: Office) -> None:
    await office.hear(make_signup(), make_email_sent())
    async with office.working():
        for n in range(2):
            await office.hear(make_held(at=at(hours=2 * n), round=2 * n))
            await office.hear(make_resumed(at=at(hours=2 * n + 1), round=2 * n + 1))
        await eventually(lambda: office.has_pending(timers(late_h=2)))
        await office.hear(make_held(at=at(hours=4), round=4))
        await eventually(lambda: office.has_pending([]))
        await office.hear(make_resumed(at=at(hours=5), round=5))
        await eventually(lambda: office.has_pending(timers(late_h=3)))


async def test_what_was_cancelled_comes_back_with_a_resume(office: Office) -> None:
    await office.hear(make_signup(), make_cancelled(EMAIL))
    async with office.sending():
        await office.wake(Timer.at(EMAIL, at()))
    assert office.provider.calls == []
    assert await office.postman.timers.fired() == []
    async with office.working():
        await office.hear(make_resumed(EMAIL, at=at(seconds=5)))
        await eventually(lambda: office.has_sent(EMAIL))
    assert office.provider.accepted == {EMAIL: 1}


async def test_two_hands_that_hold_at_once_are_one_hold(office: Office) -> None:
    await office.hear(make_signup(), make_email_sent())
    seen = await office.contact()
    wishes = [wish(seen, OperatorHeld, ME, by=who, at=at(seconds=n)) for n, who in enumerate(("grace", "ops"))]
    await asyncio.gather(*(office.hear(each) for each in wishes if each))
    held = [fact for fact in await office.postman.events.history(ME) if isinstance(fact, OperatorHeld)]
    assert len(held) == 1
    resume = wish(await office.contact(), OperatorResumed, ME, by="grace", at=at(hours=1))
    assert resume
    await office.hear(resume)
    async with office.scheduling():
        pass
    assert await office.pending() == timers(late_h=1 - (held[0].at - at()).total_seconds() / 3600)


async def test_what_two_hold_goes_on_when_both_have_resumed(office: Office) -> None:
    await office.hear(make_signup(), make_email_sent(), make_held(), make_held(MINE))
    async with office.scheduling():
        await office.hear(make_resumed(at=at(hours=1)))
    assert await office.pending() == []
    async with office.scheduling():
        await office.hear(make_resumed(MINE, at=at(hours=2)))
    assert await office.pending() == timers(late_h=2)


async def in_doubt_and_held(office: Office) -> None:
    """Accepted, and the sender was gone before it wrote that down; then somebody held it."""
    await office.hear(make_signup())
    office.provider.script = [RuntimeError("the machine is gone")]
    async with office.sending():
        await office.wake(Timer.at(EMAIL, at()))
        await eventually(lambda: _called(office))
        await office.hear(make_held())
    assert office.provider.accepted == {EMAIL: 1}


async def _called(office: Office) -> bool:
    return bool(office.provider.calls)


async def test_an_email_held_in_doubt_is_settled_under_the_same_key_after_the_resume(office: Office) -> None:
    await in_doubt_and_held(office)
    email = (await office.contact()).email(EMAIL)
    assert email.end is None
    assert [attempt.accepted for attempt in email.attempts.values()] == ["maybe"]
    office.clock.forward(hours=1)
    await office.hear(make_resumed(at=office.clock()))
    async with office.sending():
        await office.wake(Timer.at(EMAIL, at(minutes=-1)))
    assert await office.has_sent(EMAIL)
    assert set(office.provider.calls) == {EMAIL}
    assert office.provider.accepted == {EMAIL: 1}


@pytest.mark.parametrize("policy", ["shift", "send", "skip"])
async def test_an_email_held_in_doubt_for_over_a_day_is_unknown_and_never_sent_again(
    office: Office, policy: Late
) -> None:
    await in_doubt_and_held(office.under(policy))
    office.provider.forget_keys()
    office.clock.forward(hours=30)
    await office.hear(make_resumed(at=office.clock()))
    async with office.under(policy).sending():
        await office.wake(Timer.at(EMAIL, at(minutes=-1)))
    assert office.provider.accepted == {EMAIL: 1}
    assert isinstance((await office.contact()).email(EMAIL).end, EmailUnknown)
    parked = (await office.broker.js.stream_info(subjects.PARKED, subjects_filter=">")).state.subjects or {}
    assert len(parked) == 1


async def test_a_retry_that_comes_due_while_held_waits_for_the_resume(office: Office) -> None:
    await office.hear(make_signup())
    office.provider.script = [Refused(500, "internal_server_error")]
    async with office.sending():
        await office.wake(Timer.at(EMAIL, at()))
    [attempt] = [fact for fact in await office.postman.events.history(ME) if isinstance(fact, EmailAttemptFailed)]
    await office.hear(make_held(EMAIL, at=at(seconds=6)))
    async with office.sending():
        await office.wake(Timer.at(EMAIL, attempt.retry_at - timedelta(days=300)))
    assert len(office.provider.calls) == 1
    office.clock.forward(minutes=5)
    await office.hear(make_resumed(EMAIL, at=at(seconds=20)))
    async with office.sending():
        await office.wake(Timer.at(EMAIL, at(seconds=-1)))
    assert office.provider.accepted == {EMAIL: 1}


async def test_what_is_cancelled_in_doubt_ends_as_unknown_and_nothing_wakes_it_again(office: Office) -> None:
    """The doubt is a fact, and the wake-up of the attempt that would have followed is the last one there is."""
    maybe = make_attempt_failed(accepted="maybe", retry_at=at(seconds=2))
    await office.hear(make_signup(), maybe, make_cancelled(MINE))
    async with office.working():
        await eventually(lambda: office.has_ended(EMAIL))
    assert isinstance((await office.contact()).email(EMAIL).end, EmailUnknown)
    assert office.provider.calls == []
    office.clock.forward(minutes=5)
    assert await scheduler.sweep(office.planner) == 0
    assert not await scheduler.bring_into_line(ME, office.planner)
    assert await office.pending() == await office.postman.timers.fired() == []
