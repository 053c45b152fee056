"""A cancelled timer stays cancelled: no path of ours leaves anything that a killed server brings back (nats #8505)."""

import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts import subjects
from contracts.facts import Triggered
from contracts.ids import contact_id
from contracts.subjects import Timer
from eventlog import topology
from eventlog.server import NatsServer
from eventlog.timers import Mark
from services.scheduler.handlers import look_at_new, sweep
from tests.factories import make_email_id, make_signup, make_triggered
from tests.faults.stage import Stage, accepted, crowd, email_ids, first_email_only, in_s, once, scheduled, stage
from tests.waiting import SOON_S, eventually

CANCELLED = 100
CONTROL = "control@example.com"
DUE_S = 12
"""Many times what it takes to arm and to cancel them."""


async def by_fact(played: Stage, people: Sequence[str]) -> None:
    async with played.scheduling():
        await played.append(paid(people))
        await scheduled(played)


async def by_replay(played: Stage, people: Sequence[str]) -> None:
    await played.append(paid(people))
    await topology.rewind(played.broker, topology.SCHEDULER)
    async with played.scheduling():
        await scheduled(played)


async def by_the_sweep(played: Stage, people: Sequence[str]) -> None:
    """To its clock they are long overdue, and unwanted."""
    await played.append(paid(people))
    late = replace(played.scheduler_shell(), clock=lambda: datetime.now(UTC) + timedelta(minutes=2))
    assert await sweep(late, hours=2) >= len(people)


async def by_the_sweep_after_a_delete_by_hand(played: Stage, people: Sequence[str]) -> None:
    await played.append(paid(people))
    bucket = await played.broker.js.key_value(subjects.TIMERS)
    due = (await played.timers.pending())[0].due_at
    for person in people:
        await bucket.delete(Timer.at(make_email_id(email=person), due).key)
    await look_at_new(played.scheduler_shell(), Mark(since=in_s(-60)))


async def by_fact_after_it_was_armed_again(played: Stage, people: Sequence[str]) -> None:
    """Written over itself before, as a stuck one is: two versions lie under its key."""
    for person in people:
        [entry] = (await played.timers.of(contact_id(person))).armed
        assert await played.timers.arm(entry.timer, over=entry.sequence)
    await by_fact(played, people)


PATHS = [by_fact, by_replay, by_the_sweep, by_the_sweep_after_a_delete_by_hand, by_fact_after_it_was_armed_again]


@pytest.mark.parametrize("cancel", PATHS, ids=lambda path: path.__name__)
async def test_a_cancelled_timer_does_not_come_back_when_the_broker_is_killed(
    durable_server: NatsServer, cancel: Callable[[Stage, Sequence[str]], Awaitable[None]]
) -> None:
    people, due = crowd(CANCELLED), in_s(DUE_S)
    async with stage(durable_server, first_email_only()) as played:
        async with played.scheduling():
            await played.append(make_signup(person, at=due) for person in people)
            await played.append([make_signup(CONTROL, at=due + timedelta(seconds=1))])
            await scheduled(played)
        await cancel(played, people)
        left = {timer.email_id for timer in await played.keys()}
        assert left <= email_ids([CONTROL])
        assert datetime.now(UTC) < due, "too slow a machine to cancel in time"
        before = played.broker.generation
        await durable_server.restart(signal.SIGKILL)
        await eventually(lambda: is_connected_again(played, before))
        await eventually(lambda: only_control_fired(played), timeout=DUE_S + SOON_S)
        async with played.sending():
            await accepted(played, email_ids([CONTROL]))
        assert played.post.accepted == once(email_ids([CONTROL]))


async def is_connected_again(played: Stage, before: int) -> bool:
    """A moment after the kill it still looks connected, to a server that is gone."""
    return played.broker.nc.is_connected and played.broker.generation > before


async def only_control_fired(played: Stage) -> bool:
    """It is due last; what came back of the others has fired by then."""
    fired = {timer.email_id for timer in await played.timers.fired()}
    assert fired <= email_ids([CONTROL])
    return bool(fired)


def paid(people: Sequence[str]) -> list[Triggered]:
    return [make_triggered("paid", person, at=in_s(3600)) for person in people]
