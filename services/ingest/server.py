"""Ingest as a server, and where it may listen."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from eventlog.connection import Broker
from services.http import HttpServer
from services.ingest.app import create_app
from services.ingest.binding import bind_host, notices
from services.settings import Settings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def ingest_server(
    broker: Broker,
    settings: Settings,
    campaigns: Mapping[str, Collection[str]],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[HttpServer]:
    """A running ingest, with its `url` and `port`. `campaigns` are the trigger names each campaign knows, by id.

    Units:  settings.port 0 takes a free one.
    Errors: BadSecret; OSError where the address is taken.
    """
    app = create_app(broker, settings, campaigns, clock)
    for notice in notices(settings):
        (log.warning if notice.is_warning else log.info)("unsigned_webhooks", detail=notice.detail)
    async with HttpServer(app, host=bind_host(settings), port=settings.port) as server:
        log.info("ingest_started", url=server.url)
        yield server
