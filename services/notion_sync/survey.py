"""All of Notion beside all facts: what is as it should be, and what is not. Writes nothing, neither there nor here.

Notion is read first and the facts afterwards, so that every row of ours has its facts. What is written meanwhile is
told by the bucket `pages`, whose entries are newer than the reading.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from contracts import subjects
from contracts.facts import AnyFact
from contracts.ids import BadId, EmailId, contact_id
from eventlog.bucket import Entry
from eventlog.connection import Broker
from eventlog.index import info
from eventlog.pages import Page, contact_key
from services.notion_sync.answers import Refusal
from services.notion_sync.compare import Finding, Seen, Sheet, compare
from services.notion_sync.handlers import rows_about
from services.notion_sync.queue import NOT_PLANNED, unplanned_row
from services.notion_sync.reading import Person, Reader, Sleep
from services.notion_sync.row import Row
from services.notion_sync.schema import BUSINESSX, HELD, KEY, QUEUE, QUEUED, ROWS, STATUS, Database
from services.notion_sync.upsert import IN_DOUBT, Shell

AT_ONCE = 8
"""People whose facts are read at the same time."""

NEW_PAGE = "a page that is still to be made"

Act = Callable[[Finding, Entry[Page] | None], Awaitable[str | None]]
"""What to do about a row; the id of its page, None if there is none to point to."""


class Progress(NamedTuple):
    """`calls_left` is None while nobody can tell."""

    doing: str
    done: int
    total: int | None
    calls_left: int | None


class Missing(NamedTuple):
    """A page we made and that is not there any more, by its place in the bucket."""

    database: Database
    key: str
    revision: int


class Survey:
    """Errors, of every call: Refusal, `closed`; Unavailable.

    `told` hears how far it is, `found` each row that is not as it should be.
    """

    def __init__(
        self,
        broker: Broker,
        shell: Shell,
        *,
        sleep: Sleep = asyncio.sleep,
        stop: asyncio.Event | None = None,
        told: Callable[[Progress], None] = lambda _: None,
        found: Callable[[Finding], None] = lambda _: None,
    ) -> None:
        self.shell = shell
        self.sleep = sleep
        self.stop = stop or asyncio.Event()
        self.told = told
        self.counts = Counter[tuple[Database, str]]()
        self.unfit: list[Database] = []
        self.doubled: list[Finding] = []
        self.gone: list[Missing] = []
        self.to_visit: set[str] = set()
        self.writes = 0
        self._broker = broker
        self._found = found
        self._reader = Reader(shell.notion, sleep)
        self._whole = True
        self._sheets: dict[Database, Sheet] = {}
        self._trash: dict[Database, asyncio.Task[None]] = {}
        self._explained: set[str] = set()
        self._queued: defaultdict[str, list[str]] = defaultdict(list)
        self._generations: dict[Database, int] = {}
        self._mark = 0
        self._began = shell.clock()

    async def look(self, address: str | None = None) -> None:
        """Everybody, or the one person of this address."""
        if address is not None:
            self._whole = False
            self._reader = Reader(self.shell.notion, self.sleep, await self._person(address))
        await self._read()
        contacts = await self.shell.events.contacts() if address is None else [contact_id(address)]
        done = 0

        async def one(contact: str) -> None:
            nonlocal done
            await self.visit(contact, self._note)
            done += 1
            self.told(Progress("comparing people", done, len(contacts), self.writes))

        await for_each(contacts, one, AT_ONCE, self.stop)

    async def _person(self, address: str) -> Person:
        contact = contact_id(address)
        rows = rows_about(contact, await self.shell.events.history(contact), (), self.shell)
        return Person(contact, {address, *(row.find_by.get("Email") or address for row in rows)})

    async def _read(self) -> None:
        self._mark = (await info(self._broker, subjects.stream_of(subjects.PAGES))).state.last_seq
        self._began = self.shell.clock()
        read = 0

        def told(rows: int) -> None:
            nonlocal read
            read += rows
            self.told(Progress("reading rows", read, None, None))

        for database in self.databases():
            try:
                self._sheets[database] = await self._reader.sheet(database, told)
            except Refusal as refused:
                if refused.kind == "closed":
                    raise
                self.unfit.append(database)
            self._generations[database] = await self.shell.remade.generation(database)
        for page in self._pages(QUEUE):
            if email := _email_of(page):
                self._queued[email.contact].append(page.id)

    def databases(self) -> list[Database]:
        """Those whose rows are made from facts, and that are on."""
        return [each for each in ROWS if each in self.shell.notion.databases]

    def _pages(self, database: Database) -> Iterable[Seen]:
        return self._sheets[database].pages.values() if database in self._sheets else ()

    @property
    def foreign(self) -> list[tuple[Database, str]]:
        """Pages that no fact explains."""
        pages = [(database, page) for database in self._sheets for page in self._pages(database)]
        return [(each, page.id) for each, page in pages if not page.in_trash and page.id not in self._explained]

    def is_emptied(self, database: Database) -> bool:
        """Nothing of ours is left of what was there: it was cleared, or it is another database by now."""
        left = sum(self.counts[database, state] for state in ("right", "differs", "trashed", "moving"))
        return self._whole and left == 0

    async def visit(self, contact: str, act: Act) -> None:
        """Each row of a contact in its turn: the person before the rows that point there."""
        rows, entries = await self._rows(contact)
        customer, related = await self._customer(contact)
        for each in rows:
            row, entry = _pointing_to(customer, each), entries[each.key]
            finding = await self._compare(row, entry, related=related)
            page_id = await act(finding, entry)
            if row.database == BUSINESSX:
                known = entry.value.page_id if entry else None
                customer, related = page_id or known, page_id is not None

    async def _customer(self, contact: str) -> tuple[str | None, bool]:
        """The page of the person, and whether rows are to point there: not while nobody can look at it."""
        if BUSINESSX not in self.unfit:
            return None, True
        entry = await self.shell.pages.get(contact_key(contact))
        return (entry.value.page_id if entry else None), False

    async def _rows(self, contact: str) -> tuple[list[Row], Mapping[str, Entry[Page] | None]]:
        """What there should be, and then what the bucket says: of the two it is never the older one."""
        rows = self._wanted(contact, await self.shell.events.history(contact))
        found = await asyncio.gather(*(self.shell.pages.get(row.key) for row in rows))
        return rows, dict(zip((row.key for row in rows), found, strict=True))

    def _wanted(self, contact: str, facts: list[AnyFact]) -> list[Row]:
        rows = rows_about(contact, facts, facts, self.shell)
        planned = {row.find_by[KEY] for row in rows if row.database == QUEUE}
        rows += [unplanned_row(contact, each) for each in self._unplanned(contact) if each not in planned]
        known = [row for row in rows if row.database in self._sheets]
        return [msgspec.structs.replace(row, generation=self._generations[row.database]) for row in known]

    def _unplanned(self, contact: str) -> list[str]:
        """Emails in the queue that were to come, or that we know not to come any more."""
        pages = [self._sheets[QUEUE].pages[each] for each in self._queued.get(contact, ())]
        waiting = [
            page
            for page in pages
            if page.cells.get(STATUS) in {QUEUED, HELD} or page.cells.get("Error Message") == NOT_PLANNED
        ]
        emails = [email for page in waiting if (email := _email_of(page))]
        return sorted({str(email) for email in emails if email.campaign in self.shell.campaigns})

    async def _compare(self, row: Row, entry: Entry[Page] | None, *, related: bool) -> Finding:
        known, sheet = entry.value if entry else None, self._sheets[row.database]
        is_new = entry is not None and self._is_new(entry)
        finding = compare(row, known, sheet, is_new=is_new, related=related)
        if finding.state != "gone" or known is None or known.page_id is None:
            return finding
        await self._look_for(known.page_id, sheet, is_young=known.at > self._began - IN_DOUBT)
        return compare(row, known, sheet, is_new=is_new, related=related)

    def _is_new(self, entry: Entry[Page]) -> bool:
        begun = entry.value.page_id is None and entry.value.at > self._began - IN_DOUBT
        return entry.revision > self._mark or begun

    async def _look_for(self, page_id: str, sheet: Sheet, *, is_young: bool) -> None:
        """A page that was not among the rows: too young to be, in the trash, or gone."""
        if is_young or not self._whole:
            await self._reader.add_page(sheet, page_id)
            return
        if sheet.database not in self._trash:
            self._trash[sheet.database] = asyncio.create_task(self._reader.add_trash(sheet))
        await asyncio.shield(self._trash[sheet.database])

    async def _note(self, finding: Finding, entry: Entry[Page] | None) -> str | None:
        """Count it, and act as if it were put right."""
        row, page, state = finding.row, finding.page, finding.state
        self.counts[row.database, state] += 1
        self.counts[row.database, "hands"] += bool(finding.hands)
        self._explained |= {*finding.doubles, *([page.id] if page else [])}
        if entry and entry.value.page_id:
            self._explained.add(entry.value.page_id)
        if finding.doubles:
            self.doubled.append(finding)
        if state == "gone" and entry:
            self.gone.append(Missing(row.database, row.key, entry.revision))
        self.writes += state in {"differs", "missing"}
        if state != "right" or (page and not finding.is_noted):
            self.to_visit.add(row.contact)
        if state != "right" or finding.hands or finding.doubles:
            self._found(finding)
        return page_id_of(finding, missing=NEW_PAGE)


def page_id_of(finding: Finding, *, missing: str | None) -> str | None:
    """Of the page that others may point to."""
    match finding.state:
        case "right" | "differs" | "moving":
            known = finding.known.page_id if finding.known else None
            return finding.page.id if finding.page else known
        case "missing":
            return missing
        case _:
            return None


def _pointing_to(customer: str | None, row: Row) -> Row:
    """A row that has but a few columns to be put right keeps the others."""
    return row.of_customer(customer) if row.is_whole else row


def _email_of(page: Seen) -> EmailId | None:
    try:
        return EmailId.parse(str(page.cells.get(KEY) or ""))
    except BadId:
        return None


async def for_each(
    items: Iterable[str], do: Callable[[str], Awaitable[None]], at_once: int, stop: asyncio.Event
) -> None:
    """So many at the same time, until `stop`. Errors: the first of any; the others are ended."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            if stop.is_set():
                return
            await do(item)

    tasks = [asyncio.create_task(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
