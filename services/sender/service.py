"""The sender as a running service."""

import asyncio
import dataclasses
from collections.abc import Mapping

from eventlog.clock import broker_clock
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.templates import Templates
from journey.campaign import Campaign
from services.micro import registered
from services.sender.endpoints import questions
from services.sender.handlers import shell_for, work
from services.sender.resend_api import Resend
from services.sender.templates import AsPublished
from services.settings import Settings


async def run(broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event) -> None:
    """Until `stop` is set; then what is in hand is finished. Errors: ValueError without an API key."""
    if settings.resend_api_key is None:
        raise ValueError("the sender needs RESEND_API_KEY, or the sandbox in its place")
    key = settings.resend_api_key.get_secret_value()
    provider = Resend(key, settings.resend_api_url, settings.resend_rate_limit)
    try:
        async with broker_clock(broker) as clock:
            shell = shell_for(broker, provider, campaigns, settings.pace, clock=clock.earliest)
            if settings.templates == "notion":
                published = AsPublished(Templates(broker), campaigns, clock.earliest)
                shell = dataclasses.replace(shell, templates=published)
            asked = questions(broker, clock.now)
            async with registered(broker, "sender", "sends what is due through Resend", asked):
                await Consumer(broker, work(shell), stop=stop).run()
    finally:
        await provider.close()
