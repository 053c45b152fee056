"""The broker is killed, again and again, while emails come due."""

import asyncio
import random
import signal
from datetime import UTC, datetime

from eventlog.server import NatsServer
from tests.factories import make_signup
from tests.faults.stage import (
    LATE_S,
    accepted,
    crowd,
    email_ids,
    first_email_only,
    in_s,
    once,
    scheduled,
    stage,
)
from tests.rounds import ROUNDS
from tests.waiting import eventually

KILLS = 10
DUE = 1_500


async def test_the_broker_killed_ten_times_while_emails_come_due_loses_and_doubles_none(
    durable_server: NatsServer,
) -> None:
    people, start, dice = crowd(DUE), in_s(12 * ROUNDS), random.Random(1)  # noqa: S311 - any will do, as long as it is the same
    due = {person: start.timestamp() + n * KILLS // len(people) for n, person in enumerate(people)}
    ids = {next(iter(email_ids([person]))): moment for person, moment in due.items()}
    async with stage(durable_server, first_email_only()) as played, played.scheduling(), played.sending():
        await played.append(make_signup(person, at=datetime.fromtimestamp(due[person], UTC)) for person in people)
        await scheduled(played)
        await asyncio.sleep(max(0, start.timestamp() - in_s(0).timestamp()))  # until they come due
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.2, 1.0))  # a kill at any moment
            await durable_server.restart(signal.SIGKILL)
        await accepted(played, set(ids))
        await eventually(played.has_sent_everything, timeout=120 * ROUNDS)
        assert played.post.accepted == once(ids)
        late = played.post.lateness(lambda key: ids[key])
        print(f"{len(late)} emails, {KILLS} kills: late p50 {late[len(late) // 2]:.1f} s, max {late[-1]:.1f} s")
        assert late[-1] <= LATE_S
        assert late[0] >= 0
        assert await played.timers.pending() == []
