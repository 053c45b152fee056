"""Cancelled and moved while they come due: the fact counts, whatever has fired by then."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.base import Fact
from contracts.ids import contact_id
from eventlog.server import NatsServer
from journey.contact import fold
from journey.model import Campaign
from journey.plan import Pace, plan
from tests.factories import make_booking_created, make_booking_rescheduled, make_signup, make_triggered
from tests.faults.stage import (
    Post,
    Stage,
    accepted,
    crowd,
    email_ids,
    first_email_only,
    in_s,
    once,
    one_reminder,
    scheduled,
    stage,
)
from tests.rounds import ROUNDS
from tests.waiting import eventually

BURST, RACED = 600, 200
PER_SECOND = 50.0
TOO_LATE_S = 5.0
"""Nothing goes out so long after its cancellation was acknowledged."""

NEW_TIME_S = 120.0


async def test_what_is_cancelled_five_seconds_before_is_never_sent_and_later_at_most_once(
    durable_server: NatsServer,
) -> None:
    early, raced, kept = crowd(RACED // 2, "early"), crowd(RACED, "raced"), crowd(BURST - RACED * 3 // 2, "kept")
    due = in_s(16 * ROUNDS)
    post = Post(PER_SECOND)  # slow enough that many a cancellation overtakes a wake-up that has fired
    async with stage(durable_server, first_email_only(), post) as played, played.scheduling(), played.sending():
        await played.append(make_signup(person, at=due) for person in (*early, *kept, *raced))
        await scheduled(played)
        await played.append(make_triggered("paid", person, at=due) for person in early)
        assert time.time() <= due.timestamp() - TOO_LATE_S, "too slow a machine to cancel in time"
        cancelled_at = await around(due.timestamp(), [make_triggered("paid", each, at=due) for each in raced], played)
        await accepted(played, email_ids(kept))
        await settled(played)
        sent = played.post.accepted
        assert not email_ids(early) & sent.keys()
        assert {key: sent[key] for key in email_ids(kept)} == once(email_ids(kept))
        assert all(sent[key] <= 1 for key in email_ids(raced))
        after = [post.came_at[key] - cancelled_at[key.partition(".")[0]] for key in email_ids(raced) & sent.keys()]
        assert max(after, default=0) < TOO_LATE_S
        print(f"cancelled before: {len(early)}, sent 0; cancelled at the time: {len(raced)}, sent once {len(after)}")
        assert await played.keys() == set()


async def test_what_is_moved_while_it_comes_due_is_sent_once_for_its_new_time(durable_server: NatsServer) -> None:
    moved, stay = crowd(RACED, "moved"), crowd(BURST - RACED, "stays")
    old, new = in_s(14 * ROUNDS), in_s(14 * ROUNDS + 10)
    async with stage(durable_server, one_reminder()) as played, played.scheduling(), played.sending():
        await played.append(booked(person, old.timestamp()) for person in (*moved, *stay))
        await scheduled(played)
        await around(old.timestamp(), [rebooked(person, new.timestamp()) for person in moved], played)
        wanted = {
            **{reminder(played.campaign, booked(person, old.timestamp())): old.timestamp() for person in stay},
            **{reminder(played.campaign, rebooked(person, new.timestamp())): new.timestamp() for person in moved},
        }
        await accepted(played, set(wanted))
        await settled(played)
        sent = played.post.accepted
        assert {key: sent[key] for key in wanted} == once(wanted)
        assert set(sent.values()) == {1}
        late = [moment - wanted[key] for key, moment in played.post.came_at.items() if key in wanted]
        print(f"{len(moved)} moved: sent for the old time {len(sent) - len(wanted)}, late max {max(late):.1f} s")
        assert min(late) >= 0
        assert max(late) <= NEW_TIME_S
        assert await played.keys() == set()


def booked(person: str, due: float) -> Fact:
    """A call whose reminder, an hour before, is due then."""
    return make_booking_created(f"a-{contact_id(person)}", person, start=start_for(due), sent_at=in_s(-3600))


def rebooked(person: str, due: float) -> Fact:
    uid = contact_id(person)
    return make_booking_rescheduled(f"b-{uid}", f"a-{uid}", person, start=start_for(due), sent_at=in_s(0))


def start_for(due: float) -> datetime:
    return datetime.fromtimestamp(due + 3600, UTC)


def reminder(campaign: Campaign, booking: Fact) -> str:
    [planned] = plan(fold(booking.contact, [booking]), campaign, Pace())
    return planned.email_id


async def around(moment: float, facts: Sequence[Fact], played: Stage) -> dict[str, float]:
    """Appended one by one, spread over the half second before and the half second after; when each was acknowledged."""
    acknowledged: dict[str, float] = {}

    async def one(number: int, fact: Fact) -> None:
        at = moment - 0.5 + number / len(facts)
        await asyncio.sleep(max(0.0, at - time.time()))
        await played.events.append(fact)
        acknowledged[fact.contact] = time.time()

    await asyncio.gather(*(one(number, fact) for number, fact in enumerate(facts)))
    return acknowledged


async def settled(played: Stage) -> None:
    await eventually(played.has_scheduled_everything, timeout=90 * ROUNDS)
    await eventually(played.has_sent_everything, timeout=90 * ROUNDS)
    await eventually(played.has_scheduled_everything, timeout=90 * ROUNDS)
