"""All of Notion rebuilt from the facts: nothing doubled, nothing of a person's overwritten, and no write too many."""

import asyncio
import dataclasses
from typing import Any

import pytest
from notion_client import AsyncClient

from contracts.facts import AnyFact
from contracts.ids import contact_id
from contracts.notion import RowIncomplete
from contracts.subjects import PAGES, stream_of
from eventlog import topology
from eventlog.bucket import Bucket, Entry
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.pages import Page
from services.notion_sync.answers import Refusal
from services.notion_sync.handlers import Shell
from services.notion_sync.rebuild import Rebuild
from services.notion_sync.schema import ANALYTICS, BUSINESSX, EMAIL_SEQUENCE, QUEUE
from services.notion_sync.survey import Survey
from services.notion_sync.upsert import IN_DOUBT
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import SandboxOptions
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from tests.factories import ADA, make_booking_created, make_delivered, make_email_id, make_email_sent, make_signup
from tests.integration.notion_sync.kit import CONTACT_KEY, Clock, Make, append, wake, written
from tests.integration.notion_sync.office import make_databases, queue, table

BEA = "bea@example.com"
ROWS_OF_ADA = 2 + 7 + 2


class Office:
    """Five databases, and everybody's rows in them."""

    def __init__(self, broker: Broker, sandbox: Sandbox, clock: Clock, make_shell: Make, ids: dict[str, Any]) -> None:
        self.broker = broker
        self.sandbox = sandbox
        self.clock = clock
        self.ids = ids
        self._make_shell = make_shell

    def shell(self, **overrides: Any) -> Shell:
        return self._make_shell(**(self.ids | overrides))

    async def happened(self, *facts: AnyFact) -> None:
        """Facts, shown in Notion as they came."""
        await append(self.broker, *facts)
        shell = self.shell()
        for contact in sorted({fact.contact for fact in facts}):
            await wake(shell, *(fact for fact in facts if fact.contact == contact))

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def survey(self, address: str | None = None, **shell: Any) -> Survey:
        survey = Survey(self.broker, self.shell(**shell), sleep=self.sleep)
        await survey.look(address)
        return survey

    async def rebuild(self, address: str | None = None, *, recreate: bool = False, **shell: Any) -> Rebuild:
        rebuild = Rebuild(await self.survey(address, **shell), recreate=recreate)
        await rebuild.run()
        return rebuild

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """What stands in them, without ids and what points to ids."""
        every = self.sandbox.notion_rows()
        return {
            name: sorted(
                ({k: v for k, v in row.items() if k not in {"id", "Customer"}} for row in rows),
                key=str,
            )
            for name, rows in every.items()
        }

    def count(self) -> int:
        return sum(len(rows) for rows in self.sandbox.notion_rows().values())

    def written(self) -> list[str]:
        return written(self.sandbox)

    async def lose_the_bucket(self) -> None:
        await self.broker.js.delete_stream(stream_of(PAGES))
        await topology.init(self.broker)

    def clear(self, *, trash: bool = False) -> None:
        for database in (EMAIL_SEQUENCE_DB_ID, BUSINESSX_DB_ID, *self.ids.values()):
            self.sandbox.person.clear(database, trash=trash)


@pytest.fixture
async def office(broker: Broker, sandbox: Sandbox, clock: Clock, make_shell: Make, notion: AsyncClient) -> Office:
    return Office(broker, sandbox, clock, make_shell, await make_databases(notion))


def life(email: str = ADA) -> list[AnyFact]:
    return [make_signup(email), make_email_sent("email-1", email), make_delivered("email-1", email)]


async def test_what_is_right_costs_no_write(office: Office) -> None:
    await office.happened(*life(), *life(BEA), make_booking_created(email="cleo@example.com"))
    before, rows = office.written(), office.rows()
    survey = await office.survey()
    assert not survey.to_visit
    rebuild = await office.rebuild()
    assert not rebuild.done
    assert office.written() == before
    assert office.rows() == rows


@pytest.mark.parametrize("known", [True, False], ids=["bucket kept", "bucket lost"])
async def test_every_row_deleted_comes_back_once(office: Office, *, known: bool) -> None:
    await office.happened(*life(), *life(BEA))
    rows, before = office.rows(), len(office.written())
    office.clear()
    if not known:
        await office.lose_the_bucket()
    office.clock.advance(600)
    await office.rebuild()
    assert office.rows() == rows
    assert office.written()[before:] == ["POST"] * (2 * ROWS_OF_ADA)
    contacts = {row["id"] for row in table(office.sandbox, BUSINESSX)}
    assert {each for row in table(office.sandbox, QUEUE) for each in row["Customer"]} == contacts
    assert not (await office.survey()).to_visit


async def test_without_its_bucket_nothing_is_written(office: Office) -> None:
    await office.happened(*life())
    before = office.written()
    await office.lose_the_bucket()
    await office.rebuild()
    assert office.written() == before
    assert not (await office.survey()).to_visit
    await office.happened(make_delivered())  # known again to those who show news
    assert office.written() == before


async def test_a_cell_that_differs_is_the_only_one_written(office: Office) -> None:
    await office.happened(*life())
    rows, before = office.rows(), len(office.written())
    [page] = table(office.sandbox, BUSINESSX)
    office.sandbox.person.edit(page["id"], {"Segment": "OTHER"})
    survey = await office.survey()
    assert survey.counts[BUSINESSX, "differs"] == 1
    office.clock.advance(120)
    edited_by_hand = table(office.sandbox, BUSINESSX)
    assert edited_by_hand[0]["Segment"] == "OTHER"
    await office.rebuild()
    assert office.rows() == rows
    assert office.written()[before:] == ["PATCH"]


async def test_what_people_may_change_is_left_to_the_watch(office: Office) -> None:
    await office.happened(*life())
    before = len(office.written())
    [page] = table(office.sandbox, BUSINESSX)
    office.sandbox.person.edit(page["id"], {"First Name": "Augusta", "Hold": True, "Segment": "OTHER"})
    rebuild = await office.rebuild()
    [page] = table(office.sandbox, BUSINESSX)
    assert (page["First Name"], page["Hold"], page["Segment"]) == ("Augusta", True, "CRITICAL")
    assert office.written()[before:] == ["PATCH"]
    assert rebuild._survey.counts[BUSINESSX, "hands"] == 1
    known = await rebuild._shell.pages.get(CONTACT_KEY)
    assert known
    assert known.value.shown["First Name"] == "Ada"


@pytest.mark.parametrize("trash", [True, False], ids=["trashed", "deleted"])
@pytest.mark.parametrize("recreate", [True, False], ids=["recreate", "leave"])
async def test_a_row_thrown_away_comes_back_only_on_demand(office: Office, *, recreate: bool, trash: bool) -> None:
    await office.happened(*life(), *life(BEA))
    rows = office.rows()
    [page] = [each["id"] for each in table(office.sandbox, EMAIL_SEQUENCE) if each["Email"] == ADA]
    (office.sandbox.person.trash if trash else office.sandbox.person.delete)(page)
    office.clock.advance(600)
    thrown_away = office.rows()
    survey = await office.survey()
    assert survey.counts[EMAIL_SEQUENCE, "trashed" if trash else "gone"] == 1
    await office.rebuild(recreate=recreate)
    assert office.rows() == (rows if recreate else thrown_away)


async def test_rows_all_in_the_trash_are_asked_about(office: Office) -> None:
    await office.happened(*life())
    rows = office.rows()
    office.clear(trash=True)
    office.clock.advance(600)
    reads = len(office.sandbox.requests())
    await office.rebuild()
    assert all(row["in_trash"] for each in office.sandbox.notion_rows().values() for row in each)
    assert len(office.sandbox.requests()) - reads <= 4 * 4  # each database and its columns, its rows, its trash
    await office.rebuild(recreate=True)
    assert office.rows() == rows


async def test_a_page_too_young_for_a_query_is_asked_for(office: Office) -> None:
    office.sandbox.options = SandboxOptions(notion_rate=None, notion_query_lag_s=30)
    await office.happened(*life())
    before, count = office.written(), office.count()
    office.clock.advance(1)
    await office.rebuild()
    assert office.written() == before
    assert office.count() == count


@pytest.mark.parametrize("action", ["timeout_after_accept", "reset"])
async def test_a_create_nobody_heard_of_makes_no_second_page(office: Office, action: Any) -> None:
    office.sandbox.options = SandboxOptions(notion_rate=None, notion_query_lag_s=30)
    await append(office.broker, *life())
    office.sandbox.add_fault(Fault("notion", action, Match("POST", "/v1/pages"), times=3))
    await office.rebuild()
    office.clock.advance(60)
    assert office.count() == ROWS_OF_ADA
    assert not (await office.survey()).to_visit


async def test_two_rebuilds_at_once_make_one_page_each(office: Office) -> None:
    await append(office.broker, *life(), *life(BEA))
    await asyncio.gather(office.rebuild(), office.rebuild(), office.rebuild())
    assert office.count() == 2 * ROWS_OF_ADA
    assert office.written().count("POST") == 2 * ROWS_OF_ADA
    assert not (await office.survey()).to_visit


async def test_a_rebuild_beside_the_service_doubles_nothing(office: Office) -> None:
    people = [f"person-{n}@example.com" for n in range(6)]
    await append(office.broker, *(fact for each in people for fact in life(each)))

    async def live() -> None:
        shell = office.shell()
        for each in people:
            sent = make_email_sent("email-2", each)
            await append(office.broker, sent)
            await wake(shell, *life(each), sent)

    await asyncio.gather(office.rebuild(), live(), office.rebuild())
    await office.rebuild()
    assert office.count() == len(people) * (ROWS_OF_ADA + 1)
    assert all(row["Email 2 Sent"] for row in table(office.sandbox, EMAIL_SEQUENCE))
    assert not (await office.survey()).to_visit


async def test_news_shown_after_the_rows_were_read_are_believed(office: Office) -> None:
    await office.happened(*life())
    survey = await office.survey()
    await office.happened(make_email_sent("email-2"))
    await office.happened(*life(BEA))
    before = office.written()
    survey.to_visit |= {contact_id(ADA), contact_id(BEA)}
    await Rebuild(survey).run()
    assert office.written() == before


async def test_stopped_in_the_middle_it_goes_on(office: Office) -> None:
    people = [f"person-{n}@example.com" for n in range(8)]
    await append(office.broker, *(fact for each in people for fact in life(each)))
    running = asyncio.create_task(office.rebuild(notion_rate_limit=50))
    while office.written().count("POST") < 20:  # noqa: ASYNC110 - the stand-in does not tell
        await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert office.count() < len(people) * ROWS_OF_ADA
    await office.rebuild()
    assert office.count() == len(people) * ROWS_OF_ADA
    assert not (await office.survey()).to_visit


async def test_an_emptied_database_is_filled_though_it_was_interrupted(office: Office) -> None:
    await office.happened(*life(), *life(BEA))
    office.clear()
    office.clock.advance(600)
    running = asyncio.create_task(office.rebuild(notion_rate_limit=50))
    posts = office.written().count("POST")
    while office.written().count("POST") < posts + 3:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await office.rebuild()
    assert office.count() == 2 * ROWS_OF_ADA


async def test_a_look_writes_nothing_anywhere(office: Office) -> None:
    await append(office.broker, *life())
    last = (await office.broker.js.stream_info(stream_of(PAGES))).state.last_seq
    facts = (await office.broker.js.stream_info("EVENTS")).state.last_seq
    survey = await office.survey()
    assert sum(survey.counts[each, "missing"] for each in survey.databases()) == ROWS_OF_ADA
    assert (await office.broker.js.stream_info("EVENTS")).state.last_seq == facts
    assert office.written() == []
    assert last is not None


async def test_others_rows_are_named_and_left_alone(office: Office, notion: AsyncClient) -> None:
    await office.happened(*life())
    doubled = office.sandbox.notion_rows()[EMAIL_SEQUENCE][0]
    properties = {"Email": {"email": ADA}, "Campaign": {"select": {"name": doubled["Campaign"]}}}
    parent = {"type": "database_id", "database_id": EMAIL_SEQUENCE_DB_ID}
    double = await notion.pages.create(parent=parent, properties=properties)
    foreign = await notion.pages.create(parent=parent, properties={"Email": {"email": "nobody@example.com"}})
    rows = office.rows()
    rebuild = await office.rebuild()
    assert office.rows() == rows
    [finding] = rebuild._survey.doubled
    assert finding.page
    assert (finding.page.id, finding.doubles) == (doubled["id"], (double["id"],))
    assert rebuild._survey.foreign == [(EMAIL_SEQUENCE, foreign["id"])]


async def test_an_email_no_more_planned_is_skipped_in_the_queue(office: Office, notion: AsyncClient) -> None:
    await office.happened(*life())
    parent = {"type": "database_id", "database_id": office.ids["notion_email_queue_db_id"]}
    key = make_email_id("email-99")
    properties = {
        "Key": {"rich_text": [{"text": {"content": key}}]},
        "Status": {"select": {"name": "queued"}},
        "Template ID": {"rich_text": [{"text": {"content": "old"}}]},
    }
    await notion.pages.create(parent=parent, properties=properties)
    await office.rebuild()
    row = queue(office.sandbox)["email-99"]
    assert (row["Status"], row["Error Message"], row["Template ID"]) == ("skipped", "not planned any more", "old")
    survey = await office.survey()
    assert not survey.to_visit
    assert survey.foreign == []


async def test_one_bad_row_does_not_stop_the_others(office: Office) -> None:
    await append(office.broker, *life(), *life(BEA))
    office.sandbox.add_fault(Fault("notion", "status", Match("POST", "/v1/pages", "email-3"), status=400, times=2))
    rebuild = await office.rebuild()
    assert len(rebuild.refused) == 2
    assert office.count() == 2 * ROWS_OF_ADA - 2
    await office.rebuild()
    assert office.count() == 2 * ROWS_OF_ADA


async def test_what_does_not_fit_is_a_fact(office: Office) -> None:
    long = "a" * 64 + "@" + "b" * 190 + ".example.com"
    await append(office.broker, make_signup(long))
    await office.rebuild()
    facts = await EventLog(office.broker).history(contact_id(long))
    assert any(isinstance(fact, RowIncomplete) for fact in facts)
    assert office.count() == 2 + 7


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_while_notion_is_busy_it_waits(office: Office, status: int) -> None:
    await append(office.broker, *life())
    for method, path in (("POST", "/v1/pages"), ("POST", "/v1/data_sources/*/query")):
        office.sandbox.add_fault(Fault("notion", "status", Match(method, path), status=status, times=3))
    await office.rebuild()
    assert office.count() == ROWS_OF_ADA


async def test_where_nothing_may_be_done_it_stops(office: Office) -> None:
    await append(office.broker, *life())
    office.sandbox.options = SandboxOptions(notion_rate=None, notion_read_only=True)
    with pytest.raises(Refusal, match="restricted_resource"):
        await office.rebuild()


async def test_one_person_costs_a_few_calls_and_touches_nobody_else(office: Office) -> None:
    await append(office.broker, *life(), *life(BEA))
    await office.rebuild(ADA.upper())
    assert office.count() == ROWS_OF_ADA
    asked = len(office.sandbox.requests())
    survey = await office.survey(ADA)
    assert not survey.to_visit
    assert survey.foreign == []
    assert len(office.sandbox.requests()) - asked <= 3 * 4


async def test_a_claim_whose_page_shows_is_adopted(office: Office) -> None:
    await office.happened(*life())
    shell = office.shell()
    await shell.pages.put(CONTACT_KEY, Page(at=office.clock()), over=None)
    before = office.written()
    office.clock.advance(IN_DOUBT.total_seconds() + 1)
    await office.rebuild()
    assert office.written() == before
    assert not (await office.survey()).to_visit


async def test_analytics_rows_are_told_apart_by_their_fact(office: Office) -> None:
    await office.happened(*life())
    assert {row["Event Type"] for row in table(office.sandbox, ANALYTICS)} == {"sent", "delivered"}
    [page] = [row["id"] for row in table(office.sandbox, ANALYTICS) if row["Event Type"] == "sent"]
    office.sandbox.person.edit(page, {"Key": "somebody typed here"})
    rows = office.count()
    await office.rebuild()
    assert office.count() == rows
    assert not (await office.survey()).to_visit


async def test_more_rows_than_a_query_gives_are_all_read(office: Office) -> None:
    people = [f"person-{n}@example.com" for n in range(4)]
    for each in people:
        await office.happened(*life(each))
        office.clock.advance(60)
    await office.lose_the_bucket()
    office.sandbox.options = SandboxOptions(notion_rate=None, notion_query_limit=10)
    before = office.written()
    await office.rebuild()
    assert office.written() == before
    assert not (await office.survey()).to_visit


async def test_a_query_that_gives_too_little_to_go_on_is_no_reason_to_double(office: Office) -> None:
    await office.happened(*life())
    await office.lose_the_bucket()
    office.sandbox.options = SandboxOptions(notion_rate=None, notion_query_limit=3)
    rebuild = await office.rebuild()
    assert rebuild._survey.unfit == [QUEUE]
    assert office.count() == ROWS_OF_ADA


async def test_news_shown_between_facts_and_bucket_are_not_written_over(office: Office) -> None:
    """Who folded before the news and looks into the bucket after them would take an older view for a newer one."""
    await office.happened(make_signup())
    [page] = table(office.sandbox, EMAIL_SEQUENCE)
    office.sandbox.person.edit(page["id"], {"Segment": "OTHER"})
    shell = office.shell()

    class Late(Bucket[Page]):
        """A bucket that is asked a moment too late, in the first round and in the second."""

        async def get(self, key: str) -> Entry[Page] | None:
            if fact := news.pop(events.read, None):
                await office.happened(fact)
            return await super().get(key)

    class Counted(EventLog):
        read = 0

        async def history(self, contact: str) -> list[AnyFact]:
            self.read += 1
            return await super().history(contact)

    news: dict[int, AnyFact] = {}
    events, late = Counted(office.broker), Late(office.broker, PAGES, Page)
    survey = Survey(office.broker, dataclasses.replace(shell, events=events, pages=late), sleep=office.sleep)
    await survey.look()
    events.read = 0
    news |= {1: make_email_sent("email-1"), 3: make_email_sent("email-2")}
    await Rebuild(survey).run()
    assert not news
    [row] = table(office.sandbox, EMAIL_SEQUENCE)
    assert row["Email 1 Sent"]
    assert row["Email 2 Sent"]


async def test_while_the_people_cannot_be_looked_at_nothing_stops_pointing_to_them(office: Office) -> None:
    await office.happened(*life())
    office.sandbox.person.delete_columns(BUSINESSX_DB_ID, ["Segment"])
    before = office.sandbox.notion_rows()["Email Queue"]
    rebuild = await office.rebuild()
    assert rebuild._survey.unfit == [BUSINESSX]
    assert office.sandbox.notion_rows()["Email Queue"] == before
    assert before[0]["Customer"]
