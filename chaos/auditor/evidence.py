"""What there is to judge by: EVENTS, timers and PARKED, the mailbox and the rows, and what webhooks were promised."""

import asyncio
import json
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

CAMPAIGN = "christmas-2025"
TIMERS, CONSUMERS = "KV_timers", (("EVENTS", "scheduler"), ("EVENTS", "notion_sync"), ("KV_timers", "sender"))
PAGE, PATIENCE_S = 500, 20

Document = dict[str, Any]


@dataclass(frozen=True)
class Promise:
    """A webhook that was answered with 2xx: from then on its fact is ours to keep."""

    email: str
    tag: str
    event_id: str


@dataclass(frozen=True)
class Stored:
    """One message of a stream, with the broker's time."""

    subject: str
    at: datetime
    body: Document

    @property
    def contact(self) -> str:
        return self.subject.split(".")[1]

    @property
    def tag(self) -> str:
        return self.subject.split(".")[2]


@dataclass(frozen=True)
class Evidence:
    """Everything the verdict rests on. `timers` are the subjects left in the bucket, due and not."""

    promises: list[Promise]
    facts: list[Stored]
    parked: list[Stored]
    timers: list[str]
    mails: list[Document]
    tables: dict[str, list[Document]]
    campaign: Document
    speedup: float


async def collect(
    nats_url: str, sandbox_url: str, campaigns: Path, promises: list[Promise], *, speedup: float
) -> Evidence:
    """Errors: whatever keeps it from reading; a verdict on half of it would be none."""
    async with httpx.AsyncClient(base_url=sandbox_url, timeout=60) as sandbox:
        mails = (await sandbox.get("/_control/mails")).raise_for_status().json()
        tables = (await sandbox.get("/_control/notion")).raise_for_status().json()
    nc = await nats.connect(nats_url.split(","), connect_timeout=5)
    js = nc.jetstream(timeout=PATIENCE_S)
    try:
        return Evidence(
            promises=promises,
            facts=await _read(js, "EVENTS", "events.>"),
            parked=await _read(js, "PARKED", "parked.>"),
            timers=sorted(await _subjects(js, TIMERS)),
            mails=mails,
            tables=tables,
            campaign=tomllib.loads((campaigns / CAMPAIGN / "campaign.toml").read_text()),
            speedup=speedup,
        )
    finally:
        await nc.close()


async def unfinished(js: JetStreamContext) -> dict[str, int]:
    """What keeps the product from being at rest, by name; empty when it is."""
    left: dict[str, int] = {}
    for stream, name in CONSUMERS:
        info = await js.consumer_info(stream, name)
        left[name] = int(info.num_pending or 0) + int(info.num_ack_pending or 0)
    left["timers"] = len(await _subjects(js, TIMERS))
    return {name: count for name, count in left.items() if count}


async def _read(js: JetStreamContext, stream: str, subject: str) -> list[Stored]:
    """Every message, oldest first; none where the whole stream is gone."""
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True, inactive_threshold=60)
    try:
        consumer = await js.pull_subscribe(subject, stream=stream, config=config)
    except NotFoundError:
        return []
    found: list[Stored] = []
    left = int((await consumer.consumer_info()).num_pending or 0)
    async with asyncio.timeout(300):
        while len(found) < left:
            page = await consumer.fetch(min(PAGE, left - len(found)), timeout=PATIENCE_S)
            found += [Stored(msg.subject, msg.metadata.timestamp, json.loads(msg.data)) for msg in page]
    await consumer.unsubscribe()
    return found


async def _subjects(js: JetStreamContext, stream: str) -> list[str]:
    try:
        state = (await js.stream_info(stream, subjects_filter=">")).state
    except NotFoundError:
        return []
    return list(state.subjects or {})
