"""Notion through notion-client: databases found by id, columns checked, calls paced, failures as one exception."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import msgspec
import structlog
from aiolimiter import AsyncLimiter
from notion_client import AsyncClient
from notion_client.errors import NotionClientErrorBase

from services.notion_sync.answers import Refusal, refusal
from services.notion_sync.columns import identity, problems
from services.notion_sync.projection import ADDED, COLUMNS, Database, Row
from services.notion_sync.values import Value

log = structlog.get_logger(__name__)

T = TypeVar("T")

API_URL = "https://api.notion.com"
TIMEOUT_S = 30.0
RECHECK = timedelta(seconds=60)
"""How long a database found wanting is believed to be so."""

HOLD_S = (1.0, 5.0, 15.0, 30.0)
"""How long nobody asks anything after trouble that Notion gave no time for, by how often it came in a row."""

_silent = logging.getLogger("dripstream.notion_client")
"""The client logs Notion's messages, and those quote values; what we log instead is ours."""
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class _Option(msgspec.Struct):
    name: str = ""


class _Property(msgspec.Struct):
    select: _Option | None = None


class _Page(msgspec.Struct):
    id: str
    archived: bool = False
    in_trash: bool = False
    properties: dict[str, _Property] = {}


class _Pages(msgspec.Struct):
    results: list[_Page]


class _Source(msgspec.Struct):
    id: str
    name: str = ""


class _Database(msgspec.Struct):
    data_sources: list[_Source]


class _Column(msgspec.Struct):
    id: str
    type: str


class _Columns(msgspec.Struct):
    properties: dict[str, _Column]


class Table(msgspec.Struct, frozen=True):
    """A database as read at a time: where its rows are, what keeps us from writing them, and which columns it has."""

    source_id: str
    problems: tuple[str, ...]
    read_at: datetime
    identity: str | None = None


class Notion:
    """Errors, of every call: Refusal; and whatever `looked` raises, which is told each time a database was read."""

    def __init__(
        self,
        *,
        token: str,
        url: str | None,
        per_second: float,
        databases: Mapping[Database, str],
        clock: Callable[[], datetime],
        looked: Callable[[Database, str | None], Awaitable[None]],
    ) -> None:
        self._client = AsyncClient(
            auth=token,
            base_url=(url or API_URL).rstrip("/").removesuffix("/v1"),
            timeout_ms=int(TIMEOUT_S * 1000),
            retry=False,  # the client would sleep for minutes inside a call
            logger=_silent,
            log_level=logging.CRITICAL,
        )
        self.databases = databases
        self._limiter = AsyncLimiter(1, 1 / per_second)
        self._clock = clock
        self._looked = looked
        self._held_until, self._held_for = datetime.min.replace(tzinfo=UTC), ""
        self._in_a_row = 0
        self._tables: dict[Database, Table] = {}
        self._fits: set[Database] = set()
        self._reading = asyncio.Lock()

    async def table(self, database: Database) -> Table:
        """The database, found and checked once; looked at again while something is wrong with it.

        Errors: Refusal; `wrong` while columns are missing, which is logged by name at each look.
        """
        async with self._reading:
            known = self._tables.get(database)
            if known is None or (known.problems and self._clock() - known.read_at >= RECHECK):
                known = await self._look(database)
                await self._looked(database, known.identity)  # before it is believed: this may fail
                self._tables[database] = known
        if known.problems:
            raise Refusal("wrong", "database does not fit")
        return known

    async def look_again(self, database: Database) -> Table:
        """After a refusal that may mean that somebody changed the database. Errors: as `table`."""
        self._tables.pop(database, None)
        return await self.table(database)

    async def _look(self, database: Database) -> Table:
        try:
            return await self._read(database)
        except Refusal as refused:
            if refused.status != 404:
                raise
            return self._checked(database, "", ("it is not there, or not shared with us any more",))

    async def _read(self, database: Database) -> Table:
        database_id = self.databases[database]
        answer = await self._call(lambda: self._client.databases.retrieve(database_id), _Database)
        if len(answer.data_sources) != 1:
            names = ", ".join(repr(source.name) for source in answer.data_sources) or "none"
            return self._checked(database, "", (f"needs one data source and has: {names}",))
        source = answer.data_sources[0].id
        columns = await self._call(lambda: self._client.data_sources.retrieve(source), _Columns)
        if missing := ADDED[database].keys() - columns.properties.keys():
            columns = await self._add(database, source, missing) or columns
        found = {name: column.type for name, column in columns.properties.items()}
        ids = {name: column.id for name, column in columns.properties.items()}
        table = self._checked(database, source, problems(COLUMNS[database], found))
        return msgspec.structs.replace(table, identity=identity(COLUMNS[database], found, ids))

    async def _add(self, database: Database, source: str, names: Set[str]) -> _Columns | None:
        """The columns afterwards; None if we may not, and then a person has to. Repeated, it changes nothing."""
        added = {name: ADDED[database][name] for name in sorted(names)}
        try:
            columns = await self._call(lambda: self._client.data_sources.update(source, properties=added), _Columns)
        except Refusal as refused:
            if refused.kind == "busy":
                raise
            log.warning("notion_columns_not_added", database=database, columns=list(added), reason=str(refused))
            return None
        log.info("notion_columns_added", database=database, columns=list(added))
        return columns

    def _checked(self, database: Database, source_id: str, found: tuple[str, ...]) -> Table:
        if found:
            self._fits.discard(database)
            log.error("notion_database_does_not_fit", database=database, problems=list(found))
        elif database not in self._fits:
            self._fits.add(database)
            log.info("notion_database_found", database=database, data_source=source_id)
        return Table(source_id, found, self._clock())

    async def find(self, row: Row) -> str | None:
        """The oldest page that is already there for this row.

        A query may miss pages up to half a minute old. Only the address is asked for: a filter by an option that the
        column does not have yet is refused.
        """
        source = (await self.table(row.database)).source_id
        if not row.find_by["Email"]:
            return None
        found = await self._call(
            lambda: self._client.data_sources.query(
                source,
                filter=_by_address(row),
                sorts=[{"timestamp": "created_time", "direction": "ascending"}],
                page_size=100,
            ),
            _Pages,
        )
        pages = [page.id for page in found.results if _is_of(page, row)]
        if len(pages) > 1:
            log.warning("notion_rows_doubled", database=row.database, key=row.key, pages=pages)
        return pages[0] if pages else None

    async def create(self, row: Row) -> str:
        """The id of the new page. Repeated, it makes a second one."""
        source = (await self.table(row.database)).source_id
        parent = {"type": "data_source_id", "data_source_id": source}
        page = await self._call(
            lambda: self._client.pages.create(parent=parent, properties=_plain(row.properties)), _Page
        )
        return page.id

    async def update(self, page_id: str, row: Row) -> None:
        """Repeated, it changes nothing."""
        await self.table(row.database)
        await self._call(lambda: self._client.pages.update(page_id, properties=_plain(row.properties)), _Page)

    async def is_trashed(self, page_id: str) -> bool:
        page = await self._call(lambda: self._client.pages.retrieve(page_id), _Page)
        return page.archived or page.in_trash

    async def _call(self, call: Callable[[], Awaitable[Any]], shape: type[T]) -> T:
        """One call, in its turn, and none while Notion is to be left in peace."""
        self._refuse_while_held()
        await self._limiter.acquire()
        self._refuse_while_held()  # somebody else may have been told meanwhile
        try:
            answer = msgspec.convert(await call(), shape)
        except (NotionClientErrorBase, httpx.HTTPError, ValueError) as error:
            found = refusal(error, self._clock())
            self._hold_back(found)
            raise found from None  # the cause quotes what was written
        self._in_a_row = 0
        return answer

    def _hold_back(self, found: Refusal) -> None:
        """Trouble that is not this request's own is everybody's: nobody asks for a while, and then one for all."""
        if not found.is_everywhere:
            self._in_a_row = 0
            return
        now = self._clock()
        if now >= self._held_until:  # else it was asked before that trouble began
            self._in_a_row += 1
        found.hold_s = found.after_s or HOLD_S[min(self._in_a_row, len(HOLD_S)) - 1]
        self._held_for = str(found)
        self._held_until = max(self._held_until, now + timedelta(seconds=found.hold_s))

    def _refuse_while_held(self) -> None:
        left = (self._held_until - self._clock()).total_seconds()
        if left > 0:
            refused = Refusal("busy", f"left in peace after {self._held_for}", after_s=left)
            refused.hold_s = left
            raise refused

    async def close(self) -> None:
        await self._client.aclose()


def _by_address(row: Row) -> dict[str, Any]:
    """As written and in lower case: whether `equals` minds the case is not documented."""
    email = row.find_by["Email"]
    spellings = sorted({email, email.casefold()})
    return {"or": [{"property": "Email", "email": {"equals": each}} for each in spellings]}


def _is_of(page: _Page, row: Row) -> bool:
    """Not in the trash, and the same in every select column that tells rows apart."""
    cells = {name: page.properties.get(name, _Property()).select for name in row.find_by.keys() - {"Email"}}
    same = all(cell is not None and cell.name == row.find_by[name] for name, cell in cells.items())
    return same and not (page.archived or page.in_trash)


def _plain(properties: Mapping[str, Value]) -> dict[str, Value]:
    return dict(properties)
