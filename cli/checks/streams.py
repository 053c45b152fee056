"""Streams, buckets and consumers: there, as wanted, listened to, and not behind."""

import asyncio
from collections import Counter

from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning
from cli.failures import failures
from eventlog import topology
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.lag import lag
from eventlog.pause import paused
from eventlog.topology import Durable

AGAIN_S = 0.5
FIRST = "mend what is in trouble above first"


async def in_place(patient: Patient) -> list[Finding]:
    """What `dripstream init` would say."""
    try:
        checks = await topology.check(patient.nats, replicas=patient.settings.replicas)
    except topology.OldServer:
        return [not_checked("streams", "there is no JetStream, or it is too old to have them", FIRST)]
    missing = [f"{each.kind} {each.name}" for each in checks if each.state == "missing"]
    drifted = [each for each in checks if each.differences]
    found = [trouble("streams", f"missing: {', '.join(missing)}", "run `dripstream init`")] if missing else []
    for each in drifted:
        detail = f"{each.kind} {each.name} differs: {'; '.join(map(str, each.differences))}"
        found.append(trouble("streams", detail, "run `dripstream init --apply`, unless somebody meant it so"))
    return found or [ok("streams", f"{len(checks)} streams, buckets and consumers are as wanted")]


async def consumers(patient: Patient) -> list[Finding]:
    """Each service's consumer: paused, behind, or without anybody who listens."""
    try:
        durables = await topology.made(patient.nats)
        return [each for durable in durables for each in await _consumer(patient.nats, patient, durable)]
    except (*UNREACHABLE, Unavailable) as error:
        return [not_checked("consumers", f"JetStream did not answer: {type(error).__name__}", FIRST)]


async def _consumer(broker: Broker, patient: Patient, durable: Durable) -> list[Finding]:
    """Errors: Unavailable, UNREACHABLE."""
    name = durable.service
    try:
        await broker.js.consumer_info(durable.stream, durable.name)
    except NotFoundError:
        return [trouble(name, f"there is no consumer {durable.name}", "run `dripstream init`")]
    if pause := await paused(broker, durable):
        detail = f"{name} is paused until {pause.until:%Y-%m-%d %H:%M} UTC: {pause.reason}"
        return [trouble(name, detail, _unpause(durable, name))]
    behind = await lag(broker, durable, patient.now())
    is_optional = durable in topology.OPTIONAL
    grade = warning if is_optional else trouble
    if not await _is_listening(broker, durable):
        detail = f"no {name} is listening; {behind.behind} messages wait"
        do = f"start it: `dripstream {name}`, its container or its systemd unit"
        gone = f"; if you do without it for good: `nats consumer rm {durable.stream} {durable.name}`"
        return [grade(name, detail, do + gone if is_optional else do)]
    if behind.is_late:
        detail = f"{name} is {behind.behind} messages behind, the oldest for {behind.oldest_s:.0f} s"
        do = f"look into its log for `retry` and `pause`; if it is only busy, start another {name}"
        return [grade(name, detail, do)]
    return [ok(name, f"{name} is listening and has caught up")]


def _unpause(durable: Durable, name: str) -> str:
    mend = "mend the reason"
    if durable == topology.NOTIFIER:
        mend = "mend the reason (of the webhook: set NOTIFY_WEBHOOK_URL right, `dripstream notifier test` tries it)"
    return f"{mend}, then `dripstream resume {name}`"


async def _is_listening(broker: Broker, durable: Durable) -> bool:
    """Two looks: between one pull request and the next there is none for a moment."""
    for pause_s in (AGAIN_S, 0):
        info: ConsumerInfo = await broker.js.consumer_info(durable.stream, durable.name)
        if info.num_waiting or info.num_ack_pending:
            return True
        await asyncio.sleep(pause_s)
    return False


async def waiting(patient: Patient) -> list[Finding]:
    """What waits for a person."""
    try:
        found = await failures(patient.nats)
    except Unavailable:
        return [not_checked("failures", "the streams cannot be read", FIRST)]
    parked = Counter(each.reason for each in found if each.kind == "parked")
    emails = Counter(each.reason for each in found if each.kind != "parked")
    told = []
    if parked:
        do = "`dripstream failures` lists them; then `dripstream retry` or `discard` each"
        told.append(trouble("parked", f"{parked.total()} messages nobody could handle: {_listed(parked)}", do))
    if emails:
        do = "`dripstream failures` lists them; then `dripstream retry` or `discard` each"
        told.append(warning("failed emails", f"{emails.total()} wait for a decision: {_listed(emails)}", do))
    return told or [ok("failures", "nothing waits for a decision")]


def _listed(reasons: Counter[str]) -> str:
    some = [f"{count} × {reason[:80]}" for reason, count in reasons.most_common(3)]
    return ", ".join(some) + (" …" if len(reasons) > len(some) else "")


CHECKS = (
    Check("streams", in_place, needs_broker=True),
    Check("consumers", consumers, needs_broker=True),
    Check("failures", waiting, needs_broker=True),
)
