"""Ingest as a server, and where it may listen."""

import ipaddress
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import structlog

from eventlog.connection import Broker
from services.http import HttpServer
from services.ingest.app import create_app
from services.settings import Settings

log = structlog.get_logger(__name__)

LOOPBACK = "127.0.0.1"


def bind_host(settings: Settings) -> tuple[str, str | None]:
    """Where to listen, and what to say about it: unsigned webhooks are taken from this machine only."""
    host = settings.host
    if settings.signup_webhook_secret or is_loopback(host):
        return host, None
    if settings.allow_unsigned:
        return host, (
            f"anybody who reaches {host} can post signups: SIGNUP_WEBHOOK_SECRET is not set and "
            "DRIPSTREAM_ALLOW_UNSIGNED=true"
        )
    return LOOPBACK, (
        f"listening on {LOOPBACK} only, not on {host}, because SIGNUP_WEBHOOK_SECRET is not set; set it, or "
        "DRIPSTREAM_ALLOW_UNSIGNED=true to take unsigned webhooks from anywhere"
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@asynccontextmanager
async def ingest_server(broker: Broker, settings: Settings, campaigns: Collection[str]) -> AsyncIterator[HttpServer]:
    """A running ingest, with its `url` and `port`.

    Units:  settings.port 0 takes a free one.
    Errors: BadSecret; OSError where the address is taken.
    """
    app = create_app(broker, settings, campaigns)
    host, warning = bind_host(settings)
    if warning:
        log.warning("unsigned_webhooks", detail=warning)
    elif settings.signup_webhook_secret is None:
        log.info("unsigned_webhooks", detail="SIGNUP_WEBHOOK_SECRET is not set; listening on loopback only")
    async with HttpServer(app, host=host, port=settings.port) as server:
        log.info("ingest_started", url=server.url, signed=settings.signup_webhook_secret is not None)
        yield server
