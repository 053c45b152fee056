"""Timers on a real nats-server: armed once, fired by the server, gone when purged."""

import asyncio
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from contracts import subjects
from contracts.codec import decode_due
from contracts.messages import EmailDue
from contracts.subjects import Timer
from eventlog import topology
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.direct import PAGE
from eventlog.outcomes import Done, Item, Outcome, Retry, Work
from eventlog.server import NatsServer
from eventlog.timers import STREAM, Mark, Timers
from tests.factories import make_email_id
from tests.waiting import eventually


def in_seconds(seconds: float, step: str = "email-1") -> Timer:
    return Timer.at(make_email_id(step), datetime.now(UTC) + timedelta(seconds=seconds))


async def fired_messages(broker: Broker, timer: Timer) -> int:
    info = await broker.js.stream_info(STREAM, subjects_filter=timer.fires_as)
    return (info.state.subjects or {}).get(timer.fires_as, 0)


async def test_an_armed_timer_fires_at_its_time_and_its_key_is_gone(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(2)
    await timers.arm(timer)
    assert await timers.pending() == [timer] or time.time() >= timer.due, "it is listed until it is due"
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
    timers, timer, later = Timers(broker), in_seconds(6), in_seconds(7, "email-2")
    await timers.arm(timer)
    await timers.arm(later)
    await timers.purge(timer)
    assert time.time() < timer.due, "purged too late to show anything"
    await nats_server.restart(signal.SIGKILL)
    await eventually(lambda: _has_fired(timers, later))
    assert await fired_messages(broker, timer) == 0


async def test_a_timer_due_while_the_server_is_down_fires_when_it_is_back(
    broker: Broker, nats_server: NatsServer
) -> None:
    timers, timer = Timers(broker), in_seconds(1)
    await timers.arm(timer)
    await nats_server.stop()
    await eventually(lambda: _is_past(timer))
    await nats_server.start()
    await eventually(lambda: _has_fired(timers, timer))


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


async def test_a_deleted_key_is_seen_as_unscheduled_and_can_be_written_over_or_purged(broker: Broker) -> None:
    """`nats kv del` leaves a marker; to take it for nothing would leave the email unarmed and say it is armed."""
    timers, timer = Timers(broker), in_seconds(3600)
    await timers.arm(timer)
    await (await broker.js.key_value(subjects.TIMERS)).delete(timer.key)
    entry = (await timers.of(timer.contact)).armed[0]
    assert not entry.scheduled
    assert await timers.arm(timer, over=entry.sequence)
    assert (await timers.of(timer.contact)).armed[0].scheduled
    await timers.purge(timer)
    assert (await timers.of(timer.contact)).armed == ()


WELL = {"Nats-Schedule": "@at {at}", "Nats-Schedule-Target": "{target}", "Nats-Schedule-TTL": "720h"}
WRONG: dict[str, dict[str, str]] = {
    "misspelt schedule": {"Nats-Shedule": "@at {at}"},
    "another time": WELL | {"Nats-Schedule": "@at 2099-01-01T00:00:00Z"},
    "another target": WELL | {"Nats-Schedule-Target": "{target}1"},
    "no target": {"Nats-Schedule-Target": "{target}"},
    "a short life once fired": WELL | {"Nats-Schedule-TTL": "1s"},
    "a life that ends before it is due": WELL | {"Nats-TTL": "60s"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_an_entry_that_does_not_fire_as_its_key_says_is_seen_as_unscheduled(
    broker: Broker, wrong: dict[str, str]
) -> None:
    timers, timer = Timers(broker), in_seconds(3600)
    await timers.arm(timer)
    payload = (await broker.js.get_last_msg(STREAM, timer.subject)).data or b""
    await broker.js.publish(timer.subject, payload, headers=headers_for(timer, wrong))
    assert not (await timers.of(timer.contact)).armed[0].scheduled


def headers_for(timer: Timer, template: dict[str, str]) -> dict[str, str]:
    at = f"{timer.due_at:%Y-%m-%dT%H:%M:%SZ}"
    return {name: value.format(at=at, target=timer.fires_as) for name, value in template.items()}


async def test_an_entry_that_names_another_email_is_seen_as_unscheduled(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(3600)
    other = Timer.at(make_email_id("email-2"), timer.due_at)
    await timers.arm(other)
    for payload in ((await broker.js.get_last_msg(STREAM, other.subject)).data or b"", b"by hand"):
        await broker.js.publish(timer.subject, payload, headers=headers_for(timer, WELL))
        found = {entry.timer: entry.scheduled for entry in (await timers.of(timer.contact)).armed}
        assert found == {timer: False, other: True}


async def test_only_what_was_written_since_the_mark_is_looked_at(broker: Broker) -> None:
    timers, bucket = Timers(broker), await broker.js.key_value(subjects.TIMERS)
    first, second, good = (in_seconds(3600, f"email-{n}") for n in (1, 2, 3))
    for timer in (first, second, good):
        await timers.arm(timer)
    await bucket.put(first.key, b"by hand")
    spoilt, mark = await timers.spoilt_since(Mark(since=datetime.now(UTC) - timedelta(hours=1)))
    assert spoilt == {first}
    await bucket.delete(second.key)
    spoilt, mark = await timers.spoilt_since(mark)
    assert spoilt == {second}
    assert await timers.spoilt_since(mark) == (set(), mark)


async def test_what_is_written_to_a_bucket_made_anew_is_looked_at(broker: Broker) -> None:
    """It counts from 1 again, below the mark."""
    timers, timer = Timers(broker), in_seconds(3600)
    for n in range(1, 8):
        await timers.arm(in_seconds(3600, f"email-{n}"))
    _, mark = await timers.spoilt_since(Mark(since=datetime.now(UTC) - timedelta(hours=1)))
    await broker.js.delete_stream(STREAM)
    await topology.init(broker)
    await (await broker.js.key_value(subjects.TIMERS)).put(timer.key, b"by hand")
    spoilt, _ = await timers.spoilt_since(mark)
    assert spoilt == {timer}


async def test_more_than_a_page_is_looked_at_to_its_end(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(3600)
    people = [make_email_id(email=f"p{n}@example.com") for n in range(PAGE + 1)]
    await asyncio.gather(*(timers.arm(Timer.at(person, timer.due_at)) for person in people))
    await (await broker.js.key_value(subjects.TIMERS)).put(timer.key, b"by hand")
    spoilt, mark = await timers.spoilt_since(Mark(since=datetime.now(UTC) - timedelta(hours=1)))
    assert spoilt == {timer}
    assert mark.sequence == PAGE + 2


async def test_a_key_under_another_hour_than_its_own_is_passed_over(broker: Broker) -> None:
    """Nothing of ours would ever find it under the name it ought to have."""
    timers, timer = Timers(broker), in_seconds(3600)
    stray = timer.key.replace(timer.key.partition(".")[0], "2001010100")
    await (await broker.js.key_value(subjects.TIMERS)).put(stray, b"by hand")
    assert await timers.pending() == []
    assert (await timers.of(timer.contact)).armed == ()


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


async def test_what_was_put_off_comes_in_time_although_others_are_cleared_meanwhile(broker: Broker) -> None:
    """A purge would empty the sender's redelivery queue: what is in it would come only after `ack_wait`."""
    timers, due = Timers(broker), datetime.now(UTC)
    people = [f"p{n}@example.com" for n in range(200)]
    await asyncio.gather(*(timers.arm(Timer.at(make_email_id(email=person), due)) for person in people))
    again: set[int] = set()
    stop = asyncio.Event()

    async def handle(items: Sequence[Item[EmailDue]]) -> Outcome:
        if items[0].attempt == 1:
            return Retry(1.0, "in a moment", label="broker")
        again.add(items[0].sequence)
        await timers.clear(Timer.parse(items[0].subject))
        return Done()

    async def all_came() -> bool:
        return len(again) == len(people)

    work = Work(topology.SENDER, decode_due, lambda item: item.value.email_id, handle, in_hand=32)
    consumer = asyncio.create_task(Consumer(broker, work, stop=stop).run())
    try:
        await eventually(all_came, timeout=topology.ACK_WAIT_S / 2)
    finally:
        stop.set()
        await consumer
    assert await timers.fired() == []


async def test_clearing_drops_every_copy_of_a_wake_up_that_fired_twice(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(-5)
    for _ in range(2):
        await timers.arm(timer)
        await eventually(lambda: _is_not_pending(timers, timer))
    assert await fired_messages(broker, timer) == 2
    await timers.clear(timer)
    assert await fired_messages(broker, timer) == 0


async def _is_not_pending(timers: Timers, timer: Timer) -> bool:
    return timer not in await timers.pending()


async def test_a_bucket_that_was_made_to_forbid_deletes_is_cleared_all_the_same(broker: Broker) -> None:
    timers, timer = Timers(broker), in_seconds(-5)
    config = (await broker.js.stream_info(STREAM)).config
    config.deny_delete = True
    await broker.js.update_stream(config)
    await timers.arm(timer)
    await eventually(lambda: _has_fired(timers, timer))
    await timers.clear(timer)
    assert await timers.fired() == []


@pytest.mark.parametrize("setting", ["allow_msg_schedules", "allow_msg_ttl", "allow_rollup_hdrs", "allow_direct"])
async def test_the_bucket_has_what_timers_need(broker: Broker, setting: str) -> None:
    config = (await broker.js.stream_info(STREAM)).config
    assert getattr(config, setting) is True
    assert config.max_msgs_per_subject == 8
