"""An email that is hurried is sent at once and exactly once, by the scheduler and the sender as they are."""

import asyncio
from datetime import UTC, datetime

import pytest

from contracts.operators import OperatorHurried
from eventlog import attempts, topology
from eventlog.connection import Broker
from eventlog.timers import Timers
from journey.plan import Pace, plan_all
from journey.wishes import hurry
from services.sender.outcome import Refused
from tests.factories import ADA, CAMPAIGN, make_email_id, make_signup
from tests.fakes import Provider
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
