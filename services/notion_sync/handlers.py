"""The handler of notion_sync: what happened to a contact, shown in Notion. Sends never depend on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime

import structlog

from contracts import subjects
from contracts.codec import decode_fact
from contracts.facts import AnyFact, SignupReceived
from contracts.operations import OPERATIONS
from contracts.operators import HandlingFailed
from eventlog import topology
from eventlog.connection import Broker, Unavailable
from eventlog.log import EventLog
from eventlog.outcomes import Done, Item, Outcome, Park, Pause, Retry, Work
from eventlog.pages import pages
from journey.campaign import Campaign
from journey.contact import fold
from journey.plan import Pace
from services.notion_sync.analytics import about_the_same, event_rows
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Notion
from services.notion_sync.databases import databases
from services.notion_sync.often import often
from services.notion_sync.projection import rows_for
from services.notion_sync.queue import queue_rows
from services.notion_sync.remade import OnlyLooks, remade
from services.notion_sync.rights import rights
from services.notion_sync.row import Row
from services.notion_sync.schema import ANALYTICS, BUSINESSX, QUEUE, Database
from services.notion_sync.search import Search
from services.notion_sync.upsert import Shell, upsert
from services.settings import Settings

log = structlog.get_logger(__name__)

LOOK_S = 600.0

__all__ = ["Shell", "keep_looking", "name_unwritable", "on_facts", "prepare", "shell_for", "work"]


async def on_facts(items: Sequence[Item[AnyFact]], shell: Shell) -> Outcome:
    """Something happened to a contact: bring that contact's pages into line, once for all of it.

    Shape:  facts of one contact → at most one write per row.
    Errors: Unavailable, to be tried again; parked where a signup names a campaign we do not have.
    """
    facts = [item.value for item in items]
    contact = facts[0].contact
    if contact == OPERATIONS:
        return Done("about no contact", label="about_no_contact")
    outcomes = await show(contact, facts, shell, attempt=max(item.attempt for item in items))
    outcome = together([*outcomes, *_unknown(facts, shell.campaigns)])
    echo = isinstance(outcome, Park) and all(isinstance(fact, HandlingFailed) for fact in facts)
    return Done("what was parked stays parked", label="parked_before") if echo else outcome


async def show(contact: str, news: Sequence[AnyFact], shell: Shell, *, attempt: int = 1) -> list[Outcome]:
    """Bring everything that the news may have changed into line with all facts.

    Once more where others came meanwhile: somebody else may have shown them before our older view was written.
    Errors: Unavailable.
    """
    while True:
        history = await shell.events.history(contact)
        outcomes = await upsert_all(rows_about(contact, [*history, *news], news, shell), shell, attempt=attempt)
        if not all(isinstance(each, Done) for each in outcomes):
            return outcomes  # there will be another try
        if len(await shell.events.history(contact)) == len(history):
            return outcomes


def rows_about(contact: str, history: Iterable[AnyFact], news: Iterable[AnyFact], shell: Shell) -> list[Row]:
    """What may have changed with the news: the person before the rows that point there."""
    facts, on = list(history), shell.notion.databases
    state = fold(contact, facts)
    rows = [row for row in rows_for(state, shell.campaigns, shell.pace) if row.database in on]
    if QUEUE in on:
        rows += queue_rows(state, shell.campaigns, shell.pace)
    if ANALYTICS in on:
        rows += event_rows(state, about_the_same(facts, news), shell.campaigns)
    return rows


async def upsert_all(rows: Iterable[Row], shell: Shell, *, attempt: int = 1) -> list[Outcome]:
    """Errors: Unavailable."""
    outcomes: list[Outcome] = []
    search, customer = Search(shell.notion), None
    for row in rows:
        outcomes.append(await upsert(row.of_customer(customer), shell, attempt=attempt, find=search.find))
        if isinstance(outcomes[-1], Pause):
            break  # the others would hear the same
        if row.database == BUSINESSX:
            page = await shell.pages.get(row.key)
            customer = page.value.page_id if page else None
    return outcomes


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome for all rows: nothing is done before every row is, and the first to be tried again sets the time."""
    every = list(outcomes)
    if closed := [each for each in every if isinstance(each, Pause)]:
        return closed[0]
    if again := [each for each in every if isinstance(each, Retry)]:
        return min(again, key=lambda each: each.after_s)
    if parked := [each for each in every if isinstance(each, Park)]:
        return parked[0]
    done = [each.what for each in every if isinstance(each, Done)]
    return Done(", ".join(done), label="notion") if done else Done("nothing to show", label="in_line")


def _unknown(facts: Iterable[AnyFact], campaigns: Mapping[str, Campaign]) -> list[Park]:
    names = {fact.campaign for fact in facts if isinstance(fact, SignupReceived)} - campaigns.keys()
    return [Park("unknown campaign", f"no folder campaigns/{name}", label="unknown_campaign") for name in sorted(names)]


async def prepare(shell: Shell) -> None:
    """Find the databases and name what is wrong with them, before the first fact. Notion may be away: later, then."""
    for database in shell.notion.databases:
        try:
            await shell.notion.look_again(database)
        except (Refusal, Unavailable) as error:
            log.warning("notion_not_ready", database=database, reason=str(error))


async def keep_looking(shell: Shell, *, every_s: float = LOOK_S) -> None:
    """Until cancelled: a column may be deleted, or made anew, while nobody writes."""
    unasked = set(shell.notion.databases)

    async def look() -> None:
        await prepare(shell)
        unasked.intersection_update(await name_unwritable(unasked, shell))

    await often(look, what="databases", every_s=every_s)


async def name_unwritable(databases: Set[Database], shell: Shell) -> set[Database]:
    """Say where our token may not write, before a row is refused; which ones nobody could ask now."""
    left: set[Database] = set()
    for database in sorted(databases):
        try:
            table = await shell.notion.table(database)
            may = await rights(shell.notion, table.source_id)
        except (Refusal, Unavailable):
            left.add(database)
            continue
        if may.lacking:
            log.error("notion_may_not_write", database=database, lacking=list(may.lacking))
    return left


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
    only_looks: bool = False,
) -> Shell:
    """`only_looks`: no column is added, nor remembered. `await shell.notion.close()` at the end.

    Errors: BadDatabaseId, naming the setting.
    """
    columns = remade(broker)
    notion = Notion.of(
        settings,
        databases(settings),
        OnlyLooks(columns) if only_looks else columns,
        clock=clock,
        may_add_columns=not only_looks,
    )
    return Shell(EventLog(broker), pages(broker), columns, notion, campaigns, pace, clock)
