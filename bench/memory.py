"""What each service holds once its work is done: resident memory of its own process."""

import asyncio
from datetime import UTC, datetime
from functools import partial

from bench.figures import Figure, Setting
from bench.people import signup
from bench.stage import Process, in_flight, stage
from eventlog import topology
from eventlog.log import EventLog

MOST_MB = 120
SIGNUPS, SHOWING_S = 10_000, 30


def memory(setting: Setting, process: Process, after: str) -> Figure:
    """Now, in MB (10^6 bytes); the peak beside it."""
    return Figure(
        name=f"memory: {process.name} after {after}",
        fsync=setting.fsync,
        value=process.rss_mb,
        unit="MB",
        at_most=True,
        target=MOST_MB,
        detail=f"peak {process.peak_rss_mb:.0f} MB",
    )


async def measure(setting: Setting) -> list[Figure]:
    """notion-sync for half a minute on a backlog of 10,000 signups, against the sandbox without rate limits.

    The other services are measured after the work that drives each of them hardest.
    """
    count = setting.count(SIGNUPS)
    facts = [signup(number, datetime.now(UTC)) for number in range(count)]
    async with stage(setting.fsync) as played, played.sandbox() as env:
        log = EventLog(played.broker)
        await in_flight([partial(log.append, fact) for fact in facts], 64)
        async with played.service("notion-sync", **env) as notion_sync:
            await asyncio.sleep(setting.count(SHOWING_S))
            durable = topology.NOTION_SYNC
            info = await played.broker.js.consumer_info(durable.stream, durable.name)
            shown = count - int(info.num_pending or 0) - int(info.num_ack_pending or 0)
            return [memory(setting, notion_sync, f"{setting.count(SHOWING_S)} s of {count:,} signups, {shown:,} shown")]
