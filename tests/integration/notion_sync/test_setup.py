"""Making the databases: all of them, none twice, whatever comes in between."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from notion_client import AsyncClient

from services.notion_sync.answers import Refusal
from services.notion_sync.api import Forgetful, Notion
from services.notion_sync.schema import (
    BUSINESSX,
    COLUMNS,
    CUSTOMER,
    DATABASES,
    EMAIL_SEQUENCE,
    QUEUE,
    TEMPLATES,
    Database,
)
from services.notion_sync.setup import ORDER, Doubled, Made, Unfit, Unsaid, set_up
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import SandboxOptions
from tests.integration.notion_sync.kit import Clock

PARENT = "11111111-1111-4111-8111-111111111111"
CREATE = Match("POST", "/v1/databases")


@pytest.fixture
async def ours(sandbox: Sandbox, clock: Clock) -> AsyncIterator[Notion]:
    notion = Notion(
        token="ntn_test", url=sandbox.url, per_second=1_000, databases={}, clock=clock, memory=Forgetful()
    )  # fmt: skip
    yield notion
    await notion.close()


async def made(notion: Notion) -> dict[Database, Made]:
    return {each.database: each async for each in set_up(notion, PARENT)}


async def on_page(notion: AsyncClient) -> list[str]:
    listed: Any = await notion.blocks.children.list(PARENT)
    return [each["child_database"]["title"] for each in listed["results"] if each["type"] == "child_database"]


async def columns(notion: AsyncClient, source: str) -> Any:
    found: Any = await notion.data_sources.retrieve(source)
    return found["properties"]


async def add_database(notion: AsyncClient, title: str, **properties: dict[str, object]) -> Any:
    return await notion.databases.create(
        parent={"type": "page_id", "page_id": PARENT},
        title=[{"type": "text", "text": {"content": title}}],
        initial_data_source={"properties": properties or {"Name": {"title": {}}}},
    )


async def test_every_database_is_made_with_every_column_of_its_type(ours: Notion, notion: AsyncClient) -> None:
    found = await made(ours)
    assert await on_page(notion) == list(ORDER)
    assert set(found) == set(DATABASES)
    assert {each.state for each in found.values()} == {"made"}
    for database, each in found.items():
        there = await columns(notion, each.source)
        assert {name: column["type"] for name, column in there.items()} == COLUMNS[database]
    customer = (await columns(notion, found[QUEUE].source))[CUSTOMER]
    assert customer["relation"]["data_source_id"] == found[BUSINESSX].source


async def test_the_second_time_it_makes_and_changes_nothing(ours: Notion, sandbox: Sandbox) -> None:
    first = await made(ours)
    before = len(sandbox.requests())
    again = await made(ours)
    assert {each.id for each in again.values()} == {each.id for each in first.values()}
    assert {(each.state, each.added, each.problems) for each in again.values()} == {("there", (), ())}
    assert {entry.method for entry in sandbox.requests()[before:]} == {"GET"}


@pytest.mark.parametrize("done", range(1, len(ORDER)))
async def test_what_was_stopped_is_gone_on_with(ours: Notion, notion: AsyncClient, done: int) -> None:
    run = set_up(ours, PARENT)
    for _ in range(done):
        await anext(run)
    again = await made(ours)
    assert [again[each].state for each in ORDER] == ["there"] * done + ["made"] * (len(ORDER) - done)
    assert await on_page(notion) == list(ORDER)


async def test_a_create_that_timed_out_and_was_accepted_is_found_by_the_next_run(
    ours: Notion, sandbox: Sandbox, notion: AsyncClient, clock: Clock
) -> None:
    sandbox.add_fault(Fault("notion", "timeout_after_accept", Match("POST", "/v1/databases", EMAIL_SEQUENCE)))
    with pytest.raises(Unsaid, match=EMAIL_SEQUENCE):
        await made(ours)
    clock.advance(60)
    await made(ours)
    assert await on_page(notion) == list(ORDER)


async def test_a_page_of_many_blocks_is_read_to_its_end(ours: Notion, notion: AsyncClient) -> None:
    for n in range(101):
        await add_database(notion, f"Other {n}")
    taken = await add_database(notion, QUEUE)
    assert (await made(ours))[QUEUE].id == taken["id"]


async def test_a_database_that_is_there_gets_the_columns_it_lacks_and_keeps_its_own(
    ours: Notion, notion: AsyncClient
) -> None:
    await add_database(notion, QUEUE, Name={"title": {}}, Status={"select": {}}, Mine={"number": {}})
    found = await made(ours)
    assert found[QUEUE].state == "there"
    assert set(found[QUEUE].added) == COLUMNS[QUEUE].keys() - {"Name", "Status"}
    assert found[QUEUE].problems == ()
    there = await columns(notion, found[QUEUE].source)
    assert {name: column["type"] for name, column in there.items()} == {**COLUMNS[QUEUE], "Mine": "number"}
    assert there[CUSTOMER]["relation"]["data_source_id"] == found[BUSINESSX].source


async def test_a_column_of_another_type_is_told_and_left(ours: Notion, notion: AsyncClient) -> None:
    await add_database(notion, TEMPLATES, Name={"title": {}}, Campaign={"number": {}})
    found = (await made(ours))[TEMPLATES]
    assert found.problems == ("column 'Template ID' is missing", "column 'Campaign' is number, not select")
    there = await columns(notion, found.source)
    assert there["Campaign"]["type"] == "number"
    assert "Status" in there


async def test_two_databases_of_one_name_are_refused_with_both_ids_before_anything_is_made(
    ours: Notion, notion: AsyncClient
) -> None:
    one, two = await add_database(notion, QUEUE), await add_database(notion, QUEUE)
    with pytest.raises(Doubled, match=f"{one['id']}.*{two['id']}"):
        await made(ours)
    assert await on_page(notion) == [QUEUE, QUEUE]


async def test_a_database_of_several_sources_is_refused_by_their_names(ours: Notion, notion: AsyncClient) -> None:
    database = await add_database(notion, QUEUE)
    await notion.data_sources.create(
        parent={"type": "database_id", "database_id": database["id"]},
        title=[{"text": {"content": "Archive"}}],
        properties={"Name": {"title": {}}},
    )
    with pytest.raises(Unfit, match=f"{database['id']}.*'Email Queue', 'Archive'"):
        await made(ours)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (SandboxOptions(notion_rate=None, notion_missing_parents=(PARENT,)), 404),
        (SandboxOptions(notion_rate=None, notion_read_only=True), 403),
    ],
    ids=["not shared", "read only"],
)
async def test_what_notion_does_not_let_us_do_is_a_refusal(
    ours: Notion, sandbox: Sandbox, options: SandboxOptions, status: int
) -> None:
    sandbox.options = options
    with pytest.raises(Refusal) as caught:
        await made(ours)
    assert caught.value.status == status
