"""An email that is hurried is sent at once and exactly once, by the scheduler and the sender as they are."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.hurry import send_now
from cli.who import Who
from cli.whom import Meant, meant
from contracts import subjects
from contracts.codec import encode
from contracts.ids import contact_id
from contracts.messages import EmailDue
from contracts.operators import OperatorHurried
from contracts.subjects import Timer
from eventlog import attempts, topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.pause import pause, resume
from eventlog.server import NatsServer
from eventlog.timers import Timers
from journey.plan import Pace, plan_all
from journey.wishes import Refusal, hurry
from services.scheduler import handlers as scheduler
from services.sender import handlers as sender
from services.sender.outcome import Refused
from services.settings import Settings
from tests.factories import ADA, CAMPAIGN, make_bounced, make_email_id, make_email_sent, make_signup
from tests.fakes import Provider
from tests.integration.test_holds import Behind
from tests.office import Office
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually, is_idle

EMAIL = make_email_id("email-3")


@pytest.fixture
async def office(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Office[Provider]:
    monkeypatch.setattr(attempts, "BACKOFF_S", (0.05,))
    office = Office(broker, Provider())
    await office.events.append(make_signup())
    return office


async def said(office: Office[Provider]) -> OperatorHurried:
    state = await office.contact(ADA)
    planned = plan_all(state, {CAMPAIGN: campaign()}, Pace())[EMAIL]
    fact = hurry(state, planned, by="grace", at=datetime.now(UTC))
    assert isinstance(fact, OperatorHurried)
    return fact


async def is_armed(office: Office[Provider], number: int) -> bool:
    return len(await Timers(office.broker).pending()) == number


async def settled(office: Office[Provider]) -> None:
    for durable in (topology.SCHEDULER, topology.SENDER):
        await eventually(lambda durable=durable: is_idle(office.broker, durable))  # type: ignore[misc]


async def test_a_hurried_email_is_sent_at_once_and_once_and_no_other_with_it(office: Office[Provider]) -> None:
    async with office.open():
        await eventually(lambda: is_armed(office, 6))
        fact = await said(office)
        stored = await asyncio.gather(*(office.events.append(fact) for _ in range(3)))
        await eventually(lambda: office.is_sent(EMAIL))
        await eventually(lambda: is_armed(office, 5))
        await settled(office)
    assert sorted(each.duplicate for each in stored) == [False, True, True]
    assert office.provider.calls.count(EMAIL) == 1
    assert dict(office.provider.accepted) == {make_email_id("email-1"): 1, EMAIL: 1}
    assert all(EMAIL not in timer.key for timer in await Timers(office.broker).pending())


async def test_a_hurried_email_that_the_provider_refuses_for_now_is_tried_again_as_ever(
    office: Office[Provider],
) -> None:
    async with office.open():
        await eventually(lambda: office.is_sent(make_email_id("email-1")))
        office.provider.script.append(Refused(500, "internal_server_error"))
        await office.events.append(await said(office))
        await eventually(lambda: has_failed_once(office))
        await office.events.append(await said(office))
        await eventually(lambda: office.is_sent(EMAIL))
        await settled(office)
    assert office.provider.accepted[EMAIL] == 1
    assert len(office.provider.calls) == 3


async def has_failed_once(office: Office[Provider]) -> bool:
    return len((await office.email(EMAIL)).attempts) == 1


async def test_an_email_hurried_while_its_timer_fires_and_the_sweep_repairs_is_sent_once(broker: Broker) -> None:
    """A day is a second, so every email is hurried around the moment it would go anyway, and wake-ups come twice."""
    office = Office(broker, Provider(), pace=Pace(speedup=24 * 3600))
    await office.events.append(make_signup(at=datetime.now(UTC)))
    steps = [make_email_id(f"email-{number}") for number in range(1, 8)]
    async with office.open():
        sweeping = asyncio.create_task(swept_without_end(office))
        hurrying = [asyncio.create_task(hurried_often(office, each)) for each in steps]
        for each in steps:
            await eventually(lambda each=each: office.is_sent(each), timeout=30)  # type: ignore[misc]
        await asyncio.gather(*hurrying)
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        await settled(office)
    assert sorted(office.provider.calls) == steps, "asked once for each, not only accepted once"
    assert dict(office.provider.accepted) == dict.fromkeys(steps, 1)
    assert await Timers(broker).pending() == []
    said = [each for each in await office.facts() if isinstance(each, OperatorHurried)]
    assert said, "some were hurried before they had gone"


async def swept_without_end(office: Office[Provider]) -> None:
    """As if each minute were over at once: every key in the bucket looks stuck."""
    late = scheduler.Shell(
        broker=office.broker, events=office.events, timers=Timers(office.broker), campaigns={CAMPAIGN: campaign()},
        pace=office.pace, clock=lambda: datetime.now(UTC) + timedelta(minutes=2),
    )  # fmt: skip
    while True:
        await scheduler.sweep(late)
        await asyncio.sleep(0)


async def hurried_often(office: Office[Provider], email_id: str) -> None:
    """Until it has gone: what operators do who do not see each other."""
    while True:
        state = await office.contact(ADA)
        planned = plan_all(state, {CAMPAIGN: campaign()}, office.pace)[email_id]
        fact = hurry(state, planned, by="grace", at=datetime.now(UTC))
        if isinstance(fact, OperatorHurried):
            await asyncio.gather(*(office.events.append(fact) for _ in range(3)))
        for due in (planned.due, datetime.now(UTC)):
            timer = Timer.at(email_id, due)
            await office.broker.publish(timer.fires_as, encode(EmailDue(email_id=email_id, due=timer.due_at)))
        if isinstance(fact, Refusal):
            return
        await asyncio.sleep(0.05)


async def test_an_email_hurried_while_the_sender_is_paused_is_sent_once_when_it_goes_on(
    office: Office[Provider],
) -> None:
    async with office.open():
        await eventually(lambda: office.is_sent(make_email_id("email-1")))
        await pause(office.broker, topology.SENDER, for_s=600, reason="by grace")
        await office.events.append(await said(office))
        await eventually(lambda: is_fired(office))
        assert office.provider.accepted[EMAIL] == 0
        await resume(office.broker, topology.SENDER)
        await eventually(lambda: office.is_sent(EMAIL))
        await settled(office)
    assert office.provider.accepted[EMAIL] == 1


async def test_a_hurried_email_is_sent_though_the_sender_reads_a_replica_that_lags(
    office: Office[Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the hurry its wake-up is only early; put aside for that, it would go at its own time after all."""
    monkeypatch.setattr(sender, "LAG_S", 0.05)
    await office.events.append(make_email_sent())
    fact = await said(office)
    await office.events.append(fact)
    shell = sender.shell_for(office.broker, office.provider, {CAMPAIGN: campaign()}, Pace())
    behind: Any = Behind(shell.events, looks=2)
    work, stop = sender.work(replace(shell, events=behind)), asyncio.Event()
    sending = asyncio.create_task(Consumer(office.broker, work, stop=stop).run())
    await shell.timers.arm(Timer.at(EMAIL, fact.at))
    await eventually(lambda: office.is_sent(EMAIL))
    await eventually(lambda: is_idle(office.broker, topology.SENDER))
    stop.set()
    await sending
    assert office.provider.calls == [EMAIL]
    assert await shell.timers.pending() == []


async def test_who_hurries_what_somebody_has_just_hurried_is_told_since_when_it_is_due(
    office: Office[Provider],
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hers = await said(office)

    async def meanwhile(*args: Any, **options: Any) -> Meant:
        found = await meant(*args, **options)
        await office.events.append(hers)
        return found

    monkeypatch.setattr("cli.hurry.meant", meanwhile)
    settings = Settings.load(nats_url=nats_server.url)
    await send_now(settings, EMAIL, campaign=None, step=None, who=Who("hopper"), as_json=False)
    told = " ".join(capsys.readouterr().out.split())
    assert told == f"{EMAIL} is due already, since {hers.at:%Y-%m-%d %H:%M:%S} UTC"
    assert [each.by for each in await office.facts() if isinstance(each, OperatorHurried)] == ["grace"]


async def is_fired(office: Office[Provider]) -> bool:
    """The wake-up waits in the bucket for the sender."""
    info = await office.broker.js.stream_info(topology.SENDER.stream, subjects_filter=f"email.due.{EMAIL}.*")
    return bool(info.state.subjects)


async def test_who_is_held_or_refuses_mail_after_a_hurry_gets_nothing(office: Office[Provider]) -> None:
    """What was said between the hurry and the wake-up counts: the sender is away meanwhile."""
    await office.events.append(make_email_sent())
    await office.events.append(await said(office))
    await office.events.append(make_bounced(at=datetime.now(UTC)))
    async with office.open():
        await settled(office)
    assert office.provider.calls == []


async def test_who_is_erased_after_a_hurry_gets_nothing(office: Office[Provider]) -> None:
    async with office.open():
        await eventually(lambda: office.is_sent(make_email_id("email-1")))
        await pause(office.broker, topology.SENDER, for_s=600, reason="by grace")
        await office.events.append(await said(office))
        await eventually(lambda: is_fired(office))
        await office.broker.js.purge_stream(subjects.EVENTS, subject=subjects.history_of(contact_id(ADA)))
        await resume(office.broker, topology.SENDER)
        await eventually(lambda: is_idle(office.broker, topology.SENDER))
    assert office.provider.calls == [make_email_id("email-1")]
