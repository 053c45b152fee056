"""A CRITICAL signup is posted: at least once, hardly ever twice, and never with anybody's mention in it."""

import asyncio
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy
from structlog.testing import capture_logs

from contracts.facts import AnyFact
from contracts.ids import contact_id
from contracts.subjects import fact_subject
from eventlog import topology
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.outcomes import Item
from eventlog.pages import Page, contact_key, pages
from eventlog.parked import ParkingLot
from eventlog.pause import paused
from services.notifier import handlers
from services.notifier.service import _made_ready
from services.notifier.target import Kind
from services.sandbox.faults import Fault, Match
from tests.factories import make_signup
from tests.integration.notifier.kit import Room
from tests.waiting import eventually


async def sign_up(room: Room, *people: str, **values: object) -> None:
    for person in people:
        form = {"at": datetime.now(UTC), "first_name": person, **values}
        await room.events.append(make_signup(f"{person}@example.com", **form))


@pytest.mark.parametrize("kind", ["discord", "slack"])
async def test_a_critical_signup_is_posted_once_and_others_are_not(room: Room, kind: Kind) -> None:
    room.kind = kind
    async with room.open():
        await sign_up(room, "ada")
        await sign_up(room, "bob", red_systems=1)
        await room.is_done()
    [said] = room.chat
    assert said.text.splitlines()[0].strip("*") == "CRITICAL signup"
    assert "Name: ada" in said.text
    assert contact_id("ada@example.com") in said.text
    assert "example.com" not in said.text


async def test_signups_from_before_the_first_start_are_not_told(broker: Broker) -> None:
    await EventLog(broker).append(make_signup())
    await _made_ready(broker)
    info = await broker.js.consumer_info(topology.NOTIFIER.stream, topology.NOTIFIER.name)
    assert info.num_pending == 0


async def test_a_signup_of_more_than_a_day_ago_is_no_news(room: Room) -> None:
    async with room.open():
        await sign_up(room, "ada", at=datetime.now(UTC) - timedelta(hours=25))
        await sign_up(room, "bob")
        await room.is_done()
    assert ["bob" in each.text for each in room.chat] == [True]


async def test_what_came_while_the_notifier_was_stopped_is_told_when_it_starts(room: Room) -> None:
    await sign_up(room, "ada", "bob")
    async with room.open():
        await room.is_done()
    assert len(room.chat) == 2


async def test_two_notifiers_tell_each_signup_once(room: Room) -> None:
    people = [f"p{n}" for n in range(12)]
    async with room.open(), room.open():
        await sign_up(room, *people)
        await room.is_done()
    assert sorted(each.text.splitlines()[1] for each in room.chat) == sorted(f"Name: {person}" for person in people)


async def test_a_stop_between_post_and_note_doubles_it_once_and_not_at_once(room: Room) -> None:
    """The chat has it, and the notifier dies before it hears so: told again after a while, and never a third time."""
    held = Fault(api="discord", action="timeout_after_accept", delay_s=30)
    room.sandbox.add_fault(held)
    await room.redeliver_soon()
    await sign_up(room, "ada")
    async with room.open(timeout_s=60) as notifier:
        await room.has_said(1)
        notifier.cancel()
    with capture_logs() as logs:
        async with room.open():
            await eventually(lambda: said(logs, "retry"))
            assert len(room.chat) == 1  # it may be under way elsewhere
    assert "just now" in next(line["reason"] for line in logs if line["event"] == "retry")
    await forget_the_wait(room)
    room.clock.ahead = timedelta(seconds=91)
    async with room.open():
        await room.has_said(2)
        await room.is_done()
    await from_the_first_on(room)
    async with room.open():
        await room.is_done()
    assert len(room.chat) == 2


async def said(logs: Sequence[MutableMapping[str, Any]], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def forget_the_wait(room: Room) -> None:
    """Let what was put off for a minute and a half come again now."""
    await room.broker.js.reset_consumer(topology.NOTIFIER.stream, topology.NOTIFIER.name)


async def from_the_first_on(room: Room) -> None:
    """The consumer as a restore may leave it: everything comes again."""
    await room.broker.js.delete_consumer(topology.NOTIFIER.stream, topology.NOTIFIER.name)
    config = replace(topology.NOTIFIER.config, deliver_policy=DeliverPolicy.ALL)
    await room.broker.js.add_consumer(topology.NOTIFIER.stream, config)


async def test_a_restored_position_repeats_nothing(room: Room) -> None:
    async with room.open():
        await sign_up(room, "ada", "bob")
        await room.is_done()
    await from_the_first_on(room)
    async with room.open():
        await room.is_done()
    assert len(room.chat) == 2


async def test_a_restart_hands_out_at_once_what_was_in_hand(room: Room) -> None:
    """As `dripstream up` does it; a consumer that starts from new allows no reset to a number."""
    await sign_up(room, "ada", "bob")
    subscription = await room.broker.js.pull_subscribe_bind(topology.NOTIFIER.name, topology.NOTIFIER.stream)
    await subscription.fetch(2, timeout=20)
    await subscription.unsubscribe()
    await topology.take_over(room.broker)
    info = await room.broker.js.consumer_info(topology.NOTIFIER.stream, topology.NOTIFIER.name)
    assert (info.num_ack_pending, info.num_pending) == (0, 2)


async def test_two_who_handle_the_same_signup_post_it_once(room: Room) -> None:
    """The broker hands a message to one of them at a time, but may think that the first is dead."""
    shells = [room.shell() for _ in range(4)]
    fact = make_signup(at=datetime.now(UTC))
    item = Item[AnyFact](fact, fact_subject(fact), 1, 1, Msg(room.broker.nc))
    outcomes = await asyncio.gather(*(handlers.tell_signup([item], shell) for shell in shells))
    assert len(room.chat) == 1
    assert sorted(type(each).__name__ for each in outcomes) == ["Done", "Retry", "Retry", "Retry"]


async def test_a_webhook_that_is_down_for_a_while_loses_nothing(room: Room) -> None:
    room.sandbox.add_fault(Fault(api="discord", action="status", status=503, times=4))
    room.sandbox.add_fault(Fault(api="discord", action="reset", times=1, match=Match(contains="nobody")))
    async with room.open():
        await sign_up(room, "ada", "bob", "cleo")
        await room.is_done()
    assert len(room.chat) == 3


async def test_the_chats_own_limits_are_kept(room: Room) -> None:
    room.sandbox.options = type(room.sandbox.options)(resend_rate=None, notion_rate=None)
    people = [f"p{n}" for n in range(7)]
    async with room.open():
        await sign_up(room, *people)
        await room.is_done()
    assert len(room.chat) == 7
    statuses = [each.status for each in room.sandbox.requests()]
    assert statuses.count(429) >= 1
    assert len(statuses) <= 7 + 3  # told to wait, nobody knocks before


async def test_a_deleted_webhook_pauses_the_notifier_with_one_line_and_a_new_one_goes_on(room: Room) -> None:
    gone = Fault(api="discord", action="status", status=404, times=100)
    room.sandbox.add_fault(gone)
    with capture_logs() as logs:
        async with room.open():
            await sign_up(room, "ada", "bob", "cleo")
            await eventually(lambda: is_paused(room))
            pause = await paused(room.broker, topology.NOTIFIER)
    assert gone.used == 1
    assert pause
    assert pause.reason == "the chat's webhook is closed (status 404)"
    closed = [line for line in logs if line["event"] == "webhook_closed"]
    assert len(closed) == 1
    assert "t0ken" not in str(logs)
    gone.times = gone.used
    await _made_ready(room.broker)
    async with room.open():
        await room.is_done()
    assert len(room.chat) == 3


async def is_paused(room: Room) -> bool:
    return await paused(room.broker, topology.NOTIFIER) is not None


async def test_a_message_the_chat_refuses_for_good_is_parked(room: Room) -> None:
    room.sandbox.add_fault(Fault(api="discord", action="status", status=400))
    async with room.open():
        await sign_up(room, "ada")
        await room.is_done()
    [kept] = await ParkingLot(room.broker).all()
    assert (kept.copy.consumer, kept.copy.reason) == ("notifier", "the chat does not take the message")


@pytest.mark.parametrize("kind", ["discord", "slack"])
async def test_a_name_calls_nobody(room: Room, kind: Kind) -> None:
    room.kind = kind
    async with room.open():
        await sign_up(
            room, "ada", first_name="@everyone <!channel> <@1> <@U1>", business_name="[x](https://evil.example)"
        )
        await room.is_done()
    [said] = room.chat
    assert said.calls == ()
    assert "https://" not in said.text


async def test_the_link_is_waited_for_and_then_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "SOON_S", 0.1)
    async with room.open(link=True):
        await sign_up(room, "ada")
        await asyncio.sleep(0)
        page = Page(page_id="12345678-1234-1234-1234-1234567890ab", at=datetime.now(UTC))
        await pages(room.broker).put(contact_key(contact_id("ada@example.com")), page, over=0)
        await room.is_done()
    [said] = room.chat
    assert said.text.splitlines()[-1] == "<https://www.notion.so/123456781234123412341234567890ab>"


async def test_a_page_that_does_not_come_is_not_waited_for_long(room: Room) -> None:
    room.clock.ahead = handlers.LINK_WAIT
    async with room.open(link=True):
        await sign_up(room, "ada")
        await room.is_done()
    [said] = room.chat
    assert "notion.so" not in said.text
