"""The next pending emails, of few and of many: the same answer, and no list of everything."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from contracts import subjects
from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog import soonest as module
from eventlog.connection import Broker
from eventlog.soonest import soonest
from eventlog.timers import Timers
from tests.factories import CAMPAIGN, NOW, make_email_id

MANY, AT_ONCE = 50_000, 1_000
WIRE_BYTES = 1_000_000
"""What one answer may take: the list of so many keys is five times as long."""


def timer(person: int, **away: float) -> Timer:
    return Timer.at(make_email_id("email-1", f"p{person}@example.com"), NOW + timedelta(**away))


SPREAD = [
    timer(1, hours=-47, minutes=-50),
    timer(2, seconds=-5),
    timer(3, minutes=70),
    timer(4, minutes=71),
    timer(5, hours=3),
    timer(6, days=9),
    timer(7, days=200),
]
"""In the order of their time."""


@pytest.fixture(params=[1, 1_000], ids=["hour by hour", "listed"])
async def armed(broker: Broker, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Broker:
    monkeypatch.setattr(module, "LISTED", request.param)
    await put(broker, [*reversed(SPREAD)])
    return broker


async def put(broker: Broker, timers: Sequence[Timer]) -> None:
    """As keys alone: what is overdue would fire."""
    for start in range(0, len(timers), AT_ONCE):
        some = timers[start : start + AT_ONCE]
        await asyncio.gather(*(broker.nc.request(each.subject, b"{}", timeout=30) for each in some))


@pytest.mark.parametrize("limit", [1, 3, 5, 100])
async def test_the_next_ones_come_first_however_far_away(armed: Broker, limit: int) -> None:
    assert await soonest(armed, limit, now=NOW) == (SPREAD[:limit], 7)


async def test_of_one_person_and_of_one_campaign(armed: Broker) -> None:
    sixth = contact_id("p6@example.com")
    await Timers(armed).arm(other := Timer.at(make_email_id("email-2", "p6@example.com"), NOW + timedelta(days=10)))
    assert await soonest(armed, 9, now=NOW, contact=sixth) == ([SPREAD[5], other], 2)
    assert await soonest(armed, 9, now=NOW, contact=sixth, campaign=CAMPAIGN) == ([SPREAD[5], other], 2)
    assert await soonest(armed, 9, now=NOW, campaign="another") == ([], 0)


async def test_keys_of_somebody_else_are_counted_and_not_told(armed: Broker) -> None:
    hour = subjects.hour_of(SPREAD[0].due_at)
    for name in (f"{hour}.a.b.c", f"{hour}.a.b.c.d.e.1", "2026.x.y.z"):
        await armed.nc.request(subjects.kv_subject(subjects.TIMERS, name), b"{}", timeout=20)
    assert await soonest(armed, 2, now=NOW) == (SPREAD[:2], 10)


async def test_many_are_told_without_listing_them_all(broker: Broker) -> None:
    """Seven weeks of them; the last to be put is the next to be sent."""
    step_s = 7 * 7 * 86_400 / MANY
    await put(broker, [timer(number, hours=1, seconds=number * step_s) for number in range(MANY, 0, -1)])
    before = broker.nc.stats["in_bytes"]
    found, total = await soonest(broker, 100, now=NOW)
    assert broker.nc.stats["in_bytes"] - before < WIRE_BYTES
    assert (found, total) == ([timer(number, hours=1, seconds=number * step_s) for number in range(1, 101)], MANY)
