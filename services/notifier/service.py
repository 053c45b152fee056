"""The notifier as a running service."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from nats.js.errors import APIError

from eventlog import topology
from eventlog.clock import broker_clock
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.consume import Consumer
from eventlog.notices import notices, standings
from eventlog.pages import pages
from eventlog.pause import paused, resume
from journey.campaign import Campaign
from services.micro import registered
from services.notifier.handlers import OURS, Shell, work
from services.notifier.poster import Poster
from services.notifier.rules import Limits
from services.notifier.target import NEEDED, Target, target
from services.notifier.watch import Watch, keep_watch
from services.settings import Settings

log = structlog.get_logger(__name__)


async def run(broker: Broker, settings: Settings, campaigns: Mapping[str, Campaign], stop: asyncio.Event) -> None:
    """Until `stop` is set; then what is in hand is finished. Errors: ValueError without a webhook; Unavailable."""
    where = configured(settings)
    await _made_ready(broker)
    poster = Poster(where)
    try:
        async with (
            broker_clock(broker) as clock,
            registered(broker, "notifier", "posts alerts and signups to a chat"),
            asyncio.TaskGroup() as group,
        ):
            shell = Shell(
                notices=notices(broker),
                poster=poster,
                campaigns=campaigns,
                clock=clock.now,
                segment=settings.notify_segment,
                details=settings.notify_details,
                pages=pages(broker) if links_to_notion(settings) else None,
            )
            watch = Watch(
                broker=broker,
                poster=poster,
                standings=standings(broker),
                limits=limits(settings),
                every=timedelta(seconds=settings.notify_every_s),
                clock=clock.now,
            )
            group.create_task(keep_watch(watch, stop))
            group.create_task(Consumer(broker, work(shell), stop=stop).run())
    finally:
        await poster.close()


def configured(settings: Settings) -> Target:
    """Errors: ValueError, saying what to set."""
    if settings.notify_webhook_url is None:
        raise ValueError(NEEDED)
    return target(settings.notify_webhook_url.get_secret_value(), sandbox=settings.sandbox_url)


def limits(settings: Settings) -> Limits:
    hours = settings.notify_no_signups_h
    return Limits(
        late=timedelta(minutes=settings.notify_late_min),
        lag=timedelta(minutes=settings.notify_lag_min),
        no_signups=timedelta(hours=hours) if hours else None,
    )


def links_to_notion(settings: Settings) -> bool:
    """The real one, since a page of the sandbox has no address there. Its token is not needed, and not given to us."""
    return bool(settings.notion_businessx_db_id or settings.notion_email_sequence_db_id) and not settings.notion_api_url


async def _made_ready(broker: Broker) -> None:
    """The consumer is there, and not paused for a webhook that is not ours any more. Errors: Unavailable."""
    try:
        await topology.ensure_durable(broker, topology.NOTIFIER)
    except (*UNREACHABLE, APIError) as error:
        raise Unavailable(f"the consumer notifier could not be made: {type(error).__name__}") from error
    pause = await paused(broker, topology.NOTIFIER)
    if pause and pause.reason.startswith(OURS):
        log.info("resumed", reason=pause.reason)
        await resume(broker, topology.NOTIFIER)
