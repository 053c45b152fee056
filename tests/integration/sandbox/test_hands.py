"""A person at Notion, as tests and the sandbox's page play one, seen through the API."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError

from services.sandbox.app import Sandbox
from services.sandbox.calls import Refused
from services.sandbox.notion_model import BOT_ID, PERSON_ID
from services.sandbox.options import SandboxOptions
from services.sandbox.seed import EMAIL_SEQUENCE_DB_ID
from tests.integration.sandbox.kit import NOBODY, SOURCE, Clock, create, names, person, query


async def control(sandbox: Sandbox, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/_control/notion") as client:
        return await client.request(method, path, json=body, headers=headers)


async def columns_of(notion: AsyncClient) -> Any:
    return (await notion.data_sources.retrieve(SOURCE))["properties"]


async def test_every_page_says_who_edited_it_last_and_in_which_minute(
    notion: AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    made = await create(notion, person())
    assert (made["created_by"]["id"], made["last_edited_by"]["id"]) == (BOT_ID, BOT_ID)

    clock.now += timedelta(minutes=5, seconds=20)
    sandbox.person.edit(made["id"], {"First Name": "Ada"})
    edited = await notion.pages.retrieve(made["id"])
    assert edited["last_edited_by"] == {"object": "user", "id": PERSON_ID}
    assert edited["created_by"]["id"] == BOT_ID
    assert (edited["created_time"], edited["last_edited_time"]) == (
        "2026-11-20T10:00:00.000Z",
        "2026-11-20T10:05:00.000Z",
    )

    await notion.pages.update(page_id=made["id"], properties={"Assessment Score": {"number": 7}})
    assert (await notion.pages.retrieve(made["id"]))["last_edited_by"]["id"] == BOT_ID


async def test_a_query_finds_what_was_edited_since_a_minute(
    notion: AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    ann, _ = await create(notion, person()), await create(notion, person("Ben"))
    clock.now += timedelta(minutes=3)
    sandbox.person.edit(ann["id"], {"First Name": "Ada"})

    since = {"timestamp": "last_edited_time", "last_edited_time": {"on_or_after": "2026-11-20T10:03:00.000Z"}}
    newest = [{"timestamp": "last_edited_time", "direction": "descending"}]
    assert names(await query(notion, filter=since)) == ["Ann"]
    assert names(await query(notion, sorts=newest)) == ["Ann", "Ben"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Name", "Ada"),
        ("First Name", "Ada 🎉" * 700),
        ("First Name", ""),
        ("Email", "ada@example.com"),
        ("Email", None),
        ("Assessment Score", 62.5),
        ("Segment", "made by hand"),
        ("Segment", None),
        ("Signup Date", "2026-11-20"),
        ("Signup Date", None),
        ("Assessment Completed", True),
    ],
)
async def test_a_cell_holds_what_a_hand_put_into_it(
    notion: AsyncClient, sandbox: Sandbox, column: str, value: object
) -> None:
    made = await create(notion, person())
    answer = await control(sandbox, "POST", f"/pages/{made['id']}", {"cells": {column: value}})
    assert answer.status_code == 204
    (row,) = sandbox.notion_rows()["Email Sequence"]
    assert row[column] == value


@pytest.mark.parametrize("cells", [{"Nope": 1}, {"Assessment Score": "many"}, {"Assessment Completed": "yes"}])
async def test_what_no_cell_takes_is_refused(notion: AsyncClient, sandbox: Sandbox, cells: dict[str, object]) -> None:
    made = await create(notion, person())
    assert (await control(sandbox, "POST", f"/pages/{made['id']}", {"cells": cells})).status_code == 400
    assert (await control(sandbox, "POST", f"/pages/{NOBODY}", {"cells": {}})).status_code == 404
    assert (await notion.pages.retrieve(made["id"]))["last_edited_by"]["id"] == BOT_ID


async def test_a_page_is_trashed_restored_and_deleted_by_hand(notion: AsyncClient, sandbox: Sandbox) -> None:
    page_id = (await create(notion, person()))["id"]
    await control(sandbox, "POST", f"/pages/{page_id}/trash")
    trashed = await notion.pages.retrieve(page_id)
    assert (trashed["in_trash"], trashed["last_edited_by"]["id"]) == (True, PERSON_ID)
    with pytest.raises(Refused):
        sandbox.person.edit(page_id, {"First Name": "Ada"})

    await control(sandbox, "POST", f"/pages/{page_id}/restore")
    assert names(await query(notion)) == ["Ann"]
    assert (await control(sandbox, "DELETE", f"/pages/{page_id}")).status_code == 204
    with pytest.raises(APIResponseError) as caught:
        await notion.pages.retrieve(page_id)
    assert caught.value.code.value == "object_not_found"
    assert names(await query(notion)) == []


@pytest.mark.parametrize("trash", [True, False])
async def test_every_row_of_a_database_is_trashed_or_deleted(
    notion: AsyncClient, sandbox: Sandbox, trash: bool
) -> None:
    for name in ("Ann", "Ben"):
        await create(notion, person(name))
    answer = await control(sandbox, "POST", f"/databases/{EMAIL_SEQUENCE_DB_ID}/clear", {"trash": trash})
    assert answer.status_code == 204
    assert names(await query(notion)) == []
    assert [row["in_trash"] for row in sandbox.notion_rows()["Email Sequence"]] == [True, True][: 2 * trash]


async def test_columns_are_changed_by_hand(notion: AsyncClient, sandbox: Sandbox) -> None:
    made, before = await create(notion, person(Segment={"select": {"name": "urgent"}})), await columns_of(notion)
    changes = {
        "rename": {"Segment": "Group"},
        "delete": ["Campaign"],
        "add": {"Hold": "checkbox"},
        "retype": {"Assessment Score": "rich_text"},
    }
    answer = await control(sandbox, "POST", f"/databases/{EMAIL_SEQUENCE_DB_ID}/columns", changes)
    assert answer.status_code == 204

    after = await columns_of(notion)
    assert "Segment" not in after
    assert "Campaign" not in after
    assert (after["Group"]["id"], after["Hold"]["type"]) == (before["Segment"]["id"], "checkbox")
    assert after["Assessment Score"]["type"] == "rich_text"
    assert after["Assessment Score"]["id"] == before["Assessment Score"]["id"]
    page = await notion.pages.retrieve(made["id"])
    assert page["properties"]["Group"]["select"]["name"] == "urgent"


@pytest.mark.parametrize("changes", [{"rename": {"Nope": "New"}}, {"delete": ["Name"]}, {"retype": {"Name": "number"}}])
async def test_a_change_of_columns_that_makes_no_sense_is_refused(
    notion: AsyncClient, sandbox: Sandbox, changes: object
) -> None:
    before = await columns_of(notion)
    answer = await control(sandbox, "POST", f"/databases/{EMAIL_SEQUENCE_DB_ID}/columns", changes)
    assert answer.status_code == 400
    assert await columns_of(notion) == before


async def test_other_sites_have_no_hands(notion: AsyncClient, sandbox: Sandbox) -> None:
    page_id = (await create(notion, person()))["id"]
    answer = await control(sandbox, "DELETE", f"/pages/{page_id}", origin="https://example.com")
    assert answer.status_code == 403
    assert (await notion.pages.retrieve(page_id))["id"] == page_id


async def test_a_token_that_may_only_read_writes_nothing(notion: AsyncClient, sandbox: Sandbox) -> None:
    made = await create(notion, person())
    sandbox.options = SandboxOptions(notion_rate=None, notion_read_only=True)
    assert names(await query(notion)) == ["Ann"]
    assert (await notion.pages.retrieve(made["id"]))["id"] == made["id"]

    writes: list[Any] = [
        create(notion, person("Ben")),
        notion.pages.update(page_id=made["id"], in_trash=True),
        notion.databases.create(parent={"type": "page_id", "page_id": NOBODY}),
        notion.data_sources.update(data_source_id=SOURCE, properties={}),
        notion.blocks.children.append(block_id=made["id"], children=[]),
    ]
    for write in writes:
        with pytest.raises(APIResponseError) as caught:
            await write
        assert (caught.value.status, caught.value.code.value) == (403, "restricted_resource")
