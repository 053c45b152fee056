"""Ingest as a running service."""

import asyncio
from collections.abc import Mapping

from eventlog.clock import broker_clock
from eventlog.connection import Broker
from journey.campaign import Campaign
from services.ingest.server import ingest_server
from services.micro import registered
from services.settings import Settings


async def run(broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event) -> None:
    """Until `stop` is set; then requests under way are answered. Errors: BadSecret; OSError, address taken."""
    names = {id_: campaign.trigger_names() for id_, campaign in campaigns.items()}
    async with (
        broker_clock(broker) as clock,
        ingest_server(broker, settings, names, clock.now),
        registered(broker, "ingest", "takes webhooks and appends facts"),
    ):
        await stop.wait()
