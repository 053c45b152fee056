"""From signup accepted to all seven timers stored.

`dripstream scheduler` runs as a process of its own, beside the broker and whoever makes the signups, all on the same
cores. The clock runs from the first signup sent to the moment the scheduler has acknowledged the last one, which it
does once the broker has acknowledged that signup's seven timers. Then the timers are counted.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bench.figures import Figure, Setting
from bench.limits import publish_rate, raw_signups
from bench.load import SECRET, Load, signed_posts
from bench.memory import memory
from bench.people import EMAILS, campaign, signup
from bench.stage import Process, Stage, in_flight, is_finished, messages_in, stage, until
from contracts import subjects
from eventlog import topology
from eventlog.log import EventLog
from eventlog.server import free_port

SIGNUPS = 10_000
APPENDING = 64
"""Facts on their way to the broker at the same time."""

CONNECTIONS = 32
TIMERS_IN_FLIGHT = 448
"""As many as the scheduler may have: 64 contacts of seven."""


@dataclass(frozen=True)
class Run:
    """Seconds from the first signup until all were accepted, and until the last timer was stored; the scheduler's
    processor time in between.
    """

    accepted_s: float
    stored_s: float
    busy_s: float


async def measure(setting: Setting) -> list[Figure]:
    count = setting.count(SIGNUPS)
    raw = await publish_rate(setting, raw_signups(count, campaign()), in_flight=TIMERS_IN_FLIGHT) / (EMAILS + 1)
    return [*await _from_facts(setting, count, raw), await _over_http(setting, count, raw)]


async def _from_facts(setting: Setting, count: int, raw: float) -> list[Figure]:
    """Facts appended by this process, as fast as the broker takes them."""
    facts = [signup(number, datetime.now(UTC)) for number in range(count)]
    async with stage(setting.fsync) as played, played.service("scheduler") as scheduler:
        log = EventLog(played.broker)
        calls = [partial(log.append, fact) for fact in facts]
        run = await timed(played, scheduler, count, lambda: in_flight(calls, APPENDING))
        rate = _rate(setting, "schedule: facts appended", count, run, raw)
        return [rate, memory(setting, scheduler, f"{count:,} signups")]


async def _over_http(setting: Setting, count: int, raw: float) -> Figure:
    """Signed webhooks to `dripstream ingest`, on the same cores too."""
    port = free_port()
    env = {"DRIPSTREAM_PORT": str(port), "SIGNUP_WEBHOOK_SECRET": SECRET}
    async with (
        stage(setting.fsync) as played,
        played.service("scheduler") as scheduler,
        played.service("ingest", ready="ingest_started", **env),
        Load(port, CONNECTIONS) as load,
    ):
        posts = signed_posts(range(count), port)
        run = await timed(played, scheduler, count, lambda: load.flat_out(posts))
        return _rate(setting, "schedule: webhooks over HTTP", count, run, raw)


async def timed(
    played: Stage, scheduler: Process, count: int, sign_up: Callable[[], Awaitable[object]], *, before: int = 0
) -> Run:
    """`before`: how many timers are there already. Errors: AssertionError, when a timer is missing at the end."""
    facts_before = await messages_in(played.broker, subjects.EVENTS)

    async def finished() -> bool:
        there = await messages_in(played.broker, subjects.EVENTS) >= facts_before + count
        return there and await is_finished(played.broker, topology.SCHEDULER)

    start, busy = time.time(), scheduler.cpu_s
    await sign_up()
    accepted = time.time()
    end = await until(finished, patience_s=600)
    timers = await messages_in(played.broker, subjects.stream_of(subjects.TIMERS)) - before
    assert timers >= count * EMAILS, f"{timers} timers of {count * EMAILS}"
    return Run(accepted - start, end - start, scheduler.cpu_s - busy)


def _rate(setting: Setting, name: str, count: int, run: Run, raw: float) -> Figure:
    return Figure(
        name=name,
        fsync=setting.fsync,
        value=count / run.stored_s,
        unit="signups/s",
        target=setting.target(default=500, always=150),
        limit=raw,
        limit_is=f"{EMAILS + 1} raw publishes a signup",
        detail=f"{count:,} signups, all accepted after {run.accepted_s:.1f} s; "
        f"scheduler at {run.busy_s / run.stored_s:.0%} of a core",
    )
