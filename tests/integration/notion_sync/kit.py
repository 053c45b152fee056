"""What the tests of notion_sync are written in."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import cast

from nats.aio.msg import Msg

from contracts.facts import AnyFact
from contracts.ids import contact_id
from contracts.subjects import fact_subject
from eventlog.connection import Broker
from eventlog.consume import Consumer
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item, Outcome, Work
from journey.campaign import Campaign, load_campaigns
from services.notion_sync.handlers import Shell, on_facts, work
from services.sandbox.app import Sandbox
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from services.settings import ROOT, Settings
from tests.factories import ADA, CAMPAIGN, NOW
from tests.waiting import SOON_S

ME = contact_id(ADA)
SEQUENCE_KEY, CONTACT_KEY = f"sequence.{ME}.{CAMPAIGN}", f"contact.{ME}"
STEPS = [f"email-{n}" for n in range(1, 8)]


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@cache
def campaigns() -> dict[str, Campaign]:
    return load_campaigns(ROOT / "campaigns")


def settings_for(sandbox: Sandbox, **overrides: object) -> Settings:
    """Both databases of the stand-in, as fast as it takes it."""
    return Settings.load(
        **{
            "notion_token": "ntn_test",
            "notion_api_url": sandbox.url,
            "notion_rate_limit": 1_000,
            "notion_email_sequence_db_id": EMAIL_SEQUENCE_DB_ID,
            "notion_businessx_db_id": BUSINESSX_DB_ID,
        }
        | overrides
    )


Configure = Callable[..., Settings]
Make = Callable[..., Shell]


async def append(broker: Broker, *facts: AnyFact) -> None:
    for fact in facts:
        await EventLog(broker).append(fact)


async def wake(shell: Shell, *facts: AnyFact, attempt: int = 1) -> Outcome:
    """What the consumer does with these facts, once they are in the log."""
    items = [Item(fact, fact_subject(fact), n, attempt, cast("Msg", None)) for n, fact in enumerate(facts, start=1)]
    return await on_facts(items, shell)


async def happen(broker: Broker, shell: Shell, *facts: AnyFact, attempt: int = 1) -> Outcome:
    await append(broker, *facts)
    return await wake(shell, *facts, attempt=attempt)


def written(sandbox: Sandbox) -> list[str]:
    return [
        entry.method
        for entry in sandbox.requests()
        if entry.path.startswith("/v1/pages") and entry.method in {"POST", "PATCH"}
    ]


def sequence_rows(sandbox: Sandbox) -> list[dict[str, object]]:
    return sandbox.notion_rows()["Email Sequence"]


def contact_rows(sandbox: Sandbox) -> list[dict[str, object]]:
    return sandbox.notion_rows()["BusinessX Canada"]


def counts(sandbox: Sandbox) -> tuple[int, int]:
    return len(sequence_rows(sandbox)), len(contact_rows(sandbox))


async def until(condition: Callable[[], bool]) -> None:
    """The stand-in gives no signal when a call arrives."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Watched:
    """Consumers at work, and what came of each batch."""

    def __init__(self) -> None:
        self.done = 0
        self._changed = asyncio.Event()

    def watch(self, watched: Work[AnyFact]) -> Work[AnyFact]:
        async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
            outcome = await watched.handle(items)
            self.done += len(items) * isinstance(outcome, Done)
            self._changed.set()
            return outcome

        return Work(watched.durable, watched.decode, watched.group, handle, watched.slots, watched.in_hand)

    async def run(self, broker: Broker, *shells: Shell, until: int) -> None:
        stop = asyncio.Event()
        consumers = [Consumer(broker, self.watch(work(shell)), stop=stop) for shell in shells]
        running = [asyncio.create_task(consumer.run()) for consumer in consumers]
        try:
            async with asyncio.timeout(60):
                while self.done < until:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            stop.set()
            await asyncio.gather(*running)
