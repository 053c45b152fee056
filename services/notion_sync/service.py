"""notion_sync as a running service."""

import asyncio
from collections.abc import Mapping

from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.templates import Templates
from journey.campaign import Campaign
from services.micro import registered
from services.notion_sync.handlers import keep_looking, shell_for, work
from services.notion_sync.schema import TEMPLATES
from services.notion_sync.templates import TemplatesShell, keep_templates
from services.notion_sync.watch import keep_watching
from services.settings import Settings


async def run(broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event) -> None:
    """Until `stop` is set; then what is in hand is finished. Errors: ValueError without a token; BadDatabaseId."""
    if settings.notion_token is None:
        raise ValueError("notion_sync needs NOTION_TOKEN, or the sandbox in its place")
    shell = shell_for(broker, settings, campaigns, settings.pace)
    beside = [  # the work: Notion may take its time, or be away
        asyncio.create_task(keep_looking(shell)),
        asyncio.create_task(keep_watching(broker, shell, every_s=settings.notion_poll_s)),
    ]
    if settings.templates == "notion" and TEMPLATES in shell.notion.databases:
        publishing = TemplatesShell(shell.notion, Templates(broker), campaigns)
        beside.append(asyncio.create_task(keep_templates(publishing, every_s=settings.notion_poll_s)))
    try:
        async with registered(broker, "notion-sync", "shows every fact in Notion"):
            await Consumer(broker, work(shell), stop=stop).run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await shell.notion.close()
