"""Timers on a real nats-server: armed once, fired by the server, gone when purged."""

import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from contracts import subjects
from contracts.codec import decode_due
from contracts.subjects import Timer
from eventlog.connection import Broker
from eventlog.server import NatsServer
from eventlog.timers import STREAM, Timers
from tests.factories import make_email_id
from tests.waiting import eventually


def in_seconds(seconds: float, step: str = "email-1") -> Timer:
    return Timer.at(make_email_id(step), datetime.now(UTC) + timedelta(seconds=seconds))


async def fired_messages(broker: Broker, timer: Timer) -> int:
    info = await broker.js.stream_info(STREAM, subjects_filter=timer.fires_as)
    return (info.state.subjects or {}).get(timer.fires_as, 0)


async def test_an_armed_timer_fires_at_its_time_and_its_key_is_gone(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(1)
    await timers.arm(timer)
    assert await timers.pending() == [timer]
    await eventually(lambda: _has_fired(timers, timer))
    assert time.time() >= timer.due
    assert await timers.pending() == []
    message = await broker.js.get_last_msg(STREAM, timer.fires_as)
    assert decode_due(message.data or b"").email_id == timer.email_id


async def test_a_timer_in_the_past_fires_at_once(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(-3600)
    await timers.arm(timer)
    await eventually(lambda: _has_fired(timers, timer))


async def _has_fired(timers: Timers, timer: Timer) -> bool:
    return timer in await timers.fired()


async def test_arming_again_changes_nothing(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(3600)
    assert await timers.arm(timer)
    assert not await timers.arm(timer)
    assert await timers.pending() == [timer]


async def test_a_purged_timer_does_not_fire_not_even_after_the_server_was_killed(
    broker: Broker, nats_server: NatsServer
) -> None:
    timers, timer, later = Timers(broker), in_seconds(2), in_seconds(3, "email-2")
    await timers.arm(timer)
    await timers.arm(later)
    await timers.purge(timer)
    await nats_server.restart(signal.SIGKILL)
    await eventually(lambda: _has_fired(timers, later), timeout=10)
    assert await fired_messages(broker, timer) == 0


async def test_a_timer_due_while_the_server_is_down_fires_when_it_is_back(
    broker: Broker, nats_server: NatsServer
) -> None:
    timers, timer = Timers(broker), in_seconds(1)
    await timers.arm(timer)
    await nats_server.stop()
    await eventually(lambda: _is_past(timer))
    await nats_server.start()
    await eventually(lambda: _has_fired(timers, timer), timeout=10)


async def _is_past(timer: Timer) -> bool:
    return time.time() > timer.due


async def test_one_contacts_timers_are_told_apart_from_the_rest(broker: Broker) -> None:
    timers, mine, fired = Timers(broker), in_seconds(3600), in_seconds(-5, "email-2")
    other = Timer.at(make_email_id(email="bob@example.com"), mine.due_at)
    for timer in (mine, fired, other):
        await timers.arm(timer)
    await eventually(lambda: _has_fired(timers, fired))
    found = await timers.of(mine.contact)
    assert [each.timer for each in found.armed] == [mine]
    assert found.armed[0].scheduled
    assert found.fired == (fired,)


async def test_a_plain_put_over_a_timer_is_seen_as_unscheduled(broker: Broker) -> None:
    """It silently cancels the schedule, so whoever reconciles has to see it."""
    timers, timer = Timers(broker), in_seconds(3600)
    await timers.arm(timer)
    await (await broker.js.key_value(subjects.TIMERS)).put(timer.key, b"by hand")
    entry = (await timers.of(timer.contact)).armed[0]
    assert not entry.scheduled
    assert await timers.arm(timer, over=entry.sequence)
    assert (await timers.of(timer.contact)).armed[0].scheduled


async def test_a_key_that_is_not_an_email_is_passed_over(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(3600)
    await timers.arm(timer)
    await (await broker.js.key_value(subjects.TIMERS)).put("note", b"by hand")
    assert await timers.pending() == [timer]


async def test_pending_timers_come_in_order_of_time(broker: Broker) -> None:
    timers = Timers(broker)
    wanted = [in_seconds(3600 * hours, f"email-{n}") for n, hours in enumerate([1, 30, 31, 300], start=1)]
    for timer in reversed(wanted):
        await timers.arm(timer)
    assert await timers.pending() == wanted
    assert await timers.pending(hour=wanted[1].due_at) == [wanted[1]]


async def test_the_kv_client_lists_exactly_the_pending_keys(broker: Broker) -> None:
    """What `nats kv ls timers` shows: keys only, without what has fired."""
    timers, pending, fired = Timers(broker), in_seconds(3600), in_seconds(-5, "email-2")
    await timers.arm(pending)
    await timers.arm(fired)
    await eventually(lambda: _has_fired(timers, fired))
    assert await (await broker.js.key_value(subjects.TIMERS)).keys() == [pending.key]


async def test_clearing_a_wake_up_leaves_nothing_for_the_sender(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(-5)
    await timers.arm(timer)
    await eventually(lambda: _has_fired(timers, timer))
    await timers.clear(timer)
    assert await timers.fired() == []


@pytest.mark.parametrize("setting", ["allow_msg_schedules", "allow_msg_ttl", "allow_rollup_hdrs", "allow_direct"])
async def test_the_bucket_has_what_timers_need(broker: Broker, setting: str) -> None:
    config = (await broker.js.stream_info(STREAM)).config
    assert getattr(config, setting) is True
    assert config.max_msgs_per_subject == 8
