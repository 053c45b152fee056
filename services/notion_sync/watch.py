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
from eventlog.connection import Broker
from eventlog.pages import Page
from journey.campaign import Campaign
from journey.contact import fold
from services.notion_sync.cells import Bare, Scalar
from services.notion_sync.found import Found
from services.notion_sync.handlers import show
from services.notion_sync.hands import Hand, meant, touched
from services.notion_sync.often import often
from services.notion_sync.projection import contact_key, sequence_key
from services.notion_sync.queue import queue_key
from services.notion_sync.schema import BUSINESSX, EDITABLE, KEY, QUEUE, Database
from services.notion_sync.upsert import Shell
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
    heard, newest = 0, mark.value.edited_at if mark else None
    wanted = _since(mark.value.edited_at) if mark else None
    async for page in shell.notion.rows(database, filter=wanted, sorts=LAST_EDITED):
        heard += await on_page(database, page, shell)
        newest = max(filter(None, [newest, page.edited_at]))
    if newest and not (mark and mark.value.edited_at == newest):
        await marks.put(_mark(database), Looked(newest), over=None)  # the older of two marks only looks twice
    return heard


def _since(moment: Utc) -> Mapping[str, object]:
    return {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": (moment - OVERLAP).isoformat()}}


def _mark(database: Database) -> str:
    return f"looked.{digest(database)}"


async def on_page(database: Database, page: Found, shell: Shell) -> int:
    """One page: what somebody meant becomes facts, what nobody can mean is put right. Errors: Refusal, Unavailable."""
    place = place_of(database, page.shows(database), shell.campaigns)
    entry = await shell.pages.get(place.key) if place else None
    if place is None or entry is None or entry.value.page_id != page.id:
        return 0  # not one of ours
    cells = touched(database, page.shows(database), entry.value.shown)
    if not cells or page.in_trash:
        return 0
    history = await shell.events.history(place.contact)
    state = fold(place.contact, history)
    facts = list(meant(state, place.what, cells, await _hand(page, shell), shell.campaigns, shell.pace))
    for fact in facts:
        await shell.events.append(fact)
        log.info("notion_hand", tag=fact.tag, contact=fact.contact, database=database)
    await _note(place, entry, cells, shell)
    if not facts:
        await show(place.contact, (), shell)
    return len(facts)


async def _note(place: Place, entry: Entry[Page], cells: Mapping[str, Scalar], shell: Shell) -> None:
    """What the page shows now, so that it is written again where that is not what we want."""
    page = msgspec.structs.replace(entry.value, shown={**entry.value.shown, **cells}, digest="")
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
    contact = contact_id(address)
    if not address:
        return None
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
