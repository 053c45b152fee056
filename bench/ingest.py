"""A webhook to its 202: signed, checked, translated, appended to EVENTS, answered.

`dripstream ingest` runs as a process of its own on the same cores as the broker and the generator. At the fixed rate
a request is timed from the moment it was planned, at constant arrivals, to the last byte of its answer. Timers of the
generator tick in milliseconds, so up to one of them is the generator's.
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from bench.figures import Figure, Setting, percentile
from bench.limits import publish_delays_ms, publish_rate, raw_fact
from bench.load import SECRET, Load, signed_posts
from bench.memory import memory
from bench.people import signup
from bench.stage import Process, Stage, stage, stored_at
from contracts import subjects
from contracts.subjects import Timer
from eventlog.server import free_port

PER_SECOND, SECONDS = 200, 20
WARM_UP = 200
FLAT_OUT, CONNECTIONS = 10_000, 64


async def measure(setting: Setting) -> list[Figure]:
    count, most = setting.count(PER_SECOND * SECONDS), setting.count(FLAT_OUT)
    raw = [raw_fact(signup(number, datetime.now(UTC))) for number in range(most)]
    raw_ms = await publish_delays_ms(setting, raw[:count], per_second=PER_SECOND)
    raw_rate = await publish_rate(setting, raw, in_flight=CONNECTIONS)
    figures = []
    async with stage(setting.fsync) as played:
        figures += await _on(played, setting, count, most, (raw_ms, raw_rate))
    async with stage(setting.fsync) as played, played.service("scheduler"):
        figures += await _beside_scheduler(played, setting, count, raw_ms)
    return figures


async def _on(played: Stage, setting: Setting, count: int, most: int, raw: tuple[list[float], float]) -> list[Figure]:
    port = free_port()
    async with _ingest(played, port) as ingest, Load(port, CONNECTIONS) as load:
        await load.flat_out(signed_posts(range(1_000_000, 1_000_000 + WARM_UP), port))
        delays = await load.at_rate(signed_posts(range(count), port), PER_SECOND)
        posts, start = signed_posts(range(count, count + most), port), time.monotonic()
        spent = time.process_time()
        await load.flat_out(posts)
        took, spent = time.monotonic() - start, time.process_time() - spent
        return [
            _p99(setting, f"ingest: p99 at {PER_SECOND}/s", delays, raw[0]),
            Figure(
                name="ingest: maximum rate",
                fsync=setting.fsync,
                value=most / took,
                unit="requests/s",
                limit=raw[1],
                limit_is=f"raw publishes, {CONNECTIONS} in flight",
                detail=f"{most:,} requests on {CONNECTIONS} connections; generator {spent / took:.0%} of a core",
            ),
            memory(setting, ingest, f"{WARM_UP + count + most:,} webhooks"),
        ]


async def _beside_scheduler(played: Stage, setting: Setting, count: int, raw_ms: list[float]) -> list[Figure]:
    port = free_port()
    async with _ingest(played, port), Load(port, CONNECTIONS) as load:
        await load.flat_out(signed_posts(range(1_000_000, 1_000_000 + WARM_UP), port))
        delays = await load.at_rate(signed_posts(range(count), port), PER_SECOND)
    stored = await _stored_ms(played)
    return [
        _p99(setting, f"ingest: p99 at {PER_SECOND}/s beside the scheduler", delays, raw_ms),
        Figure(
            name=f"schedule: accepted to all timers stored, p99 at {PER_SECOND}/s",
            fsync=setting.fsync,
            value=percentile(stored, 0.99),
            unit="ms",
            at_most=True,
            detail=f"{len(stored):,} signups; p50 {percentile(stored, 0.5):.1f} ms, max {max(stored):.1f} ms",
        ),
    ]


async def _stored_ms(played: Stage) -> list[float]:
    """For each signup after the warm-up, from its fact's time stamp in the stream to that of the last of its timers."""
    await asyncio.sleep(2)  # the first email of each is due at once: those timers fire, and are gone
    facts = (await stored_at(played.broker, subjects.EVENTS, subjects.facts_of("signup_received")))[WARM_UP:]
    timers = await stored_at(
        played.broker, subjects.stream_of(subjects.TIMERS), subjects.kv_subject(subjects.TIMERS, ">")
    )
    last = {Timer.parse(subject).contact: at for subject, at in timers}
    return [1000 * (last[subjects.contact_of(subject)] - at) for subject, at in facts]


def _ingest(played: Stage, port: int) -> AbstractAsyncContextManager[Process]:
    return played.service("ingest", ready="ingest_started", DRIPSTREAM_PORT=str(port), SIGNUP_WEBHOOK_SECRET=SECRET)


def _p99(setting: Setting, name: str, delays_ms: list[float], raw_ms: list[float]) -> Figure:
    return Figure(
        name=name,
        fsync=setting.fsync,
        value=percentile(delays_ms, 0.99),
        unit="ms",
        at_most=True,
        target=setting.target(default=50, always=None),
        limit=percentile(raw_ms, 0.99),
        limit_is=f"p99 of one raw publish at {PER_SECOND}/s",
        detail=f"{len(delays_ms):,} requests; p50 {percentile(delays_ms, 0.5):.1f} ms, max {max(delays_ms):.1f} ms",
    )
