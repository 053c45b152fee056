"""People's own hands: look at what changed in Notion, and make a fact of what somebody meant.

A look is repeated for ever and may be stopped anywhere: the fact comes first, then the note of what the page shows; in
between, the next look finds the same hand, and that its wish has been heard.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from contracts import subjects
from contracts.base import Utc
from contracts.ids import BadId, EmailId, contact_id, digest
from eventlog.bucket import Bucket, Entry
from eventlog.connection import Broker, Unavailable
from eventlog.outcomes import Done
from eventlog.pages import Page, contact_key, sequence_key
from journey.campaign import Campaign
from journey.contact import fold
from services.notion_sync.answers import Refusal
from services.notion_sync.api import PAGE
from services.notion_sync.cells import Bare, Scalar
from services.notion_sync.found import Found
from services.notion_sync.handlers import show
from services.notion_sync.hands import Hand, meant, touched
from services.notion_sync.often import often
from services.notion_sync.queue import queue_key
from services.notion_sync.row import known_to_stand
from services.notion_sync.schema import BUSINESSX, EDITABLE, KEY, QUEUE, Database
from services.notion_sync.upsert import IN_DOUBT, Shell
from services.notion_sync.values import option

log = structlog.get_logger(__name__)

LAST_EDITED = [{"timestamp": "last_edited_time", "direction": "ascending"}]
OVERLAP = timedelta(minutes=2)
"""Notion tells the time of an edit to the minute, and a query may be half a minute behind."""

WATCHED: tuple[Database, ...] = tuple(each for each, columns in EDITABLE.items() if columns)


class Looked(msgspec.Struct, frozen=True):
    """Up to when, by Notion's clock, a database was looked through."""

    edited_at: Utc
    v: int = 1


class Place(NamedTuple):
    """Which row a page is: its key in the bucket, whose it is, and what of theirs."""

    key: str
    contact: str
    what: str


async def keep_watching(broker: Broker, shell: Shell, *, every_s: float) -> None:
    """Until cancelled; trouble with one database is none of the others'."""
    watched = [database for database in WATCHED if database in shell.notion.databases]
    await asyncio.gather(
        *(often(partial(look, broker, each, shell), what=f"hands in {each}", every_s=every_s) for each in watched)
    )


async def look(broker: Broker, database: Database, shell: Shell) -> int:
    """Every page edited since the last look; how many facts came of it. Errors: Refusal, Unavailable."""
    marks = Bucket(broker, subjects.PAGES, Looked)
    mark = await marks.get(_mark(database))
    since = mark.value.edited_at if mark else None
    generation = await shell.remade.generation(database)
    heard = count = 0
    async for page in shell.notion.rows(database, filter=_since(since) if since else None, sorts=LAST_EDITED):
        heard += await _on_one(database, page, generation, shell)
        count += 1
        if count % PAGE == 0:  # the oldest first: what comes after a trouble is looked at again, and no more
            await marks.put(_mark(database), Looked(page.edited_at), over=None)
        since = max(filter(None, [since, page.edited_at]))
    if since and not (mark and mark.value.edited_at == since):
        await marks.put(_mark(database), Looked(since), over=None)  # the older of two marks only looks twice
    return heard


async def _on_one(database: Database, page: Found, generation: int, shell: Shell) -> int:
    """One page that cannot be read must not keep others from being heard. Errors: Refusal, Unavailable."""
    try:
        return await on_page(database, page, generation, shell)
    except (Refusal, Unavailable):
        raise
    except Exception as error:  # noqa: BLE001 - undecodable, or a bug we have not met; its message may quote a person
        log.error("notion_page_not_read", database=database, page=page.id, error=type(error).__name__)  # noqa: TRY400
        return 0


def _since(moment: Utc) -> Mapping[str, object]:
    return {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": (moment - OVERLAP).isoformat()}}


def _mark(database: Database) -> str:
    return f"looked.{digest(database)}"


async def on_page(database: Database, page: Found, generation: int, shell: Shell) -> int:
    """One page: what somebody meant becomes facts, what nobody can mean is put right. Errors: Refusal, Unavailable."""
    place = place_of(database, page.shows(database), shell.campaigns)
    entry = await shell.pages.get(place.key) if place else None
    if place is None or entry is None or entry.value.page_id != page.id or page.in_trash:
        return 0  # not one of ours
    cells = touched(database, page.shows(database), entry.value, generation)
    if cells:
        return await _hear(database, page.id, place, entry, generation, shell)
    if not entry.value.digest and not _is_being_written(entry.value, shell):  # an earlier look could not put it right
        await _put_right(place, shell)
    return 0


def _is_being_written(page: Page, shell: Shell) -> bool:
    return page.begun is not None and shell.clock() < page.at + IN_DOUBT


async def _hear(
    database: Database, page_id: str, place: Place, entry: Entry[Page], generation: int, shell: Shell
) -> int:
    """The page may be older than what we know of it: it is asked for by its id, which is always up to date."""
    page = await shell.notion.retrieve(database, page_id)
    now = await shell.pages.get(place.key)
    if page is None or page.in_trash or now is None or now.revision != entry.revision:
        return 0  # somebody is writing it, and the next look sees what became of it
    cells = touched(database, page.shows(database), now.value, generation)
    if not cells:
        return 0
    state = fold(place.contact, await shell.events.history(place.contact))
    facts = list(meant(state, place.what, cells, await _hand(page, shell), shell.campaigns, shell.pace))
    for fact in facts:
        if (await shell.events.append(fact)).duplicate:
            return 0  # somebody else was heard first: the next look decides anew
        log.info("notion_hand", tag=fact.tag, contact=fact.contact, database=database)
    await _note(place, now, cells, generation, shell)
    if not facts:
        await _put_right(place, shell)
    return len(facts)


async def _put_right(place: Place, shell: Shell) -> None:
    """Errors: Refusal, where it is not done yet; the next look tries again."""
    if not all(isinstance(each, Done) for each in await show(place.contact, (), shell)):
        raise Refusal("busy", "a page is not put right yet")


async def _note(place: Place, entry: Entry[Page], cells: Mapping[str, Scalar], generation: int, shell: Shell) -> None:
    """What the page shows now, so that it is written again where that is not what we want."""
    shown = {**known_to_stand(entry.value, generation), **cells}
    page = msgspec.structs.replace(entry.value, shown=shown, digest="", begun=None, generation=generation)
    await shell.pages.put(place.key, page, over=entry.revision)


async def _hand(page: Found, shell: Shell) -> Hand:
    """Whoever edited the page last; where that was us, after them, nobody can tell who it was."""
    by = f"notion:{page.edited_by}" if page.edited_by != await shell.notion.me() else "notion"
    return Hand(by, page.edited_at, shell.clock())


def place_of(database: Database, shows: Mapping[str, Bare], campaigns: Mapping[str, Campaign]) -> Place | None:
    """By what tells rows apart; None for a page that is not, or no more, like one of ours."""
    if database == QUEUE:
        return _place_in_queue(str(shows.get(KEY) or ""))
    address = str(shows.get("Email") or "")
    if not address:
        return None
    contact = contact_id(address)
    if database == BUSINESSX:
        return Place(contact_key(contact), contact, contact)
    name = shows.get("Campaign")
    campaign = next((each.id for each in campaigns.values() if option(each.name) == name), None)
    return Place(sequence_key(contact, campaign), contact, f"{contact}.{campaign}") if campaign else None


def _place_in_queue(key: str) -> Place | None:
    try:
        email = EmailId.parse(key)
    except BadId:
        return None
    return Place(queue_key(key), email.contact, key)
