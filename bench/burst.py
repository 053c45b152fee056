"""10,000 emails due in the same second.

First with the sender's real consume loop around a handler that only notes its entry: for each email, from the time
stamp of the due message in its stream (the broker has it, and may give it away) to the handler. Then with the real
`dripstream sender`, which checks, claims, renders, calls the sandbox over HTTP without rate limits and appends.
"""

import asyncio
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import msgspec

from bench.figures import Figure, Setting, percentile
from bench.limits import Raw, publish_rate, pull_and_ack_rate, raw_due, raw_fact
from bench.memory import memory
from bench.people import campaign, signup, timers_of
from bench.stage import Stage, in_flight, messages_in, stage, until
from contracts import subjects
from contracts.codec import encode
from contracts.facts import EmailSent, SignupReceived
from contracts.subjects import Timer
from eventlog import topology
from eventlog.claims import Claim
from eventlog.log import EventLog
from eventlog.timers import Timers
from journey.campaign import Campaign
from journey.contact import fold
from journey.plan import Pace, plan
from services.sender.render import claim_for

EMAILS_DUE = 10_000
WITHIN_S = 2.0
IN_HAND, SLOTS = 32, 8
"""As the sender has them: the limits get the same."""

ARMING = 256
STORED = 3
"""Messages a send stores: the claim, EmailSent, the settled claim."""


async def measure(setting: Setting) -> list[Figure]:
    count = setting.count(EMAILS_DUE)
    return [*await _to_handler(setting, count), *await _sent(setting, count)]


async def _to_handler(setting: Setting, count: int) -> list[Figure]:
    pulled_s, stored_s = await _raw_s(setting, count)
    async with stage(setting.fsync) as played:
        file = played.folder / "late.json"
        command = (sys.executable, "-m", "bench.probe", str(file))
        async with played.process("probe", *command, ready='"started"'):
            due = await _arm(played, count)
            handled = await _when_handled(played, count, due)
        late = msgspec.json.decode(file.read_bytes(), type=list[float])
    assert len(late) == count, f"{len(late)} of {count} reached the handler"
    figure = partial(Figure, fsync=setting.fsync, unit="s", at_most=True)
    return [
        figure(
            name=f"burst: broker to handler, latest of {count:,}",
            value=max(late),
            target=WITHIN_S,
            limit=pulled_s if setting.fsync == "default" else None,  # else they leave at the pace of fsync
            limit_is=f"raw pull and ack of all, {IN_HAND} at a time",
            detail=f"p50 {percentile(late, 0.5):.2f} s, p99 {percentile(late, 0.99):.2f} s",
        ),
        figure(
            name="burst: due to last one handled",
            value=handled - due.timestamp(),
            limit=max(pulled_s, stored_s),
            limit_is="the slower of raw publishes of all and raw pull and ack of all",
        ),
    ]


async def _sent(setting: Setting, count: int) -> list[Figure]:
    raw = await publish_rate(setting, _raw_sends(count), in_flight=SLOTS) / STORED
    async with (
        stage(setting.fsync) as played,
        played.sandbox() as env,
        played.service("sender", **env) as sender,
    ):
        due = await _arm(played, count, with_facts=True)
        busy = sender.cpu_s
        took = await _when_handled(played, count, due) - due.timestamp()
        busy = sender.cpu_s - busy
        sent = await messages_in(played.broker, subjects.EVENTS) - count
        assert sent == count, f"{sent} facts for {count} emails"
        rate = Figure(
            name="burst: sent through the sandbox",
            fsync=setting.fsync,
            value=count / took,
            unit="emails/s",
            limit=raw,
            limit_is=f"{STORED} raw publishes an email, {SLOTS} in flight",
            detail=f"{count:,} emails in {took:.1f} s; sender at {busy / took:.0%} of a core",
        )
        return [rate, memory(setting, sender, f"{count:,} emails")]


async def _arm(played: Stage, count: int, *, with_facts: bool = False) -> datetime:
    """The first email of so many people, all due in one second that is still to come: that second."""
    due = datetime.fromtimestamp(int(time.time() + 5 + count / 1_000), UTC)
    facts = [signup(number, due) for number in range(count)]
    if with_facts:
        log = EventLog(played.broker)
        await in_flight([partial(log.append, fact) for fact in facts], ARMING)
    timers = Timers(played.broker)
    await in_flight([partial(timers.arm, timer) for timer in _first_timers(facts)], ARMING)
    assert datetime.now(UTC) < due, "arming took longer than planned for"
    return due


def _first_timers(facts: Iterable[SignupReceived]) -> list[Timer]:
    known = campaign()
    return [timers_of(fact, known)[0] for fact in facts]


async def _when_handled(played: Stage, count: int, due: datetime) -> float:
    """Epoch seconds at which the sender had settled the last of them."""
    await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
    durable = topology.SENDER

    async def finished() -> bool:
        info = await played.broker.js.consumer_info(durable.stream, durable.name)
        delivered = info.delivered.consumer_seq if info.delivered else 0
        return delivered >= count and not info.num_pending and not info.num_ack_pending

    return await until(finished, patience_s=600, pause_s=0.05)


async def _raw_s(setting: Setting, count: int) -> tuple[float, float]:
    """Seconds to pull and acknowledge so many due messages, and to store them."""
    facts = [signup(number, datetime.now(UTC)) for number in range(count)]
    raw = [raw_due(timer) for timer in _first_timers(facts)]
    pulled = await pull_and_ack_rate(setting, raw, batch=IN_HAND)
    return count / pulled, count / await publish_rate(setting, raw, in_flight=ARMING)


def _raw_sends(count: int) -> list[Raw]:
    """What a send stores: the claim with the whole request, EmailSent, the settled claim."""
    known, now = campaign(), datetime.now(UTC)
    facts = [signup(number, now) for number in range(count)]
    return [raw for fact in facts for raw in _raw_send(fact, known, now)]


def _raw_send(fact: SignupReceived, known: Campaign, now: datetime) -> tuple[Raw, Raw, Raw]:
    contact = fold(fact.contact, [fact])
    first = plan(contact, known, Pace())[0]
    claim = claim_for(first, known, contact, attempt=1, now=now)
    key = subjects.kv_subject(subjects.SENDS, claim.email_id)
    sent = EmailSent(
        contact=fact.contact,
        at=now,
        email_id=claim.email_id,
        provider_id=str(uuid4()),
        template=claim.template,
        template_version=claim.template_version,
        subject=claim.subject,
        due=first.due,
    )
    settled = Claim(email_id=claim.email_id, attempt_at=now)
    return (
        Raw.like(key, encode(claim), {"Nats-Rollup": "sub"}),
        raw_fact(sent),
        Raw.like(key, encode(settled), {"Nats-Rollup": "sub", "Nats-TTL": "172800s"}),
    )
