"""Somebody healthy to look at, whom each test then gives one fault."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from cli.checks.finding import Check, Finding, Patient
from cli.doctor import CHECKS, examined
from eventlog import topology
from eventlog.connection import Broker
from services.sandbox.app import Sandbox
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from services.settings import Settings

SECRET = "whsec_" + "c2VjcmV0IG9mIGEgdGVzdA=="
KEY, TOKEN = "re_a_secret_key", "ntn_a_secret_token"
SENDER_DOMAIN = "mail.example.com"
"""Of the campaign that comes with this repository."""


def settings(url: str, sandbox: Sandbox, folder: Path, **overrides: object) -> Settings:
    """As in production, with the stand-ins in the places of Resend and Notion."""
    return Settings.load(
        **{
            "nats_url": url,
            "data_dir": folder / "data",
            "signup_webhook_secret": SECRET,
            "calcom_webhook_secret": "a secret of the calendar",
            "resend_webhook_secret": SECRET,
            "resend_api_key": KEY,
            "resend_api_url": sandbox.url,
            "notion_token": TOKEN,
            "notion_api_url": sandbox.url,
            "notion_rate_limit": 1_000,
            "notion_email_sequence_db_id": EMAIL_SEQUENCE_DB_ID,
            "notion_businessx_db_id": BUSINESSX_DB_ID,
        }
        | overrides
    )


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[None]:
    """A pull request at each consumer, as a running service has one."""
    inbox = broker.nc.new_inbox()
    subscription = await broker.nc.subscribe(inbox)  # the server forgets who hears nothing
    for durable in topology.DURABLES:
        call = f"{broker.api}.CONSUMER.MSG.NEXT.{durable.stream}.{durable.name}"
        await broker.nc.publish(call, b'{"batch": 1, "expires": 60000000000}', reply=inbox)
    await broker.ping()  # after the requests, which `flush` would overtake
    yield
    await subscription.unsubscribe()


@asynccontextmanager
async def relayed(url: str, change: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """A port where `url` answers, and says something else: of the same length, as both sides count bytes."""
    at, tasks = urlsplit(url), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, back = await asyncio.open_connection(at.hostname, at.port)
        for each in (_copy(reader, back, bytes), _copy(upstream, writer, change)):
            tasks.add(asyncio.create_task(each))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]) -> None:
    while said := await reader.read(1024 * 1024):
        writer.write(change(said))
        await writer.drain()
    writer.close()


def dated_later(by: timedelta) -> Callable[[bytes], bytes]:
    """HTTP answers with the `Date` of another time."""

    def later(found: re.Match[bytes]) -> bytes:
        return format_datetime(parsedate_to_datetime(found[0].decode()) + by, usegmt=True).encode()

    return lambda said: re.sub(rb"(?i)(?<=\r\ndate: )[^\r]+", later, said)


class _Dns(asyncio.DatagramProtocol):
    """Answers for one name; every other does not exist."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if text := self._texts.get(name.to_text(omit_final_dot=True)):
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", f'"{text}"'))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def name_server(texts: dict[str, str]) -> AsyncIterator[dns.asyncresolver.Resolver]:
    """A DNS of the test's own, on loopback."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Dns(texts), local_addr=("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    try:
        yield resolver
    finally:
        transport.close()


async def looked_at(patient: Patient, checks: Iterable[Check] = CHECKS) -> dict[str, Finding]:
    """By check; where one says several things, the last."""
    return {each.check: each for each in await examined(patient, checks)}


def troubles(found: dict[str, Finding]) -> set[str]:
    return {name for name, each in found.items() if each.state == "trouble"}


def tell(finding: Finding) -> str:
    return f"{finding.detail} {finding.do}"
