"""Claims that expired, and a broker that is killed: what was sent stays sent."""

import signal
from dataclasses import replace

import pytest

from contracts.subjects import Timer
from eventlog import claims as ledger
from eventlog.claims import Claims
from eventlog.connection import Broker, connect
from eventlog.server import NatsServer
from eventlog.timers import Timers
from tests.factories import at, make_email_id, make_signup
from tests.fakes import Provider
from tests.office import Office
from tests.waiting import eventually

EMAIL = make_email_id("email-1")


@pytest.mark.parametrize("times", [1, 3])
async def test_a_claim_that_expired_stays_gone_and_its_email_sent_once_when_the_broker_is_killed(
    broker: Broker, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The ledger forgets after two days, the provider after one: only the facts say that it was sent."""
    monkeypatch.setattr(ledger, "SETTLED_S", 1)
    office = Office(broker, Provider())
    await office.events.append(make_signup())
    async with office.open():
        await eventually(lambda: office.is_sent(EMAIL))
    await eventually(lambda: has_expired(broker))
    office.provider.forget_keys()
    for _ in range(times):
        await nats_server.restart(signal.SIGKILL)
    async with connect(nats_server.url, name="again", patience_s=20) as anew:
        assert await Claims(anew).get(EMAIL) is None
        await Timers(anew).arm(Timer.at(EMAIL, at()))
        after = replace(office, broker=anew)
        async with after.open():
            await eventually(lambda: nothing_is_left(anew))
    assert office.provider.accepted == {EMAIL: 1}


async def has_expired(broker: Broker) -> bool:
    return await Claims(broker).get(EMAIL) is None


async def nothing_is_left(broker: Broker) -> bool:
    """Neither armed nor fired; asked in the order in which it goes from one to the other."""
    timers = Timers(broker)
    waiting = [*await timers.pending(), *await timers.fired()]
    return all(timer.email_id != EMAIL for timer in waiting)
