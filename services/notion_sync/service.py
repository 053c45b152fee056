"""notion_sync as a running service."""

import asyncio
from collections.abc import Mapping

from eventlog.connection import Broker
from eventlog.consume import Consumer
from journey.campaign import Campaign
from services.notion_sync.handlers import keep_looking, shell_for, work
from services.settings import Settings


async def run(broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event) -> None:
    """Until `stop` is set; then what is in hand is finished. Errors: ValueError without a token; BadDatabaseId."""
    if settings.notion_token is None:
        raise ValueError("notion_sync needs NOTION_TOKEN, or the sandbox in its place")
    shell = shell_for(broker, settings, campaigns, settings.pace)
    looking = asyncio.create_task(keep_looking(shell))  # beside the work: Notion may take its time, or be away
    try:
        await Consumer(broker, work(shell), stop=stop).run()
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await shell.notion.close()
