"""Whether the broker asks who one is, and whether a user of ours gets in with an empty password."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

from cli.backends import access_of
from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble, warning
from cli.checks.hello import Hello, hello, host
from eventlog.connection import Unavailable, connect

USERS = ("ingest", "scheduler", "sender", "notion_sync", "notifier", "operator")
"""Of deploy/nats/users.conf."""

CHECK = "NATS passwords"
KNOCK_S = 4.0


async def passwords(patient: Patient) -> list[Finding]:
    """One knock with each user's name and no password, at each server, since each has an environment of its own.

    The server's log will say that it was refused.
    """
    urls = [each.strip() for each in patient.url.split(",")]
    said = dict(zip(urls, await asyncio.gather(*map(hello, urls)), strict=True))
    opened = [_open(each) for each in said.values() if each and not each.auth_required]
    asking = [url for url, each in said.items() if each and each.auth_required]
    silent = [host(url) for url, each in said.items() if each is None]
    found = [*dict.fromkeys(opened), *([await _knocked(patient, asking)] if asking else [])]
    if silent:
        detail = f"{', '.join(silent)}: away, or it says nothing before TLS"
        found.append(not_checked(CHECK, detail, "start it again if it is away, then run this again" if found else ""))
    return found


async def _knocked(patient: Patient, urls: Sequence[str]) -> Finding:
    """All at once: who does not answer costs the same patience for one user as for all."""
    knocks = [(user, url) for user in USERS for url in urls]
    came = await asyncio.gather(*(_gets_in(patient, url, user) for user, url in knocks))
    if entered := dict.fromkeys(user for (user, _), is_in in zip(knocks, came, strict=True) if is_in):
        do = "give each a password (deploy/make-secrets.sh), then restart nats-server and the service"
        return trouble(CHECK, f"with an empty password the server takes: {', '.join(entered)}", do)
    return ok(CHECK, "no user of ours gets in with an empty one")


def _open(said: Hello) -> Finding:
    if _is_loopback(said.host):
        return ok(CHECK, "the server asks nobody, and listens to this machine alone")
    do = "give it the users of deploy/nats/users.conf, as docs/nats-security.md says, or let it listen on 127.0.0.1"
    return warning(CHECK, f"the server listens on {said.host} and asks nobody for a password", do)


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


CHECKS = (Check(CHECK, passwords, needs_broker=True),)
