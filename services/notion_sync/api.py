"""Notion through notion-client: databases found by id, columns by property, failures as one exception."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, Self

import msgspec
import structlog
from notion_client import AsyncClient

from eventlog import trace
from services.notion_sync.answers import Refusal
from services.notion_sync.columns import Property, Resolved, resolve
from services.notion_sync.found import Found, Page
from services.notion_sync.schema import COLUMNS, Database, added
from services.notion_sync.turns import Turns
from services.notion_sync.values import Value
from services.settings import Settings

log = structlog.get_logger(__name__)

API_URL = "https://api.notion.com"
TIMEOUT_S = 30.0
RECHECK = timedelta(seconds=60)
"""How long a database found wanting is believed to be so."""

PAGE = 100
OLDEST_FIRST = [{"timestamp": "created_time", "direction": "ascending"}]

_silent = logging.getLogger("dripstream.notion_client")
"""The client logs Notion's messages, and those quote values; what we log instead is ours."""
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class _Status(msgspec.Struct):
    type: str = "complete"


class _Pages(msgspec.Struct):
    results: list[Page]
    next_cursor: str | None = None
    request_status: _Status = msgspec.field(default_factory=_Status)


class _Source(msgspec.Struct):
    id: str
    name: str = ""


class _Database(msgspec.Struct):
    data_sources: list[_Source]
    in_trash: bool = False


class _Columns(msgspec.Struct):
    properties: dict[str, Property]


class _Written(msgspec.Struct):
    id: str


class Batch(NamedTuple):
    """One call's worth of rows and where the next ones begin; `is_cut`: Notion ends this query before its last row."""

    found: list[Found]
    cursor: str | None
    is_cut: bool


class Table(msgspec.Struct, frozen=True):
    """A database as read at a time: where its rows are, which of its columns are ours, and what keeps us from them."""

    source_id: str
    columns: Resolved
    read_at: datetime


class Memory(Protocol):
    """What is remembered of columns between looks, and told each time a database was read."""

    async def ids(self, database: Database) -> Mapping[str, str]: ...

    async def look(self, database: Database, found: Resolved) -> None: ...


class Forgetful:
    """For a single look, with nobody to remember it: columns go by their names."""

    async def ids(self, _: Database) -> Mapping[str, str]:
        return {}

    async def look(self, database: Database, found: Resolved) -> None: ...


class Notion:
    """Errors, of every call: Refusal; and whatever the memory raises."""

    def __init__(
        self,
        *,
        token: str,
        url: str | None,
        per_second: float,
        databases: Mapping[Database, str],
        clock: Callable[[], datetime],
        memory: Memory,
        may_add_columns: bool = True,
    ) -> None:
        self.client = AsyncClient(
            auth=token,
            base_url=(url or API_URL).rstrip("/").removesuffix("/v1"),
            timeout_ms=int(TIMEOUT_S * 1000),
            retry=False,  # the client would sleep for minutes inside a call
            logger=_silent,
            log_level=logging.CRITICAL,
        )
        self.databases = databases
        self.turns = Turns(per_second, clock)
        self._clock = clock
        self._memory = memory
        self._may_add_columns = may_add_columns
        self._tables: dict[Database, Table] = {}
        self._said: dict[Database, tuple[object, ...]] = {}
        self._reading = asyncio.Lock()
        self._me = ""

    @classmethod
    def of(
        cls,
        settings: Settings,
        databases: Mapping[Database, str],
        memory: Memory,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        may_add_columns: bool = True,
    ) -> Self:
        """As the settings say; without a token a stand-in is meant, and that takes any."""
        return cls(
            token=settings.notion_token.get_secret_value() if settings.notion_token else "sandbox",
            url=settings.notion_api_url,
            per_second=settings.notion_rate_limit,
            databases=databases,
            clock=clock,
            memory=memory,
            may_add_columns=may_add_columns,
        )

    async def table(self, database: Database) -> Table:
        """The database, found and checked once; looked at again while something is wrong with it.

        Errors: Refusal; `wrong` while columns are missing, which is logged by name at each look.
        """
        async with self._reading:
            known = self._tables.get(database)
            if known is None or (known.columns.problems and self._clock() - known.read_at >= RECHECK):
                known = await self._look(database)
                await self._memory.look(database, known.columns)  # before it is believed: this may fail
                self._tables[database] = known
        if known.columns.problems:
            raise Refusal("wrong", "database does not fit")
        return known

    async def look_again(self, database: Database) -> Table:
        """After a refusal that may mean that somebody changed the database. Errors: as `table`."""
        self._tables.pop(database, None)
        return await self.table(database)

    async def _look(self, database: Database) -> Table:
        try:
            return self._told(database, await self.read(database, make=self._may_add_columns))
        except Refusal as refused:
            if refused.status != 404:
                raise
            return self._told(database, self._unfit("it is not there, or not shared with us any more"))

    async def read(self, database: Database, *, make: bool = False) -> Table:
        """The database as it is now; `make`: with the columns that may be made where they are missing."""
        database_id = self.databases[database]
        answer = await self.turns.take(lambda: self.client.databases.retrieve(database_id), _Database)
        if answer.in_trash:
            return self._unfit("it is in the trash")
        if len(answer.data_sources) != 1:
            names = ", ".join(repr(source.name) for source in answer.data_sources) or "none"
            return self._unfit(f"needs one data source and has: {names}")
        source = answer.data_sources[0].id
        found = await self.turns.take(lambda: self.client.data_sources.retrieve(source), _Columns)
        known = await self._memory.ids(database)
        resolved = resolve(COLUMNS[database], found.properties, known)
        missing = added(database).keys() - resolved.ids.keys()
        if make and missing and (after := await self._add(database, source, missing)):
            resolved = resolve(COLUMNS[database], after.properties, known)
        return Table(source, resolved, self._clock())

    async def _add(self, database: Database, source: str, names: Set[str]) -> _Columns | None:
        """The columns afterwards; None if we may not, and then a person has to. Repeated, it changes nothing."""
        wanted = {name: column for name, column in added(database).items() if name in names}
        try:
            columns = await self.turns.take(
                lambda: self.client.data_sources.update(source, properties=wanted), _Columns
            )
        except Refusal as refused:
            if refused.kind == "busy":
                raise
            log.warning("notion_columns_not_added", database=database, columns=list(wanted), reason=str(refused))
            return None
        log.info("notion_columns_added", database=database, columns=list(wanted))
        return columns

    def _unfit(self, problem: str) -> Table:
        return Table("", Resolved({}, {}, (problem,), ""), self._clock())

    def _told(self, database: Database, table: Table) -> Table:
        """Trouble is said at each look; that all is well, and which columns were renamed, when it changes."""
        problems, renamed = table.columns.problems, dict(table.columns.renamed)
        news: tuple[object, ...] = (problems, renamed)
        if problems:
            log.error("notion_database_does_not_fit", database=database, problems=list(problems))
        elif self._said.get(database) != news:
            log.info("notion_database_found", database=database, data_source=table.source_id)
            if renamed:
                log.warning("notion_columns_renamed", database=database, columns=renamed)
        self._said[database] = news
        return table

    async def rows(
        self,
        database: Database,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - Notion's word
        sorts: list[dict[str, str]] | None = None,
    ) -> AsyncIterator[Found]:
        """Every row that a filter matches, 100 a call. A query may miss pages up to half a minute old."""
        cursor: str | None = None
        while True:
            batch = await self.some_rows(database, filter=filter, sorts=sorts, cursor=cursor)
            for each in batch.found:
                yield each
            if batch.cursor is None:
                return
            cursor = batch.cursor

    async def some_rows(
        self,
        database: Database,
        *,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - Notion's word
        sorts: list[dict[str, str]] | None = None,
        cursor: str | None = None,
        in_trash: bool = False,
    ) -> Batch:
        """Those in the trash have to be asked for."""
        table = await self.table(database)
        asked: dict[str, Any] = {"page_size": PAGE, "sorts": sorts or OLDEST_FIRST}
        asked |= {"filter": dict(filter)} if filter else {}
        asked |= {"start_cursor": cursor} if cursor else {}
        asked |= {"in_trash": True} if in_trash else {}
        page = await self.turns.take(lambda: self.client.data_sources.query(table.source_id, **asked), _Pages)
        found = [each.found(table.columns.ids) for each in page.results]
        return Batch(found, page.next_cursor, page.request_status.type == "incomplete")

    async def retrieve(self, database: Database, page_id: str) -> Found | None:
        """The page as it is now, in the trash as well; None if it belongs to another database by now."""
        table = await self.table(database)
        page = await self.turns.take(lambda: self.client.pages.retrieve(page_id), Page)
        return page.found(table.columns.ids) if page.parent.data_source_id == table.source_id else None

    async def create(self, database: Database, properties: Mapping[str, Value]) -> str:
        """The id of the new page. Repeated, it makes a second one."""
        table = await self.table(database)
        parent = {"type": "data_source_id", "data_source_id": table.source_id}
        written = _by_id(properties, table)
        with trace.span("notion create", "client", database=database):
            page = await self.turns.take(lambda: self.client.pages.create(parent=parent, properties=written), _Written)
        return page.id

    async def update(self, database: Database, page_id: str, properties: Mapping[str, Value], **page: bool) -> None:
        """Repeated, it changes nothing. `in_trash=False` brings the page back."""
        table = await self.table(database)
        written = _by_id(properties, table)
        with trace.span("notion update", "client", database=database):
            await self.turns.take(lambda: self.client.pages.update(page_id, properties=written, **page), _Written)

    async def property_id(self, database: Database, column: str) -> str:
        """What a filter calls one of our columns."""
        return (await self.table(database)).columns.ids[column]

    async def me(self) -> str:
        """Who we are to Notion: the id of our own user."""
        if not self._me:
            self._me = (await self.turns.take(self.client.users.me, _Written)).id
        return self._me

    async def close(self) -> None:
        await self.client.aclose()


def _by_id(properties: Mapping[str, Value], table: Table) -> dict[str, Value]:
    return {table.columns.ids[name]: value for name, value in properties.items()}
