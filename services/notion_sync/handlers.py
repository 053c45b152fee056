"""The handler of notion_sync: what happened to a contact, shown in Notion. Sends never depend on it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import structlog
from notion_client.helpers import extract_database_id

from contracts import subjects
from contracts.codec import decode_fact
from contracts.facts import AnyFact, SignupReceived
from contracts.operators import HandlingFailed
from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item, Outcome, Park, Pause, Retry, Work
from eventlog.pages import pages
from journey.campaign import Campaign
from journey.contact import fold
from journey.plan import Pace
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Notion
from services.notion_sync.projection import BUSINESSX, EMAIL_SEQUENCE, Database, rows_for
from services.notion_sync.remade import remade
from services.notion_sync.upsert import Shell, upsert
from services.settings import Settings

log = structlog.get_logger(__name__)

IDS: Mapping[Database, str] = {
    EMAIL_SEQUENCE: "notion_email_sequence_db_id",
    BUSINESSX: "notion_businessx_db_id",
}
"""The setting that names each database."""

LOOK_S = 600.0

__all__ = ["BadDatabaseId", "Shell", "keep_looking", "on_facts", "prepare", "shell_for", "work"]


class BadDatabaseId(ValueError):
    """A setting that is no id of a Notion database, nor a link to one."""


async def on_facts(items: Sequence[Item[AnyFact]], shell: Shell) -> Outcome:
    """Something happened to a contact: bring that contact's pages into line, once for all of it.

    Shape:  facts of one contact → at most one write per row.
    Errors: Unavailable, to be tried again; parked where a signup names a campaign we do not have.
    """
    facts = [item.value for item in items]
    contact = facts[0].contact
    state = fold(contact, [*await shell.events.history(contact), *facts])
    wanted = rows_for(state, shell.campaigns, shell.pace)
    attempt = max(item.attempt for item in items)
    outcomes: list[Outcome] = []
    for row in wanted:
        if row.database in shell.notion.databases:
            outcomes.append(await upsert(row, shell, attempt=attempt))
            if isinstance(outcomes[-1], Pause):
                break  # the others would hear the same
    outcome = together([*outcomes, *_unknown(facts, shell.campaigns)])
    echo = isinstance(outcome, Park) and all(isinstance(fact, HandlingFailed) for fact in facts)
    return Done("what was parked stays parked") if echo else outcome


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome for all rows: nothing is done before every row is, and the first to be tried again sets the time."""
    every = list(outcomes)
    if closed := [each for each in every if isinstance(each, Pause)]:
        return closed[0]
    if again := [each for each in every if isinstance(each, Retry)]:
        return min(again, key=lambda each: each.after_s)
    if parked := [each for each in every if isinstance(each, Park)]:
        return parked[0]
    return Done(", ".join(each.what for each in every if isinstance(each, Done)) or "nothing to show")


def _unknown(facts: Iterable[AnyFact], campaigns: Mapping[str, Campaign]) -> list[Park]:
    names = {fact.campaign for fact in facts if isinstance(fact, SignupReceived)} - campaigns.keys()
    return [Park("unknown campaign", f"no folder campaigns/{name}") for name in sorted(names)]


async def prepare(shell: Shell) -> None:
    """Find the databases and name what is wrong with them, before the first fact. Notion may be away: later, then."""
    for database in shell.notion.databases:
        try:
            await shell.notion.look_again(database)
        except (Refusal, Unavailable) as error:
            log.warning("notion_not_ready", database=database, reason=str(error))


async def keep_looking(shell: Shell, *, every_s: float = LOOK_S) -> None:
    """Until cancelled: a column may be deleted, or made anew, while nobody writes."""
    while True:
        await prepare(shell)
        await asyncio.sleep(every_s)


def work(shell: Shell, *, slots: int = 4) -> Work[AnyFact]:
    """EVENTS, by contact. Few slots, as Notion takes three calls a second; much in hand, so that bursts fold."""

    async def handle(items: Sequence[Item[AnyFact]]) -> Outcome:
        return await on_facts(items, shell)

    return Work(
        durable=topology.NOTION_SYNC,
        decode=decode_fact,
        group=lambda item: subjects.contact_of(item.subject),
        handle=handle,
        slots=slots,
        in_hand=500,
    )


def shell_for(
    broker: Broker,
    settings: Settings,
    campaigns: Mapping[str, Campaign],
    pace: Pace,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Shell:
    """Errors: BadDatabaseId, naming the setting. `await shell.notion.close()` at the end."""
    columns = remade(broker)
    notion = Notion(
        token=settings.notion_token.get_secret_value() if settings.notion_token else "sandbox",
        url=settings.notion_api_url,
        per_second=settings.notion_rate_limit,
        databases=_databases(settings),
        clock=clock,
        looked=columns.look,
    )
    return Shell(EventLog(broker), pages(broker), columns, notion, campaigns, pace, clock)


def _databases(settings: Settings) -> dict[Database, str]:
    """The ids of the databases that are on. Without a token, only a stand-in elsewhere can be meant."""
    found = {database: _database_id(settings, name) for database, name in IDS.items()}
    reachable = settings.notion_token is not None or settings.notion_api_url is not None
    for database, id_ in found.items():
        if not (id_ and reachable):
            name = Settings.model_fields[IDS[database]].alias if reachable else "NOTION_TOKEN"
            log.info("notion_database_off", database=database, unset=name)
    return {database: id_ for database, id_ in found.items() if id_ and reachable}


def _database_id(settings: Settings, name: str) -> str | None:
    """With dashes, without, or as a link copied from Notion."""
    text: str | None = getattr(settings, name)
    if text is None:
        return None
    if found := extract_database_id(text):
        return found
    raise BadDatabaseId(f"{Settings.model_fields[name].alias} is no id of a Notion database, nor a link to one")
