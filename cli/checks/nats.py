"""The broker: reachable, new enough, willing, with a clock that agrees, and room to write."""

import re

import msgspec

from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning
from cli.checks.hello import hello, host
from cli.checks.rights import lacking, permissions
from contracts import subjects
from eventlog import topology
from eventlog.clock import NOISE, BrokerClock

RECOMMENDED = (2, 15, 1)
WRITE_S = 6.0
WRONG_S = 5.0
"""Clocks that differ by more are in trouble; by less, somebody should know."""


async def reachable(patient: Patient) -> list[Finding]:
    """Where nobody takes us: is there a server at all?"""
    if patient.broker:
        return [ok("NATS", f"connected to {_host(patient.url)}")]
    if not patient.url:
        do = "set NATS_URL to your server, or start `dripstream up` on this machine"
        return [trouble("NATS", "NATS_URL is unset, and no `dripstream up` runs on this data folder", do)]
    answering = [each for each in patient.url.split(",") if await hello(each.strip())]
    if answering:
        do = (
            "set NATS_USER and NATS_PASSWORD, NATS_NKEY_SEED or NATS_CREDS to the user `operator`, with TLS NATS_TLS_CA"
        )
        return [trouble("NATS", f"a server answers at {_host(answering[0])} and does not take us", do)]
    do = "start nats-server, or set NATS_URL right; `nats-server -c FILE` says what keeps it from starting"
    return [trouble("NATS", f"nobody answers at {_host(patient.url)}", do)]


async def version(patient: Patient) -> list[Finding]:
    """Whether it can fire timers, and whether it has the fixes we know of."""
    broker = patient.nats
    name = str(broker.nc.connected_server_version).strip("<>").rpartition(" v")[2]
    wanted = ".".join(map(str, RECOMMENDED))
    try:
        await topology.require_server(broker)
    except topology.OldServer as error:
        if "no JetStream" in str(error):
            do = (
                "look whether its disk is full (it gives up JetStream then, until a restart): free some, restart it; "
                "else give it a jetstream block, as deploy/nats/common.conf has"
            )
            return [trouble("NATS version", f"nats-server {name} has no JetStream for us", do)]
        return [trouble("NATS version", str(error), f"put nats-server {wanted} or newer in its place, and restart it")]
    if _numbers(name) < RECOMMENDED:
        do = f"put nats-server {wanted} or newer in its place: older ones lose timers in some crashes"
        return [warning("NATS version", f"nats-server {name}", do)]
    return [ok("NATS version", f"nats-server {name}")]


async def rights(patient: Patient) -> list[Finding]:
    """What the operator's commands need, against what the server says this user may."""
    broker = patient.nats
    found = await permissions(broker)
    if found is None:
        do = "allow it to publish $SYS.REQ.USER.INFO to have them checked"
        return [not_checked("NATS rights", "the server does not tell this user its rights", do)]
    missing = lacking(found, broker.api)
    if missing:
        some = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        do = "connect as the user `operator` of deploy/nats, or allow it these subjects"
        return [trouble("NATS rights", f"user {found.user or '(none)'} may not use {some}", do)]
    limited = "as the operator needs" if found.is_limited else "everything: give each service a user of its own"
    return [ok("NATS rights", f"user {found.user or '(none)'} may do {limited}")]


async def clock(patient: Patient) -> list[Finding]:
    """Ours beside the broker's, which is everybody's (ADR 0016)."""
    measured = BrokerClock(patient.nats, patient.now)
    await measured.measure()
    ahead = measured.ahead.total_seconds()
    if abs(ahead) <= NOISE.total_seconds():
        return [ok("clock", "this machine and the broker agree")]
    detail = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the broker"
    do = "let NTP set both machines (`timedatectl set-ntp true`), then compare both with `date -u`"
    return [(trouble if abs(ahead) > WRONG_S else warning)("clock", detail, do)]


async def writable(patient: Patient) -> list[Finding]:
    """An entry that goes by itself after a second: whether there is room can be found out only by writing."""
    broker = patient.nats
    subject = subjects.kv_subject(subjects.SENDS, "doctor")
    try:
        answer = await broker.nc.request(
            subject, b"{}", timeout=WRITE_S, headers={"Nats-TTL": "1s", "Nats-Rollup": "sub"}
        )
    except Exception as error:  # noqa: BLE001 - whatever kept it from being answered is the finding
        user = await permissions(broker)
        if user and not user.may_publish(subject):
            return [not_checked("storage", f"user {user.user} may not write {subject}")]
        do = "`dripstream init` if streams are missing; else look at the server's log and disk"
        return [trouble("storage", f"a write was not answered ({type(error).__name__})", do)]
    refused = msgspec.json.decode(answer.data, type=_Ack).error
    if refused:
        do = "make room: raise NATS_MAX_FILE_STORE or free the disk, restart nats-server (docs/operations.md)"
        return [trouble("storage", f"JetStream refuses to store: {refused.description} ({refused.err_code})", do)]
    return [ok("storage", "JetStream stores what it is given")]


class _Refusal(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    error: _Refusal | None = None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", version.partition("-")[0])[:3])


def _host(url: str) -> str:
    """Without user and password."""
    return ", ".join(map(host, url.split(",")))


CHECKS = (
    Check("NATS", reachable),
    Check("NATS version", version, needs_broker=True),
    Check("NATS rights", rights, needs_broker=True),
    Check("clock", clock, needs_broker=True),
    Check("storage", writable, needs_broker=True),
)
