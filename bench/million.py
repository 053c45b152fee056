"""1,000,000 pending emails: what they cost the broker, how fast they are put, what a crash and a sweep cost.

Seven timers each for 142,858 people who signed up over one day, the first due in an hour. `Timers.arm` puts them, as
in the scheduler, with as many on their way at a time; making their ids is not timed. Under `always` they are put with
the default first, and 50,000 more are timed after the broker was started again with `always`.
"""

import asyncio
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.figures import SYNC_INTERVAL, Figure, Setting
from bench.limits import publish_rate, raw_timer
from bench.machine import MB, rss_mb
from bench.memory import memory
from bench.people import EMAILS, campaign, signup, steps, timers_by_id
from bench.schedule import APPENDING, TIMERS_IN_FLIGHT, timed
from bench.stage import Stage, in_flight, messages_in, stage, until
from contracts import subjects
from contracts.subjects import Timer
from eventlog.connection import connect
from eventlog.log import EventLog
from eventlog.timers import Timers
from journey.plan import Pace
from services.scheduler.handlers import LOOK_BACK_AT_START_H, LOOK_BACK_H, Shell, sweep

PENDING = 1_000_000
MORE = 50_000
SIGNUPS = 2_000
STREAM = subjects.stream_of(subjects.TIMERS)


async def measure(setting: Setting) -> list[Figure]:
    count, more = setting.count(PENDING), setting.count(MORE)
    chunks = _chunks(count + more, more)
    raw = await publish_rate(setting, [raw_timer(timer) for timer in next(_chunks(more, more))], in_flight=448)
    async with stage("default") as played:
        empty_mb = _broker_mb(played)
        seconds = [await _put(played, next(chunks)) for _ in range(count // more)]
        figures = [_broker(setting, f"million: broker memory, {count:,} put", played, count, empty_mb)]
        if setting.fsync == "always":
            await _restart_with(played, setting)
            rate, detail = more / await _put(played, next(chunks)), f"{more:,} on top of {count:,}"
        else:
            rate, detail = count / sum(seconds), f"first {more:,} at {more / seconds[0]:,.0f}/s"
        figures.append(_put_rate(setting, rate, raw, detail))
        figures += await _crash(played, setting, empty_mb)
        sweeps = await _sweeps(played, setting)
        figures += [*sweeps, *await _more_signups(played, setting, sweep_s=sweeps[0].value)]
    return figures


def _chunks(count: int, size: int) -> Iterator[list[Timer]]:
    each_step, start = steps(campaign()), datetime.now(UTC) + timedelta(hours=1)
    chunk: list[Timer] = []
    people = -(-count // EMAILS)
    for number in range(people):
        chunk += timers_by_id(number, start + timedelta(days=number / people), each_step)
        while len(chunk) >= size:
            yield chunk[:size]
            chunk = chunk[size:]


async def _put(played: Stage, chunk: list[Timer]) -> float:
    """Seconds from the first put to the last acknowledgement."""
    timers, start = Timers(played.broker), time.monotonic()
    await in_flight([partial(timers.arm, timer) for timer in chunk], TIMERS_IN_FLIGHT)
    return time.monotonic() - start


def _put_rate(setting: Setting, rate: float, raw: float, detail: str) -> Figure:
    return Figure(
        name="million: put rate, one process",
        fsync=setting.fsync,
        value=rate,
        unit="puts/s",
        limit=raw,
        limit_is=f"raw publishes, {TIMERS_IN_FLIGHT} in flight",
        detail=detail,
    )


def _broker(setting: Setting, name: str, played: Stage, count: int, empty_mb: float) -> Figure:
    now = _broker_mb(played)
    disk = sum(file.stat().st_size for file in Path(played.server.folder).rglob("*") if file.is_file())
    return Figure(
        name=name,
        fsync=setting.fsync,
        value=now,
        unit="MB",
        at_most=True,
        detail=f"{(now - empty_mb) * MB / count:.0f} B a timer, {disk / count:.0f} on disk; {empty_mb:.0f} MB empty",
    )


def _broker_mb(played: Stage) -> float:
    return rss_mb(played.server.pid or 0)


async def _restart_with(played: Stage, setting: Setting) -> None:
    played.server.options["sync_interval"] = SYNC_INTERVAL[setting.fsync]
    await played.server.restart()
    await _answers(played, 0)


async def _crash(played: Stage, setting: Setting, empty_mb: float) -> list[Figure]:
    """From `kill -9` to the first answer, on a new connection, that counts every timer."""
    there = await messages_in(played.broker, STREAM)
    start = time.monotonic()
    await played.server.restart(signal.SIGKILL)
    await _answers(played, there)
    back = Figure(
        name="million: kill -9 to all of them back",
        fsync=setting.fsync,
        value=time.monotonic() - start,
        unit="s",
        at_most=True,
        detail=f"{there:,} timers",
    )
    return [back, _broker(setting, "million: broker memory after the restart", played, there, empty_mb)]


async def _answers(played: Stage, at_least: int) -> None:
    async with connect(played.server.url, name="bench", patience_s=60) as broker:
        found = await messages_in(broker, STREAM)
        assert found >= at_least, f"{found:,} timers of {at_least:,}"


async def _sweeps(played: Stage, setting: Setting) -> list[Figure]:
    """One sweep with nothing to repair: what it costs to look."""
    await _reconnected(played)
    shell = Shell(
        broker=played.broker,
        events=EventLog(played.broker),
        timers=Timers(played.broker),
        campaigns={known.id: known for known in [campaign()]},
        pace=Pace(),
    )
    figures = []
    for what, hours in ("at start", LOOK_BACK_AT_START_H), ("every minute", LOOK_BACK_H):
        start = time.monotonic()
        await sweep(shell, hours=hours)
        took = time.monotonic() - start
        name, detail = f"million: sweep {what}", f"looks back {hours} h"
        figures.append(Figure(name=name, fsync=setting.fsync, value=took, unit="s", at_most=True, detail=detail))
    return figures


async def _more_signups(played: Stage, setting: Setting, *, sweep_s: float) -> list[Figure]:
    """New signups on top, and the scheduler's memory after its first sweep and these."""
    count, there = setting.count(SIGNUPS), await messages_in(played.broker, STREAM)
    log, now = EventLog(played.broker), datetime.now(UTC)
    calls = [partial(log.append, signup(number, now)) for number in range(PENDING, PENDING + count)]
    async with played.service("scheduler") as scheduler:
        run = await timed(played, scheduler, count, lambda: in_flight(calls, APPENDING), before=there)
        rate = Figure(
            name="million: schedule on top",
            fsync=setting.fsync,
            value=count / run.stored_s,
            unit="signups/s",
            detail=f"{count:,} signups with {there:,} timers pending, beside the scheduler's first sweep",
        )
        await asyncio.sleep(2 + 3 * sweep_s)  # its first sweep is over too
        return [rate, memory(setting, scheduler, f"a sweep of {there:,} and {count:,} signups")]


async def _reconnected(played: Stage) -> None:
    """The connection that outlived the crash tries again every second."""

    async def connected() -> bool:
        return played.broker.nc.is_connected

    await until(connected, patience_s=30)
