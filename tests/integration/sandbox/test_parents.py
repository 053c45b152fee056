"""The page that databases stand on, as setting them up needs it."""

from typing import Any

import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError

from services.sandbox.app import Sandbox
from services.sandbox.options import SandboxOptions
from services.sandbox.seed import EMAIL_SEQUENCE_DB_ID
from tests.integration.sandbox.kit import NOBODY, make_database, text

PARENT = "11111111-1111-4111-8111-111111111111"
TITLE: dict[str, object] = {"Name": {"title": {}}}


async def children(notion: AsyncClient, **arguments: Any) -> Any:
    return await notion.blocks.children.list(block_id=PARENT.replace("-", ""), **arguments)


def titles(listed: Any) -> list[str]:
    return [each["child_database"]["title"] for each in listed["results"]]


async def test_a_page_lists_the_databases_on_it_in_pages(notion: AsyncClient) -> None:
    made = [await make_database(notion, TITLE, PARENT, title=title) for title in ("One", "Two", "Three")]
    await make_database(notion, TITLE, NOBODY, title="Elsewhere")

    first = await children(notion, page_size=2)
    rest = await children(notion, page_size=2, start_cursor=first["next_cursor"])
    assert (titles(first), first["has_more"]) == (["One", "Two"], True)
    assert (titles(rest), rest["has_more"], rest["next_cursor"]) == (["Three"], False, None)
    assert [each["id"] for each in (*first["results"], *rest["results"])] == [each["id"] for each in made]
    assert {each["type"] for each in first["results"]} == {"child_database"}
    with pytest.raises(APIResponseError):
        await children(notion, page_size=101)
    with pytest.raises(APIResponseError):
        await children(notion, start_cursor=NOBODY)


async def test_a_database_in_the_trash_is_not_listed_and_its_rows_take_no_writes(
    notion: AsyncClient, sandbox: Sandbox
) -> None:
    made = await make_database(notion, TITLE, PARENT)
    parent = {"database_id": made["id"]}
    page = await notion.pages.create(parent=parent, properties={"Name": {"title": text("Ann")}})
    trashed: Any = await notion.databases.update(made["id"], in_trash=True)
    assert trashed["in_trash"] is True
    assert titles(await children(notion)) == []
    with pytest.raises(APIResponseError, match="archived ancestor"):
        await notion.pages.update(page_id=page["id"], properties={})

    sandbox.person.trash_database(made["id"], trash=False)
    assert titles(await children(notion)) == ["Leads"]


async def test_a_page_without_databases_lists_nothing(notion: AsyncClient) -> None:
    assert (await children(notion))["results"] == []


async def test_a_parent_that_is_not_there_or_no_page_is_refused(notion: AsyncClient, sandbox: Sandbox) -> None:
    sandbox.options = SandboxOptions(notion_rate=None, notion_missing_parents=(PARENT.replace("-", ""),))
    refusals = []
    for attempt in (
        make_database(notion, TITLE, PARENT),
        children(notion),
        make_database(notion, TITLE, EMAIL_SEQUENCE_DB_ID),
        make_database(notion, TITLE, "my page"),
    ):
        with pytest.raises(APIResponseError) as caught:
            await attempt
        refusals.append(caught.value.code.value)
    assert refusals == ["object_not_found", "object_not_found", "validation_error", "validation_error"]
