"""Each alert begins, is told once, and ends, on a real broker; whoever else looks, and whatever stops in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.notices import alert_key, standings
from eventlog.outcomes import Done, Work
from eventlog.parked import ParkingLot
from eventlog.pause import pause, resume
from eventlog.server import NatsServer
from eventlog.timers import Timers
from eventlog.topology import Durable
from services.notifier.poster import Poster
from services.notifier.rules import Limits
from services.notifier.watch import Posts, look
from services.sandbox.faults import Fault
from tests.factories import make_email_id, make_signup
from tests.integration.notifier.kit import LIMITS, Room
from tests.waiting import eventually, is_idle, is_pulling

Act = Callable[[Room], Awaitable[None]]
LATE = Timer.at(make_email_id(), datetime.now(UTC) - timedelta(minutes=20))


async def make_late(room: Room) -> None:
    """Its time came, and no sender runs."""
    await Timers(room.broker).arm(LATE)
    await eventually(lambda: has_fired(room.broker))


async def has_fired(broker: Broker) -> bool:
    return await Timers(broker).fired() == [LATE]


async def clear(room: Room) -> None:
    await Timers(room.broker).clear(LATE)


async def park(room: Room, sequence: int = 1) -> None:
    await ParkingLot(room.broker).park(
        consumer="sender",
        subject="email.due.x",
        sequence=sequence,
        reason="undecodable",
        detail="",
        payload=b"",
        now=datetime.now(UTC),
    )


async def drop(room: Room) -> None:
    lot = ParkingLot(room.broker)
    for kept in await lot.all():
        await lot.drop(kept)


async def pause_sender(room: Room) -> None:
    await pause(room.broker, topology.SENDER, for_s=7_200, reason="daily_quota_exceeded")


async def resume_sender(room: Room) -> None:
    await resume(room.broker, topology.SENDER)


async def fall_behind(room: Room) -> None:
    room.clock.ahead = timedelta(minutes=20)
    await EventLog(room.broker).append(make_signup())


def catch_up(durable: Durable) -> Act:
    async def act(room: Room) -> None:
        async with at_work(room.broker, durable):
            await eventually(lambda: is_idle(room.broker, durable))

    return act


@asynccontextmanager
async def at_work(broker: Broker, durable: Durable) -> AsyncIterator[None]:
    """Somebody who takes whatever there is."""
    stop = asyncio.Event()
    work: Work[bytes] = Work(durable, bytes, lambda item: item.subject, handle)
    task = asyncio.create_task(Consumer(broker, work, stop=stop).run())
    try:
        yield
    finally:
        stop.set()
        await task


async def handle(_: object) -> Done:
    return Done()


@pytest.mark.parametrize(
    ("alert", "begins", "ends"),
    [
        ("EmailsLate", make_late, clear),
        ("MessagesParked", park, drop),
        ("SenderPaused", pause_sender, resume_sender),
        ("SchedulerLags", fall_behind, catch_up(topology.SCHEDULER)),
        ("NotionLags", fall_behind, catch_up(topology.NOTION_SYNC)),
    ],
)
async def test_each_alert_is_told_once_as_it_begins_and_once_as_it_ends(
    room: Room, alert: str, begins: Act, ends: Act
) -> None:
    watching = room.watch(alert)
    assert await watching.look(2) == []
    await begins(room)
    assert await watching.look(5) == [alert]
    await ends(room)
    assert await watching.look(5) == [f"{alert}: over"]


async def test_a_service_that_nobody_runs_is_down_until_somebody_does(room: Room) -> None:
    watching = room.watch("ServiceDown.sender")
    assert await watching.look(3) == ["ServiceDown.sender"]
    async with at_work(room.broker, topology.SENDER):
        await eventually(lambda: is_pulling(room.broker, topology.SENDER))
        assert await watching.look(3) == ["ServiceDown.sender: over"]


async def test_no_signups_counts_from_the_last_one_and_without_any_from_the_beginning(room: Room) -> None:
    watching = room.watch("NoSignups")
    assert await watching.look(2) == []
    room.clock.ahead = timedelta(hours=25)
    assert await watching.look(2) == ["NoSignups"]
    await EventLog(room.broker).append(make_signup())
    patient = room.watch("NoSignups", limits=Limits(late=LIMITS.late, lag=LIMITS.lag, no_signups=timedelta(hours=26)))
    assert await patient.look(2) == ["NoSignups: over"]
    room.clock.ahead = timedelta(hours=27)
    assert await patient.look(2) == ["NoSignups"]


async def test_more_parked_messages_are_told_before_six_hours_are_over(room: Room) -> None:
    watching = room.watch("MessagesParked")
    await park(room)
    assert await watching.look(2) == ["MessagesParked"]
    await park(room, sequence=2)
    assert await watching.look(20) == ["MessagesParked: still so"]
    assert "2 messages parked: 2 of sender" in room.chat[-1].text


async def test_two_notifiers_tell_it_once(room: Room) -> None:
    one, other = room.watch("SenderPaused"), room.watch("SenderPaused")
    await pause_sender(room)
    for _ in range(4):
        await one.look()
        room.clock.ahead -= timedelta(seconds=59)
        await other.look()
    assert len(room.chat) == 1


async def test_two_notifiers_that_look_at_the_same_moment_tell_it_once(room: Room) -> None:
    watches = [room.watch("SenderPaused").watch for _ in range(4)]
    await pause_sender(room)
    for _ in range(3):
        room.clock.ahead += timedelta(minutes=1)
        await asyncio.gather(*map(look, watches))
    assert len(room.chat) == 1


async def test_a_restart_repeats_nothing_and_forgets_nothing(room: Room) -> None:
    await pause_sender(room)
    assert await room.watch("SenderPaused").look(2) == ["SenderPaused"]
    again = room.watch("SenderPaused")
    assert await again.look(3) == []
    await resume_sender(room)
    assert await room.watch("SenderPaused").look(3) == ["SenderPaused: over"]


async def test_an_alert_during_an_outage_of_the_chat_is_told_after_it(room: Room) -> None:
    watching = room.watch("SenderPaused")
    room.sandbox.add_fault(Fault(api="discord", action="status", status=500, times=1))
    await pause_sender(room)
    assert await watching.look(2) == []
    await eventually(lambda: is_open(watching.watch.poster))
    assert await watching.look(1) == ["SenderPaused"]


async def test_while_the_chat_is_closed_a_standing_alert_is_neither_written_nor_said_again(room: Room) -> None:
    watching = room.watch("SenderPaused")
    room.sandbox.add_fault(Fault(api="discord", action="status", status=404, times=100))
    await pause_sender(room)
    assert await watching.look(2) == []
    before = await standings(room.broker).get(alert_key("SenderPaused"))
    assert before
    assert before.value.owed
    with capture_logs() as said:
        assert await watching.look(5) == []
    assert said == []
    assert await standings(room.broker).get(alert_key("SenderPaused")) == before


async def is_open(poster: Posts) -> bool:
    return isinstance(poster, Poster) and poster.shut() is None


async def test_what_ends_during_an_outage_of_the_chat_is_told_as_over(room: Room) -> None:
    watching = room.watch("SenderPaused")
    room.sandbox.add_fault(Fault(api="discord", action="status", status=500, times=1))
    await pause_sender(room)
    assert await watching.look(2) == []
    await resume_sender(room)
    await eventually(lambda: is_open(watching.watch.poster))
    assert await watching.look(3) == ["SenderPaused: over"]


async def test_what_cannot_be_seen_stands_as_it_stood_and_the_rest_is_told(room: Room) -> None:
    watching = room.watch("SenderPaused", "MessagesParked")
    await pause_sender(room)
    assert await watching.look(2) == ["SenderPaused"]
    await room.broker.js.delete_consumer(topology.SENDER.stream, topology.SENDER.name)
    await park(room)
    with capture_logs() as logs:
        assert await watching.look(3) == ["MessagesParked"]
    assert {line["alert"] for line in logs if line["event"] == "not_looked"} == {"SenderPaused"}


async def test_the_brokers_absence_is_told_and_its_return(nats_server: NatsServer, room: Room) -> None:
    watching = room.watch("SenderPaused")
    assert await watching.look() == []
    await nats_server.stop()
    await eventually(lambda: is_connected(room.broker, wanted=False))
    assert await watching.look(5) == ["BrokerAway"]
    await nats_server.start()
    await eventually(lambda: is_connected(room.broker, wanted=True))
    assert await watching.look(3) == ["BrokerAway: over"]


async def is_connected(broker: Broker, *, wanted: bool) -> bool:
    return broker.nc.is_connected is wanted
