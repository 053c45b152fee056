"""Clocks that differ: nothing leaves early, nothing spins, and no fact is stamped with a wrong time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import httpx
import pytest

from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog.clock import BrokerClock
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from journey.plan import Pace
from services.ingest.server import ingest_server
from services.sender.handlers import shell_for, work
from tests.factories import CAMPAIGN, make_email_id, make_signup
from tests.fakes import Provider
from tests.integration.ingest import CAMPAIGNS, ROUTE, configured
from tests.integration.test_ingest_signed import BODY, SECRET, sign
from tests.unit.ingest.forms import FORM
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually

EMAIL = make_email_id("email-1")


def off(by: timedelta) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + by


def is_close(apart: timedelta) -> bool:
    """A measurement is as good as half the time it takes: this process may stand still meanwhile."""
    return abs(apart) < timedelta(seconds=30)


@pytest.mark.parametrize("minutes", [-600, -10, 10, 600])
async def test_a_wrong_clock_is_put_right_by_the_brokers(broker: Broker, minutes: int) -> None:
    clock = BrokerClock(broker, off(timedelta(minutes=minutes)))
    await clock.measure()
    assert is_close(clock.now() - datetime.now(UTC))


async def test_clocks_that_agree_are_left_alone(broker: Broker) -> None:
    clock = BrokerClock(broker)
    await clock.measure()
    assert clock.ahead == timedelta(0)


async def test_the_sender_takes_the_earlier_of_both(broker: Broker) -> None:
    behind, ahead = BrokerClock(broker, off(-timedelta(hours=1))), BrokerClock(broker, off(timedelta(hours=1)))
    for clock in (behind, ahead):
        await clock.measure()
    assert is_close(behind.earliest() - datetime.now(UTC) + timedelta(hours=1))
    assert is_close(ahead.earliest() - datetime.now(UTC))


async def test_a_wake_up_that_our_clock_calls_early_waits_without_spinning(broker: Broker) -> None:
    """Armed again it would fire at once, again and again, for as long as the clocks differ."""
    provider, behind = Provider(), off(-timedelta(seconds=3))
    shell = shell_for(broker, provider, {CAMPAIGN: campaign()}, Pace(), clock=behind)
    now = datetime.now(UTC)
    signup = make_signup(at=now - timedelta(seconds=1))
    await shell.events.append(signup)
    stop = asyncio.Event()
    task = asyncio.create_task(Consumer(broker, work(shell), stop=stop).run())
    try:
        await shell.timers.arm(Timer.at(EMAIL, signup.at))
        await eventually(lambda: is_sent(provider))
    finally:
        stop.set()
        await task
    assert datetime.now(UTC) - signup.at >= timedelta(seconds=3 - 1)  # a second is the grain of a key
    info = await broker.js.stream_info("KV_timers")
    assert info.state.last_seq <= 3  # put, fired and, at most, once more


async def is_sent(provider: Provider) -> bool:
    return provider.accepted[EMAIL] == 1


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_machine_whose_clock_is_wrong_refuses_no_signup_and_stamps_it_right(
    broker: Broker, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(hours=hours)

    monkeypatch.setattr("services.ingest.signature.datetime", Wrong)
    clock = BrokerClock(broker, off(timedelta(hours=hours)))
    await clock.measure()
    settings = configured(signup_webhook_secret=SECRET)
    async with (
        ingest_server(broker, settings, CAMPAIGNS, clock.now) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        answer = await client.post(ROUTE, content=BODY, headers=sign())
    assert answer.status_code == 202, answer.text
    [fact] = await EventLog(broker).history(contact_id(str(FORM["email"])))
    assert is_close(fact.at - datetime.now(UTC))
