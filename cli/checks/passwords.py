"""Whether the broker asks who one is, and whether a user of ours gets in with an empty password."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

from cli.backends import access_of
from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning
from cli.checks.hello import Hello, hello
from eventlog.connection import Unavailable, connect

USERS = ("ingest", "scheduler", "sender", "notion_sync", "notifier", "operator")
"""Of deploy/nats/users.conf."""

KNOCK_S = 4.0


async def passwords(patient: Patient) -> list[Finding]:
    """One knock with each user's name and no password, at each server, since each has an environment of its own.

    The server's log will say that it was refused.
    """
    urls = [each.strip() for each in patient.url.split(",")]
    said = await hello(urls[0])
    if said is None:
        return [not_checked("NATS passwords", "the server says nothing before TLS")]
    if not said.auth_required:
        return [_open(said)]
    answers = [any(await asyncio.gather(*(_gets_in(patient, url, user) for url in urls))) for user in USERS]
    if entered := [user for user, came in zip(USERS, answers, strict=True) if came]:
        do = "give each a password (deploy/make-secrets.sh), then restart nats-server and the service"
        return [trouble("NATS passwords", f"with an empty password the server takes: {', '.join(entered)}", do)]
    return [ok("NATS passwords", "no user of ours gets in with an empty one")]


def _open(said: Hello) -> Finding:
    if _is_loopback(said.host):
        return ok("NATS passwords", "the server asks nobody, and listens to this machine alone")
    do = "give it the users of deploy/nats/users.conf, as docs/nats-security.md says, or let it listen on 127.0.0.1"
    return warning("NATS passwords", f"the server listens on {said.host} and asks nobody for a password", do)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _gets_in(patient: Patient, url: str, user: str) -> bool:
    nobody = {"token": None, "nkey_seed": None, "creds": None, "inbox": None}
    access = replace(access_of(patient.settings, "doctor"), user=user, password="", **nobody)
    try:
        async with connect(_without_user(url), name="doctor", patience_s=KNOCK_S, access=access):
            return True
    except Unavailable:  # refused, or away
        return False


def _without_user(url: str) -> str:
    scheme, sep, rest = url.rpartition("://")
    return f"{scheme}{sep}{rest.rpartition('@')[2]}"


CHECKS = (Check("NATS passwords", passwords, needs_broker=True),)
