"""Exactly once, on a real nats-server: whatever crashes, repeats or races, one email at most, and never silence."""

import asyncio
import base64
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pytest

from contracts import subjects
from contracts.facts import AnyFact, EmailAttemptFailed, EmailFailed, EmailSent, EmailSkipped, EmailUnknown
from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.consume import Consumer
from journey.contact import Contact, Email, fold
from journey.plan import Pace, plan_all
from journey.views import story
from services.notion_sync.projection import rows_for
from services.scheduler import handlers as scheduler
from services.sender.handlers import Shell, shell_for, work
from services.sender.outcome import Refused
from tests import deliveries
from tests.factories import (
    ADA,
    CAMPAIGN,
    at,
    make_booking_cancelled,
    make_booking_created,
    make_booking_requested,
    make_email_id,
    make_email_sent,
    make_signup,
)
from tests.fakes import Clock, Provider
from tests.integration.ingest import running
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually, is_idle

EMAIL = make_email_id("email-1")
TIMER = Timer.at(EMAIL, at())


@dataclass(frozen=True)
class Rig:
    """A sender with everything around it that a test may want to turn."""

    shell: Shell
    provider: Provider
    clock: Clock
    broker: Broker

    async def wake(self, timer: Timer = TIMER) -> None:
        """As when the timer fires: overdue, it is published at once."""
        await self.shell.timers.arm(timer)
        await eventually(lambda: self._has_fired(timer))

    async def _has_fired(self, timer: Timer) -> bool:
        return timer not in await self.shell.timers.pending()

    async def facts(self) -> list[AnyFact]:
        return (await self.shell.events.history(contact_id(ADA)))[1:]

    async def email(self) -> Email:
        return fold(contact_id(ADA), await self.shell.events.history(contact_id(ADA))).email(EMAIL)

    async def idle(self) -> bool:
        return await is_idle(self.broker, topology.SENDER)


@pytest.fixture
async def rig(broker: Broker) -> Rig:
    provider, clock = Provider(), Clock(at(seconds=5))
    shell = dataclasses.replace(shell_for(broker, provider, {CAMPAIGN: campaign()}, Pace()), clock=clock)
    await shell.events.append(make_signup())
    return Rig(shell, provider, clock, broker)


@asynccontextmanager
async def sending(rig: Rig, *, shell: Shell | None = None) -> AsyncIterator[None]:
    """A running sender; at the end it has nothing left to do."""
    stop = asyncio.Event()
    task = asyncio.create_task(Consumer(rig.broker, work(shell or rig.shell), stop=stop).run())
    try:
        yield
        await eventually(rig.idle)
    finally:
        stop.set()
        await task


async def test_a_due_email_is_sent_and_recorded(rig: Rig) -> None:
    async with sending(rig):
        await rig.wake()
    [sent] = await rig.facts()
    assert isinstance(sent, EmailSent)
    assert (sent.email_id, sent.provider_id, sent.template) == (EMAIL, "re_0", "christmas_email_1")
    assert rig.provider.accepted == {EMAIL: 1}


async def test_the_request_carries_everything_resend_needs(rig: Rig) -> None:
    async with sending(rig):
        await rig.wake()
    body: dict[str, Any] = msgspec.json.decode(rig.provider.bodies[EMAIL][0])
    assert body["to"] == [ADA]
    assert body["from"] == campaign().sender
    assert body["html"].startswith("<!doctype html>")
    assert "Ada" in body["text"]
    tags = {tag["name"]: tag["value"] for tag in body["tags"]}
    assert (tags["campaign"], tags["step"], tags["email_id"]) == (CAMPAIGN, "email-1", EMAIL.replace(".", "_"))
    assert body["headers"]["List-Unsubscribe"].startswith("<mailto:")


async def test_a_timer_that_fires_twice_sends_once(rig: Rig) -> None:
    async with sending(rig):
        await rig.wake()
        await rig.wake(Timer.at(EMAIL, at(seconds=1)))
        await rig.wake(Timer.at(EMAIL, at(seconds=2)))
    assert rig.provider.accepted == {EMAIL: 1}
    assert len(await rig.facts()) == 1


async def test_two_senders_at_once_send_once(rig: Rig) -> None:
    async with sending(rig), sending(rig):
        for second in range(6):
            await rig.wake(Timer.at(EMAIL, at(seconds=-second)))
    assert rig.provider.accepted == {EMAIL: 1}
    assert [fact.tag for fact in await rig.facts()] == ["email_sent"]


async def test_a_wake_up_for_what_was_sent_before_calls_nobody(rig: Rig) -> None:
    await rig.shell.events.append(make_email_sent())
    async with sending(rig):
        await rig.wake()
    assert rig.provider.calls == []


async def test_a_wake_up_before_its_time_arms_the_right_time_and_sends_nothing(rig: Rig) -> None:
    early = Timer.at(make_email_id("email-2"), at(seconds=-1))
    async with sending(rig):
        await rig.wake(early)
        await eventually(lambda: _armed(rig, Timer.at(make_email_id("email-2"), at(hours=24))))
    assert rig.provider.calls == []


async def _armed(rig: Rig, timer: Timer) -> bool:
    return timer in await rig.shell.timers.pending()


async def test_a_wake_up_for_an_email_nobody_plans_is_skipped_with_its_reason(rig: Rig) -> None:
    stranger = Timer.at(make_email_id("email-99"), at())
    async with sending(rig):
        await rig.wake(stranger)
        await eventually(lambda: _has_fact(rig, EmailSkipped))
    [skipped] = await rig.facts()
    assert isinstance(skipped, EmailSkipped)
    assert skipped.reason == "not_planned"
    assert rig.provider.calls == []


async def _has_fact(rig: Rig, kind: type) -> bool:
    return any(isinstance(fact, kind) for fact in await rig.facts())


async def test_an_expired_email_is_skipped_and_never_sent(rig: Rig) -> None:
    rig.clock.forward(days=4)
    async with sending(rig):
        await rig.wake()
    [skipped] = await rig.facts()
    assert isinstance(skipped, EmailSkipped)
    assert skipped.reason == "expired"
    assert rig.provider.calls == []


STEPS_OF_A_SEND = ["history", "claim", "send", "append", "settle", "clear"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS_OF_A_SEND)
async def test_a_sender_that_stops_at_any_step_still_sends_once(rig: Rig, step: str, after: bool) -> None:
    crashing = crash_once(rig.shell, step, after=after)
    async with sending(rig, shell=crashing):
        await rig.wake()
    assert rig.provider.accepted == {EMAIL: 1}
    assert [fact.tag for fact in await rig.facts()] == ["email_sent"]
    assert len(set(rig.provider.bodies[EMAIL])) == 1
    assert await rig.shell.timers.fired() == []


def crash_once(shell: Shell, step: str, *, after: bool, times: int = 1) -> Shell:
    """A shell in which one call ends as a lost connection, before or after it took effect, the first time or times."""
    homes: dict[str, tuple[str, str]] = {
        "history": ("events", "history"),
        "claim": ("claims", "create"),
        "send": ("provider", "send"),
        "append": ("events", "append"),
        "settle": ("claims", "settle"),
        "clear": ("timers", "clear"),
    }
    part, method = homes[step]
    broken: Any = Crashing(getattr(shell, part), method, after=after, times=times)
    return dataclasses.replace(shell, **{part: broken})


class Crashing:
    """Stands before one part of the shell; its method breaks so often."""

    def __init__(self, real: Any, method: str, *, after: bool, times: int) -> None:
        self._real, self._method, self._after, self._left = real, method, after, times

    def __getattr__(self, name: str) -> Any:
        if name != self._method or not self._left:
            return getattr(self._real, name)

        async def breaks(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._after:
                await getattr(self._real, name)(*args, **kwargs)
            raise Unavailable("the connection broke")

        return breaks


async def test_a_repeat_after_a_changed_signup_sends_the_bytes_that_were_claimed(rig: Rig) -> None:
    """Otherwise the provider would see the same key with another body, and we could not tell what was sent."""
    rig.provider.script = [Unavailable("accepted, and we never heard of it")]
    rig.provider.before_answer = lambda: _sign_up_again(rig)
    async with sending(rig):
        await rig.wake()
    assert rig.provider.accepted == {EMAIL: 1}
    assert len(rig.provider.calls) == 2
    assert len(set(rig.provider.bodies[EMAIL])) == 1
    assert isinstance((await rig.email()).end, EmailSent)


async def _sign_up_again(rig: Rig) -> None:
    rig.provider.before_answer = None
    await rig.shell.events.append(make_signup(first_name="Adelaide", at=at(seconds=3)))


async def test_a_changed_signup_changes_the_emails_still_pending(rig: Rig) -> None:
    await rig.shell.events.append(make_signup(first_name="Adelaide", red_systems=0, orange_systems=0, at=at(hours=1)))
    rig.clock.forward(hours=24)
    second = Timer.at(make_email_id("email-2"), at(seconds=-1))
    async with sending(rig):
        await rig.wake(second)
        await eventually(lambda: _has_fact(rig, EmailSent))
    sent = [fact for fact in await rig.facts() if isinstance(fact, EmailSent)]
    assert sent[0].template == "christmas_email_2c"
    assert b"Adelaide" in rig.provider.bodies[make_email_id("email-2")][0]


async def test_a_failure_is_a_fact_with_its_next_time_and_the_retry_sends_once(rig: Rig) -> None:
    rig.provider.script = [Refused(500, "internal_server_error")]
    async with sending(rig):
        await rig.wake()
    [attempt] = await rig.facts()
    assert isinstance(attempt, EmailAttemptFailed)
    assert (attempt.attempt, attempt.accepted, attempt.retry_at) == (1, "maybe", at(seconds=65))
    rig.clock.forward(seconds=61)
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=-1)))
    assert rig.provider.accepted == {EMAIL: 1}
    assert [fact.tag for fact in await rig.facts()] == ["email_attempt_failed", "email_sent"]


async def test_a_final_refusal_fails_the_email_and_is_never_tried_again(rig: Rig) -> None:
    rig.provider.script = [Refused(422, "missing_required_field", "to")]
    async with sending(rig):
        await rig.wake()
        await eventually(lambda: _has_fact(rig, EmailFailed))
        await rig.wake(Timer.at(EMAIL, at(seconds=-1)))
    assert len(rig.provider.calls) == 1
    assert [fact.tag for fact in await rig.facts()] == ["email_failed"]


async def test_refusals_until_the_email_expires_end_as_failed(rig: Rig) -> None:
    for attempt in range(1, 4):
        rig.provider.script = [Refused(429, "rate_limit_exceeded")]
        async with sending(rig):
            await rig.wake(Timer.at(EMAIL, at(seconds=-attempt)))
        rig.clock.forward(hours=1)
    rig.clock.forward(days=3)
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=-60)))
    tags = [fact.tag for fact in await rig.facts()]
    assert tags == ["email_attempt_failed"] * 3 + ["email_failed"]
    assert rig.provider.accepted == {}


async def test_an_attempt_unconfirmed_for_a_day_is_never_sent_again_but_parked_as_unknown(rig: Rig) -> None:
    rig.provider.script = [Refused(0, "HttpClientError")]
    async with sending(rig):
        await rig.wake()
    rig.provider.forget_keys()
    rig.clock.forward(hours=24)
    calls = len(rig.provider.calls)
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=-1)))
    assert len(rig.provider.calls) == calls
    assert isinstance((await rig.email()).end, EmailUnknown)
    parked = (await rig.broker.js.stream_info(subjects.PARKED, subjects_filter=">")).state.subjects or {}
    assert len(parked) == 1


async def test_a_claim_whose_sender_never_came_back_is_not_sent_again_after_a_day(rig: Rig) -> None:
    """Accepted, and then the machine was gone before anything was written down."""
    stop_after_send = crash_once(rig.shell, "append", after=False, times=1_000)
    stop = asyncio.Event()
    task = asyncio.create_task(Consumer(rig.broker, work(stop_after_send), stop=stop).run())
    await rig.wake()
    await eventually(lambda: _called(rig))
    stop.set()
    await task
    rig.provider.forget_keys()
    rig.clock.forward(hours=24)
    async with sending(rig):
        pass
    assert rig.provider.accepted == {EMAIL: 1}
    assert isinstance((await rig.email()).end, EmailUnknown)


async def _called(rig: Rig) -> bool:
    return bool(rig.provider.calls)


async def test_quota_trouble_pauses_the_sender_and_fails_no_email(rig: Rig) -> None:
    rig.provider.script = [Refused(429, "daily_quota_exceeded", retry_after_s=0.5)]
    async with sending(rig):
        await rig.wake()
    [attempt] = await rig.facts()
    assert isinstance(attempt, EmailAttemptFailed)
    assert (attempt.reason, attempt.accepted) == ("daily_quota_exceeded", "no")
    rig.clock.forward(seconds=61)
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=-1)))
    assert isinstance((await rig.email()).end, EmailSent)


async def test_the_body_is_dropped_once_the_email_is_sent(rig: Rig) -> None:
    async with sending(rig):
        await rig.wake()
    entry = await rig.shell.claims.get(EMAIL)
    assert entry
    assert entry.value.body is None


async def test_a_settled_email_whose_facts_were_lost_is_not_sent_again(rig: Rig) -> None:
    """Yesterday's backup of EVENTS knows nothing of what was sent since."""
    async with sending(rig):
        await rig.wake()
    await rig.broker.js.purge_stream(subjects.EVENTS, subject=f"events.{contact_id(ADA)}.email_sent.>")
    assert (await rig.email()).end is None
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=-1)))
        await eventually(lambda: _has_fact(rig, EmailUnknown))
    assert rig.provider.accepted == {EMAIL: 1}


async def test_an_email_of_a_campaign_this_process_does_not_know_waits_for_one_that_does(rig: Rig) -> None:
    """An older deployment must not end what a newer one planned, nor hold up what it does know."""
    async with sending(rig, shell=dataclasses.replace(rig.shell, campaigns={})):
        await rig.wake()
        await eventually(rig.idle)
    assert await rig.facts() == []
    assert rig.provider.calls == []
    assert await rig.shell.timers.fired() == [TIMER]
    planner = scheduler.Shell(
        broker=rig.broker,
        events=rig.shell.events,
        timers=rig.shell.timers,
        campaigns=rig.shell.campaigns,
        pace=Pace(),
        clock=Clock(at(minutes=2)),
    )
    async with sending(rig):
        await scheduler.sweep(planner)
        await eventually(lambda: was_sent(rig))
    assert rig.provider.accepted == {EMAIL: 1}
    assert await rig.shell.timers.fired() == []


async def was_sent(rig: Rig) -> bool:
    return (await rig.email()).is_sent


def call(sent_s: float = 0, start_h: float = 72) -> AnyFact:
    """A call whose prep guide is due now."""
    return make_booking_created(start=at(hours=start_h), sent_at=at(days=-1, seconds=sent_s))


def guide_of(facts: list[AnyFact]) -> Timer:
    planned = plan_all(fold(contact_id(ADA), facts), {CAMPAIGN: campaign()}, Pace())
    guide = next(each for each in planned.values() if each.step.id == "prep-guide")
    return Timer.at(guide.email_id, guide.planned_for)


async def test_an_email_around_a_call_carries_its_calendar_file(rig: Rig) -> None:
    booked = call()
    await rig.shell.events.append(booked)
    timer = guide_of([booked])
    async with sending(rig):
        await rig.wake(timer)
    body = msgspec.json.decode(rig.provider.bodies[timer.email_id][0])
    [attachment] = body["attachments"]
    assert attachment["content_type"].startswith("text/calendar")
    assert b"METHOD:REQUEST" in base64.b64decode(attachment["content"])


async def test_a_reminder_of_a_cancelled_call_is_not_sent_and_leaves_no_fact(rig: Rig) -> None:
    booked = call()
    await rig.shell.events.append(booked)
    await rig.shell.events.append(make_booking_cancelled(sent_at=at(seconds=-1)))
    async with sending(rig):
        await rig.wake(guide_of([booked]))
    assert rig.provider.calls == []
    assert [fact.tag for fact in await rig.facts()] == ["booking_created", "booking_cancelled"]
    assert await rig.shell.timers.fired() == []


async def test_a_call_wanted_again_while_its_wake_up_was_put_aside_is_armed(rig: Rig) -> None:
    """The scheduler saw the wake-up on its way and armed nothing; so whoever puts it aside looks once more."""
    booked = call()
    asked = make_booking_requested(start=at(hours=72), sent_at=at(days=-1))
    await rig.shell.events.append(asked)
    timer = guide_of([booked])
    timers: Any = Confirming(rig.shell.timers, rig.shell.events, booked)
    confirming = dataclasses.replace(rig.shell, timers=timers)
    async with sending(rig, shell=confirming):
        await rig.wake(timer)
        await eventually(lambda: _has_fact(rig, EmailSent))
    assert rig.provider.accepted == {timer.email_id: 1}


class Confirming:
    """The confirmation arrives just before the wake-up is cleared."""

    def __init__(self, real: Any, events: Any, fact: AnyFact) -> None:
        self._real, self._events, self._fact = real, events, fact

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def clear(self, timer: Timer) -> None:
        await self._events.append(self._fact)
        await self._real.clear(timer)


async def hear(rig: Rig, said: deliveries.Body, webhook: str = "msg_1") -> None:
    """The provider's webhook arrives, at a real ingest."""
    async with running(rig.broker) as ingest:
        answer = await ingest.post("/webhook/resend", json=said, headers={"svix-id": webhook})
        assert answer.status_code == 202, answer.text


async def contact_of(rig: Rig) -> Contact:
    return fold(contact_id(ADA), await rig.shell.events.history(contact_id(ADA)))


@pytest.mark.parametrize(("step", "after"), [("send", True), ("append", False)], ids=["no answer", "no fact"])
async def test_a_webhook_that_overtakes_a_crashed_sender_leaves_no_doubt_and_no_second_call(
    rig: Rig, step: str, after: bool
) -> None:
    rig.provider.before_answer = lambda: hear(rig, deliveries.body("email.sent"))
    async with sending(rig, shell=crash_once(rig.shell, step, after=after)):
        await rig.wake()
    assert rig.provider.calls == [EMAIL]
    assert [fact.tag for fact in await rig.facts()] == ["email_accepted"]
    claim = await rig.shell.claims.get(EMAIL)
    assert claim
    assert claim.value.body is None
    assert await rig.shell.timers.fired() == []


@pytest.mark.parametrize("event", ["email.sent", "email.delivered", "email.opened", "email.delivery_delayed"])
async def test_an_email_in_doubt_is_settled_by_a_webhook_that_names_it(rig: Rig, event: str) -> None:
    rig.provider.script = [Refused(500, "application_error")]
    async with sending(rig):
        await rig.wake()
    rig.clock.forward(hours=24)
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=1)))
    assert await shown(rig) == ("unknown", None, None)

    await hear(rig, deliveries.body(event, said=at(hours=1)))

    moment = at(hours=1)
    assert await shown(rig) == ("sent", moment.isoformat(), moment)
    async with sending(rig):
        await rig.wake(Timer.at(EMAIL, at(seconds=2)))
    assert rig.provider.calls == [EMAIL]
    assert [fact.tag for fact in await rig.facts()].count("email_unknown") == 1


async def shown(rig: Rig) -> tuple[str, str | None, Any]:
    """As `dripstream contact` tells it, and as the Notion row has it."""
    contact, campaigns = await contact_of(rig), {CAMPAIGN: campaign()}
    planned = list(plan_all(contact, campaigns, Pace()).values())
    told = next(each for each in story(contact, [], planned)["emails"] if each["email_id"] == EMAIL)
    row = next(row for row in rows_for(contact, campaigns, Pace()) if row.key.startswith("sequence."))
    date: Any = row.properties["Email 1 Sent"]["date"]
    return told["state"], told["sent_at"], date and datetime.fromisoformat(date["start"])


async def test_a_bounce_stops_the_campaign(rig: Rig) -> None:
    async with sending(rig):
        await rig.wake()
    await hear(rig, deliveries.bounced())
    second = make_email_id("email-2")
    rig.clock.forward(hours=25)
    async with sending(rig):
        await rig.wake(Timer.at(second, at(seconds=1)))
    assert rig.provider.calls == [EMAIL]
    planned = plan_all(await contact_of(rig), {CAMPAIGN: campaign()}, Pace())
    assert (planned[EMAIL].state, planned[second].state, planned[second].reason) == ("sent", "skipped", "suppressed")


async def test_a_guests_bounce_does_not_stop_it(rig: Rig) -> None:
    await hear(rig, deliveries.bounced(to=["bob@example.com"], tags=deliveries.tagged(make_email_id("email-2"))))
    async with sending(rig):
        await rig.wake()
    assert rig.provider.accepted == {EMAIL: 1}
