"""All of Notion brought into line with the facts: only what differs is written, and what is right costs nothing.

It can be stopped after any line and run again, beside another one and beside notion_sync: pages are created under the
same claims in the bucket `pages`, and a write that somebody else's came in between of is made again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from eventlog.bucket import Entry
from eventlog.outcomes import Done, Outcome, Retry
from eventlog.pages import Page, contact_key
from services.notion_sync.answers import Refusal
from services.notion_sync.compare import Finding, Seen, State
from services.notion_sync.reading import patiently
from services.notion_sync.row import Row
from services.notion_sync.schema import CUSTOMER, Database
from services.notion_sync.search import Search
from services.notion_sync.survey import Missing, Progress, Survey, for_each, page_id_of
from services.notion_sync.upsert import (
    begin,
    bring_into_line,
    contended,
    create,
    is_gone,
    record_update,
    say_incomplete,
)

AT_ONCE = 4
"""People whose rows are written at the same time: as many calls as keep three a second going."""

NOT_YET = Retry(0, "the page it points to is not there yet", label="no_page_yet")
LEFT = Done("left as it is", label="notion")


class Refused(msgspec.Struct, frozen=True):
    """A row that Notion does not take, and what it said: its code, never its message."""

    database: Database
    key: str
    reason: str


class Rebuild:
    """After a survey. `recreate`: also what somebody threw away.

    Errors, of every call: Refusal, `closed`; Unavailable.
    """

    def __init__(self, survey: Survey, *, recreate: bool = False) -> None:
        self.done = Counter[tuple[Database, str]]()
        self.refused: list[Refused] = []
        self._survey = survey
        self._shell = survey.shell
        self._sleep = survey.sleep
        self._recreate = recreate
        self._again: defaultdict[str, set[str]] = defaultdict(set)
        self._wait_s = 0.0
        self._written = 0

    async def run(self) -> None:
        """Until every row is as it should be, or `survey.stop` is set."""
        await self._forget(each for each in self._survey.gone if self._is_wanted_back("gone", each.database))
        await for_each(sorted(self._survey.to_visit), self._visit, AT_ONCE, self._survey.stop)
        while self._again and not self._survey.stop.is_set():
            await self._sleep(self._wait_s)
            again, self._again, self._wait_s = self._again, defaultdict(set), 0.0
            for contact, keys in again.items():
                await self._take_up(contact, keys)

    def _is_wanted_back(self, state: State, database: Database) -> bool:
        """A page thrown away on purpose is not made again behind somebody's back; an emptied database is filled."""
        return self._recreate or (state == "gone" and self._survey.is_emptied(database))

    async def _forget(self, gone: Iterable[Missing]) -> None:
        """These pages were never made: so that it is known even if this ends before they are made again."""
        for each in gone:
            await self._shell.pages.put(each.key, Page(at=self._shell.clock(), refused=True), over=each.revision)

    async def _visit(self, contact: str) -> None:
        await self._survey.visit(contact, self._act)

    async def _act(self, finding: Finding, entry: Entry[Page] | None) -> str | None:
        row = finding.row
        if self._waits_for_person(row):
            self._count(row, NOT_YET)
            return None
        try:
            outcome = await self._put_right(finding, entry)
        except Refusal as refused:
            self._refuse(row, refused)
            return page_id_of(finding, missing=None)
        self._count(row, outcome)
        if finding.state in {"missing", "trashed", "gone"} and outcome is not LEFT:
            after = await self._shell.pages.get(row.key)
            return after.value.page_id if after else None
        return page_id_of(finding, missing=None)

    def _waits_for_person(self, row: Row) -> bool:
        return CUSTOMER in row.properties and contact_key(row.contact) in self._again.get(row.contact, ())

    async def _put_right(self, finding: Finding, entry: Entry[Page] | None) -> Outcome:
        match finding.state:
            case "right":
                return await self._note(finding, entry)
            case "differs" if finding.page:
                return await self._update(finding, finding.page, entry)
            case "trashed" if finding.page and self._recreate:
                return await self._update(finding, finding.page, entry)
            case "missing":
                return await self._create(finding.row, entry)
            case "moving":
                return Retry(0, "somebody is writing it", label="contended")
            case _:
                return LEFT

    async def _note(self, finding: Finding, entry: Entry[Page] | None) -> Outcome:
        """The page is right; the bucket learns it, unless it has news of its own."""
        if finding.page and not finding.is_noted:
            revision = entry.revision if entry else 0
            if await self._shell.pages.put(finding.row.key, finding.noted(self._shell.clock()), over=revision) is None:
                return contended()
        return Done("noted", label="notion")

    async def _update(self, finding: Finding, page: Seen, entry: Entry[Page] | None) -> Outcome:
        """The columns that differ; of a page the bucket does not know, it learns first."""
        row, revision = finding.row, entry.revision if entry else 0
        unnoted = Page(page_id=page.id, at=self._shell.clock())
        if entry is None or entry.value.page_id != page.id:
            adopted = await self._shell.pages.put(row.key, unnoted, over=revision)
            if adopted is None:
                return contended()
            revision = adopted
        await say_incomplete(row, self._shell)
        held = Entry(entry.value if entry and entry.value.page_id == page.id else unnoted, revision)
        begun = await begin(row, finding.properties, held, self._shell)
        if begun is None:
            return contended()
        if not await self._write(finding, page):
            return LEFT
        self._written += 1
        return await record_update(row, finding.noted(self._shell.clock()), begun, self._shell)

    async def _write(self, finding: Finding, page: Seen) -> bool:
        """Whether the page was there to be written to."""
        row, notion = finding.row, self._shell.notion
        back = {"in_trash": False} if page.in_trash else {}

        async def attempt() -> bool:
            try:
                await notion.update(row.database, page.id, finding.properties, **back)
            except Refusal as refused:
                if refused.kind == "wrong" and await is_gone(row, page.id, refused, self._shell):
                    return False
                raise
            return True

        return await patiently(attempt, self._sleep)

    async def _create(self, row: Row, entry: Entry[Page] | None) -> Outcome:
        """The bucket is asked once more, at every try: somebody else may have begun."""
        seen = entry.revision if entry else 0

        async def attempt() -> Outcome:
            now = await self._shell.pages.get(row.key)
            if now and now.revision != seen and (now.value.page_id or not now.value.refused):
                return contended()
            unmade = Entry(Page(at=self._shell.clock(), refused=True), now.revision) if now else None
            return await create(row, unmade, self._shell)

        outcome = await patiently(attempt, self._sleep)
        self._written += isinstance(outcome, Done)
        return outcome

    async def _take_up(self, contact: str, keys: set[str]) -> None:
        """Rows that somebody else was at, by what the bucket says now, and a query where it says nothing.

        News that came meanwhile may have been shown before the older view was: then it is done once more.
        """
        search = Search(self._shell.notion)
        before = len(await self._shell.events.history(contact))

        async def act(finding: Finding, entry: Entry[Page] | None) -> str | None:
            row = finding.row
            if self._waits_for_person(row):
                self._count(row, NOT_YET)
            elif row.key in keys:
                try:
                    outcome = await (
                        self._put_right(finding, entry)  # the bucket does not know what somebody changed there
                        if finding.state in {"differs", "trashed"}
                        else patiently(lambda: bring_into_line(row, self._shell, search.find), self._sleep)
                    )
                    self._count(row, outcome)
                except Refusal as refused:
                    self._refuse(row, refused)
            after = await self._shell.pages.get(row.key)
            return after.value.page_id if after else None

        await self._survey.visit(contact, act)
        if len(await self._shell.events.history(contact)) > before:
            self._again[contact] |= keys

    def _count(self, row: Row, outcome: Outcome) -> None:
        if isinstance(outcome, Retry) and row.is_whole:
            self._again[row.contact].add(row.key)
            self._wait_s = max(self._wait_s, outcome.after_s)
        elif isinstance(outcome, Done):
            self.done[row.database, outcome.what.rpartition(": ")[2]] += 1
        total = max(self._written, self._writes())
        self._survey.told(Progress("writing rows", self._written, total, total - self._written))

    def _writes(self) -> int:
        """Rows that differ or are missing, and those that come back."""
        survey = self._survey
        gone = sum(self._is_wanted_back("gone", each.database) for each in survey.gone)
        trashed = sum(survey.counts[each, "trashed"] for each in survey.databases()) if self._recreate else 0
        return survey.writes + gone + trashed

    def _refuse(self, row: Row, refused: Refusal) -> None:
        """That row alone; the others are not stopped by it. Errors: Refusal, if nothing may be done at all."""
        if refused.kind == "closed":
            raise refused
        self.refused.append(Refused(row.database, row.key, str(refused)))
