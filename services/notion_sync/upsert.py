"""One row of a Notion database brought into line, so that it can be repeated, raced and stopped after any line.

Notion has no idempotency key: a create that is repeated makes a second page. So a claim is kept in the bucket
`pages` before the create and the page id after it; where a create may have been accepted unheard, nobody creates
again before its page would have shown itself to a query.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from contracts.notion import RowIncomplete
from eventlog.bucket import Bucket, Entry
from eventlog.log import EventLog
from eventlog.outcomes import Done, Outcome, Park, Pause, Retry
from eventlog.pages import Page
from journey.campaign import Campaign
from journey.plan import Pace
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Notion
from services.notion_sync.cells import Scalar
from services.notion_sync.found import Found
from services.notion_sync.hands import touched
from services.notion_sync.remade import Remade
from services.notion_sync.row import Row, known_to_stand
from services.notion_sync.search import Search
from services.notion_sync.values import Value

log = structlog.get_logger(__name__)

IN_DOUBT = timedelta(seconds=90)
"""Notion works on a request for 60 s at most, and a query may miss a page for 30 s."""

CONTENDED_S = 3.0
PAUSE_FROM_S = 10.0
"""Where everybody has to wait so long, nothing more is taken: it would only go round."""

CLOSED_S = 60.0
WRONG_S = 300.0
REJECTED = timedelta(hours=1)
"""How long a row that Notion refuses, and only that row, is tried again before it is kept for a person."""


@dataclass(frozen=True)
class Shell:
    """What notion_sync works with."""

    events: EventLog
    pages: Bucket[Page]
    remade: Remade
    notion: Notion
    campaigns: Mapping[str, Campaign]
    pace: Pace
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


Find = Callable[[Row], Awaitable[Found | None]]


async def upsert(row: Row, shell: Shell, *, attempt: int = 1, find: Find | None = None) -> Outcome:
    """Bring one row into line, or say when to try again.

    Shape:  row → at most one write in Notion; its page id and digest in `pages`.
    Errors: Unavailable.
    """
    row = msgspec.structs.replace(row, generation=await shell.remade.generation(row.database))
    find = find or Search(shell.notion).find
    try:
        try:
            return await bring_into_line(row, shell, find)
        except Refusal as refused:
            if not _may_be_the_customer(row, refused):
                raise
            return await bring_into_line(row.of_customer(None), shell, find)
    except Refusal as refused:
        return await _postpone(row, refused, shell, attempt)


async def bring_into_line(row: Row, shell: Shell, find: Find) -> Outcome:
    """By what the bucket knows, and `find` where it knows nothing. Errors: Refusal, Unavailable."""
    entry = await shell.pages.get(row.key)
    if entry and entry.value.page_id:
        if entry.value.digest == row.digest:
            return Done(f"{row.database}: as it is", label="notion")
        return await _update(row, entry.value.page_id, entry, shell)
    if entry and (wait := _in_doubt_s(entry.value, shell.clock())):
        return Retry(wait, "an earlier create may have been accepted", label="in_doubt")
    if found := await find(row):
        return await _adopt(row, found.id, entry, shell)
    return await create(row, entry, shell)


def _may_be_the_customer(row: Row, refused: Refusal) -> bool:
    """Notion says the same where the page is gone that we write to, and where the one is gone that we point to."""
    return row.points_to_customer and refused.code == "object_not_found"


def _in_doubt_s(page: Page, now: datetime) -> float:
    """Seconds until a query shows for certain whether the create that was begun has made a page."""
    return 0.0 if page.refused else max(0.0, (page.at + IN_DOUBT - now).total_seconds())


async def _adopt(row: Row, page_id: str, entry: Entry[Page] | None, shell: Shell) -> Outcome:
    page = Page(page_id=page_id, at=shell.clock())
    revision = await shell.pages.put(row.key, page, over=_revision(entry))
    if revision is None:
        return contended()
    return await _update(row, page_id, Entry(page, revision), shell)


async def _update(row: Row, page_id: str, entry: Entry[Page], shell: Shell) -> Outcome:
    await say_incomplete(row, shell)
    changes = row.changes(entry.value)
    try:
        theirs = await _by_hand(row, page_id, changes, entry.value, shell)
        changes = {name: value for name, value in changes.items() if name not in theirs}
        revision = await begin(row, changes, entry, shell)
        if revision is None:
            return contended()
        await shell.notion.update(row.database, page_id, changes)
    except Refusal as refused:
        if _may_be_the_customer(row, refused) or not await is_gone(row, page_id, refused, shell):
            raise
        return _leave_alone(row, page_id)
    shown = {**row.shown, **theirs}
    page = Page(page_id=page_id, digest=row.digest, at=shell.clock(), shown=shown, generation=row.generation)
    return await record_update(row, page, revision, shell)


async def _by_hand(
    row: Row, page_id: str, changes: Mapping[str, Value], known: Page, shell: Shell
) -> dict[str, Scalar]:
    """What somebody has changed that we were about to write over, as it was before: the watch is still to hear it."""
    before = known_to_stand(known, row.generation)
    at_stake = row.at_stake(changes) & before.keys()
    if not (known.shown and at_stake):
        return {}
    page = await shell.notion.retrieve(row.database, page_id)
    cells = touched(row.database, page.shows(row.database), known, row.generation) if page else {}
    return {name: before[name] for name in cells.keys() & at_stake}


async def begin(row: Row, changes: Mapping[str, Value], entry: Entry[Page], shell: Shell) -> int | None:
    """Note what is about to be written: it may be accepted unheard. The revision; None if somebody else is at it."""
    begun = {name: value for name, value in row.shown.items() if name in changes}
    page = msgspec.structs.replace(entry.value, digest="", begun=begun, at=shell.clock())
    return await shell.pages.put(row.key, page, over=entry.revision)


async def record_update(row: Row, page: Page, revision: int, shell: Shell) -> Outcome:
    """After the write. Where somebody else wrote at the same time, nobody knows which of the two the page shows."""
    if await shell.pages.put(row.key, page, over=revision):
        return Done(f"{row.database}: updated", label="notion")
    await shell.pages.put(row.key, msgspec.structs.replace(page, digest=""), over=None)
    return contended()


async def say_incomplete(row: Row, shell: Shell) -> None:
    """What does not fit into a row is left out of it, and that is a fact. Said once."""
    if row.incomplete:
        fact = RowIncomplete(
            contact=row.contact, at=shell.clock(), database=row.database, columns=row.incomplete, row=row.key
        )
        await shell.events.append(fact)


def _leave_alone(row: Row, page_id: str) -> Done:
    """A page somebody threw away on purpose is not made again behind their back."""
    log.error("notion_page_gone", database=row.database, key=row.key, page=page_id)
    return Done(f"{row.database}: its page is gone", label="notion")


async def is_gone(row: Row, page_id: str, refused: Refusal, shell: Shell) -> bool:
    """The page alone: deleted, not shared any more, or in the trash. Errors: Refusal, if it is the database."""
    if refused.code == "object_not_found":
        await shell.notion.look_again(row.database)
        return True
    if refused.status != 400:
        return False
    page = await shell.notion.retrieve(row.database, page_id)
    return page is None or page.in_trash


async def create(row: Row, entry: Entry[Page] | None, shell: Shell) -> Outcome:
    """Under a claim, so that of many one creates. Errors: Refusal, Unavailable."""
    begun = msgspec.structs.replace(entry.value if entry else Page(at=shell.clock()), at=shell.clock(), refused=False)
    claim = await shell.pages.put(row.key, begun, over=_revision(entry))
    if claim is None:
        return contended()
    await say_incomplete(row, shell)
    try:
        page_id = await shell.notion.create(row.database, row.properties)
    except Refusal as refused:
        if not refused.maybe:  # nothing was made: whoever tries next need not wait
            await shell.pages.put(row.key, msgspec.structs.replace(begun, refused=True), over=claim)
        raise
    page = Page(page_id=page_id, digest=row.digest, at=shell.clock(), shown=row.shown, generation=row.generation)
    if await shell.pages.put(row.key, page, over=claim):
        return Done(f"{row.database}: created", label="notion")
    log.error("notion_page_orphaned", database=row.database, key=row.key, page=page_id)
    return contended()


def _revision(entry: Entry[Page] | None) -> int:
    return entry.revision if entry else 0


def contended() -> Retry:
    return Retry(CONTENDED_S, "another notion_sync is at it", label="contended")


async def _postpone(row: Row, refused: Refusal, shell: Shell, attempt: int) -> Outcome:
    reason = f"{row.database}: {refused}"
    match refused.kind:
        case "busy" if refused.hold_s >= PAUSE_FROM_S:
            return Pause(refused.hold_s, reason, label="notion")
        case "busy":
            return Retry(refused.delay_s(attempt), reason, label="notion")
        case "closed":
            return Pause(CLOSED_S, reason, label="notion")
        case "wrong" if refused.status == 0:
            # It was not even asked: the database does not fit, and that is in the log.
            return Retry(WRONG_S, reason, label="notion")
        case "wrong":
            try:
                await shell.notion.look_again(row.database)  # mostly a person changed it: this names the column
            except Refusal as found:
                return await _postpone(row, found, shell, attempt)
            return await _reject(row, refused, shell)


async def _reject(row: Row, refused: Refusal, shell: Shell) -> Outcome:
    """The database is as it should be, so it is this row alone: said once, and after a while kept for a person."""
    entry, now = await shell.pages.get(row.key), shell.clock()
    page = entry.value if entry else Page(at=now, refused=True)
    reason = f"{row.database}: {refused}"
    if page.rejected == row.digest and page.rejected_at:
        over = now - page.rejected_at >= REJECTED
        if over:
            return Park("refused by Notion", reason, label="refused_by_notion")
        return Retry(WRONG_S, reason, label="notion")
    log.error("notion_row_refused", database=row.database, key=row.key, code=refused.code, status=refused.status)
    if page.page_id or page.refused:  # else somebody is creating it at this moment
        page = msgspec.structs.replace(page, rejected=row.digest, rejected_at=now)
        await shell.pages.put(row.key, page, over=_revision(entry))
    return Retry(WRONG_S, reason, label="notion")
