"""Somebody writes over or deletes a timer that is due in days: alarmed and put right at the next look, within 60 s."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
import structlog
from structlog.typing import EventDict

from contracts import subjects
from contracts.subjects import Timer
from eventlog.server import NatsServer
from eventlog.timers import STREAM, Mark
from services.scheduler import handlers
from services.scheduler.handlers import SWEEP_S, look_at_new
from tests.factories import ADA, CAMPAIGN, make_email_id, make_signup, make_triggered
from tests.faults.stage import Stage, first_email_only, in_s, scheduled, stage
from tests.waiting import eventually

DUE = in_s(7 * 24 * 3600)
TIMER = Timer.at(make_email_id(), DUE)


async def put(played: Stage) -> None:
    await (await played.broker.js.key_value(subjects.TIMERS)).put(TIMER.key, ADA.encode())


async def delete(played: Stage) -> None:
    await (await played.broker.js.key_value(subjects.TIMERS)).delete(TIMER.key)


async def misspell(played: Stage) -> None:
    payload = (await played.broker.js.get_last_msg(STREAM, TIMER.subject)).data or b""
    headers = {"Nats-Schedule": f"@at {DUE:%Y-%m-%dT%H:%M:%SZ}", "Nats-Schedule-Target": f"{TIMER.fires_as}0"}
    await played.broker.js.publish(TIMER.subject, payload, headers=headers)


Spoil = Callable[[Stage], Awaitable[None]]
BY_HAND: list[Spoil] = [put, delete, misspell]


@pytest.mark.parametrize("spoil", BY_HAND, ids=lambda each: each.__name__)
async def test_a_future_timer_spoilt_by_hand_is_alarmed_and_armed_again(
    durable_server: NatsServer, spoil: Spoil
) -> None:
    async with stage(durable_server, first_email_only()) as played:
        await arm(played)
        await spoil(played)
        with structlog.testing.capture_logs() as logs:
            mark = await look_at_new(played.scheduler_shell(), Mark(since=in_s(-3600)))
            await look_at_new(played.scheduler_shell(), mark)
        assert await is_armed(played)
        assert alarms(logs) == [TIMER.key]
        assert ADA not in json.dumps(logs, default=str)


@pytest.mark.parametrize("spoil", BY_HAND, ids=lambda each: each.__name__)
async def test_what_is_spoilt_and_unwanted_is_purged(durable_server: NatsServer, spoil: Spoil) -> None:
    async with stage(durable_server, first_email_only()) as played:
        await arm(played)
        await spoil(played)
        await played.append([make_triggered("paid", at=DUE)])
        with structlog.testing.capture_logs() as logs:
            await look_at_new(played.scheduler_shell(), Mark(since=in_s(-3600)))
        assert (await played.timers.of(TIMER.contact)).armed == ()
        assert (await played.broker.js.stream_info(STREAM)).state.messages == 0
        assert alarms(logs) == [TIMER.key]


async def test_a_running_scheduler_finds_it_by_itself(
    durable_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SWEEP_S <= 60
    monkeypatch.setattr(handlers, "SWEEP_S", 0.2)
    async with stage(durable_server, first_email_only()) as played, played.scheduling():
        await played.append([make_signup(at=DUE)])
        await scheduled(played)
        for spoil in BY_HAND:
            await spoil(played)
            await eventually(lambda: is_armed(played))


async def test_what_was_spoilt_while_no_scheduler_ran_is_found_when_one_starts(durable_server: NatsServer) -> None:
    async with stage(durable_server, first_email_only()) as played:
        await arm(played)
        await delete(played)
        async with played.scheduling():
            await eventually(lambda: is_armed(played))


async def test_a_fact_of_the_contact_alarms_and_puts_it_right_too(durable_server: NatsServer) -> None:
    async with stage(durable_server, first_email_only()) as played:
        await arm(played)
        await delete(played)
        await handlers.bring_into_line(TIMER.contact, played.scheduler_shell())
        assert await is_armed(played)


async def test_what_is_spoilt_of_a_campaign_not_loaded_is_alarmed_and_left_alone(durable_server: NatsServer) -> None:
    async with stage(durable_server, first_email_only()) as played:
        await arm(played)
        await put(played)
        with structlog.testing.capture_logs() as logs:
            await look_at_new(replace(played.scheduler_shell(), campaigns={}), Mark(since=in_s(-3600)))
        assert alarms(logs) == [TIMER.key]
        assert TIMER.email_id.split(".")[1] == CAMPAIGN
        assert [entry.scheduled for entry in (await played.timers.of(TIMER.contact)).armed] == [False]


async def arm(played: Stage) -> None:
    async with played.scheduling():
        await played.append([make_signup(at=DUE)])
        await scheduled(played)
    assert await is_armed(played)


async def is_armed(played: Stage) -> bool:
    return [(entry.timer, entry.scheduled) for entry in (await played.timers.of(TIMER.contact)).armed] == [
        (TIMER, True)
    ]


def alarms(logs: Sequence[EventDict]) -> list[str]:
    return [line["key"] for line in logs if line["event"] == "timer_unscheduled" and line["log_level"] == "error"]
