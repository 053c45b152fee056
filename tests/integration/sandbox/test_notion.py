"""The Notion stand-in, through the real client over HTTP."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError, HTTPResponseError, UnknownHTTPResponseError

from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.options import UNLIMITED, SandboxOptions
from services.sandbox.seed import BUSINESSX_DB_ID, EMAIL_SEQUENCE_DB_ID
from tests.integration.sandbox.kit import (
    NOBODY,
    SOURCE,
    Clock,
    create,
    make_database,
    names,
    person,
    query,
    text,
)


async def test_the_two_databases_are_there_with_their_columns(notion: AsyncClient) -> None:
    database = await notion.databases.retrieve(EMAIL_SEQUENCE_DB_ID)
    assert [each["name"] for each in database["data_sources"]] == ["Email Sequence"]
    source = await notion.data_sources.retrieve(database["data_sources"][0]["id"])
    kinds = {name: column["type"] for name, column in source["properties"].items()}
    assert (kinds["Name"], kinds["Email 7 Sent"], kinds["Segment"]) == ("title", "date", "select")

    other = await notion.databases.retrieve(BUSINESSX_DB_ID.replace("-", ""))
    columns = (await notion.data_sources.retrieve(other["data_sources"][0]["id"]))["properties"]
    assert columns["Revenue Leak Total"]["type"] == "number"


async def test_a_page_reads_back_as_it_was_written(notion: AsyncClient, sandbox: Sandbox) -> None:
    written = person(
        **{
            "Assessment Score": {"number": 62.5},
            "Segment": {"select": {"name": "urgent"}},
            "Signup Date": {"date": {"start": "2026-11-20"}},
            "Email 1 Sent": {"date": {"start": "2026-11-20T10:00:00Z"}},
            "Assessment Completed": {"checkbox": True},
        }
    )
    made = await create(notion, written)
    page = await notion.pages.retrieve(made["id"].replace("-", ""))

    assert page["properties"] == made["properties"]
    assert page["properties"]["Email 1 Sent"]["date"]["start"] == "2026-11-20T10:00:00.000+00:00"
    assert page["created_time"] == "2026-11-20T10:00:00.000Z"
    (row,) = sandbox.notion_rows()["Email Sequence"]
    assert (row["Email"], row["Segment"], row["Assessment Score"]) == ("ann@example.com", "urgent", 62.5)
    assert (row["Sequence Completed"], row["Campaign"]) == (False, None)


async def test_an_update_changes_only_what_it_names(notion: AsyncClient, sandbox: Sandbox) -> None:
    made = await create(notion, person())
    by_id = made["properties"]["Assessment Score"]["id"]
    await notion.pages.update(page_id=made["id"], properties={by_id: {"number": 7}})

    (row,) = sandbox.notion_rows()["Email Sequence"]
    assert (row["Name"], row["Assessment Score"]) == ("Ann", 7)


async def refused(notion: AsyncClient, properties: object) -> APIResponseError:
    with pytest.raises(APIResponseError) as caught:
        await create(notion, properties)
    assert (caught.value.status, caught.value.code.value) == (400, "validation_error")
    return caught.value


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Nmae": {"title": text("Ann")}}, "Nmae is not a property that exists."),
        ({"Email": {"rich_text": text("ann@example.com")}}, "Email is expected to be email."),
        ({"Assessment Score": {"number": "62"}}, "should be a number or `null`"),
        ({"Assessment Completed": {"checkbox": "yes"}}, "should be a boolean"),
        ({"Email": {"email": ""}}, "should be a non-empty string"),
        ({"Email": {"email": "a" * 201}}, "Email.email.length should be ≤ `200`, instead was `201`"),
        ({"Segment": {"select": {"name": "a, b"}}}, "commas not allowed"),
        ({"Signup Date": {"date": {"start": "20th of May"}}}, "should be a valid ISO 8601 date string"),
        ({"Name": {"title": [text("a")[0]] * 101}}, "Name.title.length should be ≤ `100`"),
    ],
)
async def test_what_notion_refuses_is_refused_and_nothing_is_written(
    notion: AsyncClient, sandbox: Sandbox, properties: dict[str, object], message: str
) -> None:
    error = await refused(notion, person(**properties))
    assert message in str(error)
    assert error.request_id
    assert sandbox.notion_rows()["Email Sequence"] == []


async def test_too_long_a_text_is_refused_in_notions_words(notion: AsyncClient) -> None:
    error = await refused(notion, {"Name": {"title": text("x" * 2001)}})
    assert str(error) == (
        "body failed validation: body.properties.Name.title[0].text.content.length "
        "should be ≤ `2000`, instead was `2001`."
    )


async def test_one_problem_is_reported_at_a_time(notion: AsyncClient) -> None:
    error = await refused(notion, {"Wrong": {"number": 1}, "Also wrong": {"number": 2}})
    assert "Also" not in str(error)


async def test_a_missing_select_option_is_made_for_ever(notion: AsyncClient) -> None:
    await create(notion, person(Segment={"select": {"name": "Critcal"}}))
    made = await create(notion, person("Ben", Segment={"select": {"name": "Critcal"}}))
    await notion.pages.update(page_id=made["id"], properties={"Segment": {"select": None}})

    column = (await notion.data_sources.retrieve(SOURCE))["properties"]["Segment"]
    assert [option["name"] for option in column["select"]["options"]] == ["Critcal"]


async def test_a_missing_status_option_is_refused(notion: AsyncClient) -> None:
    columns: dict[str, object] = {"Stage": {"status": {}}, "Made": {"created_time": {}}}
    await notion.data_sources.update(data_source_id=SOURCE, properties=columns)

    assert "does not exist" in str(await refused(notion, person(Stage={"status": {"name": "Nope"}})))
    assert "cannot be written" in str(await refused(notion, person(Made={"created_time": "2026-11-20"})))
    page = await create(notion, person(Stage={"status": None}))
    assert page["properties"]["Stage"]["status"]["name"] == "Not started"
    assert page["properties"]["Made"]["created_time"] == "2026-11-20T10:00:00.000Z"


async def test_filters_find_by_column_and_combine(notion: AsyncClient) -> None:
    for name, score in (("Ann", 10), ("Ben", 20), ("Cleo", 30)):
        await create(notion, person(name, **{"Assessment Score": {"number": score}}))
    ann = {"property": "Email", "email": {"equals": "ann@example.com"}}
    high = {"property": "Assessment Score", "number": {"greater_than": 15}}
    no_segment = {"property": "Segment", "select": {"is_empty": True}}

    assert names(await query(notion, filter=ann)) == ["Ann"]
    assert names(await query(notion, filter={"and": [high, no_segment]})) == ["Ben", "Cleo"]
    assert names(await query(notion, filter={"or": [ann, {"and": [high]}]})) == ["Ann", "Ben", "Cleo"]
    sorts = [{"property": "Assessment Score", "direction": "descending"}]
    assert names(await query(notion, sorts=sorts)) == ["Cleo", "Ben", "Ann"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"property": "Nmae", "title": {"equals": "Ann"}},
        {"property": "Name", "email": {"equals": "Ann"}},
        {"property": "Name", "title": {"like": "Ann"}},
        {"property": "Assessment Score", "number": {"equals": "7"}},
        {"and": [{"or": [{"and": [{"property": "Name", "title": {"equals": "Ann"}}]}]}]},
    ],
)
async def test_a_wrong_filter_is_refused_even_without_rows(notion: AsyncClient, wrong: object) -> None:
    with pytest.raises(APIResponseError) as caught:
        await query(notion, filter=wrong)
    assert caught.value.code.value == "validation_error"


async def test_results_come_in_pages(notion: AsyncClient) -> None:
    for number in range(5):
        await create(notion, person(f"P{number}"))
    first = await query(notion, page_size=3)
    rest = await query(notion, page_size=3, start_cursor=first["next_cursor"])

    assert (names(first), first["has_more"]) == (["P0", "P1", "P2"], True)
    assert (names(rest), rest["has_more"], rest["next_cursor"]) == (["P3", "P4"], False, None)
    with pytest.raises(APIResponseError):
        await query(notion, page_size=101)


async def test_a_page_in_the_trash_is_retrieved_but_not_found_by_query(notion: AsyncClient) -> None:
    made = await create(notion, person())
    await notion.pages.update(page_id=made["id"], archived=True)

    page = await notion.pages.retrieve(made["id"])
    assert (page["archived"], page["in_trash"]) == (True, True)
    assert names(await query(notion)) == []
    await notion.pages.update(page_id=made["id"], in_trash=False)
    assert names(await query(notion)) == ["Ann"]


async def test_an_unknown_page_is_not_found(notion: AsyncClient) -> None:
    with pytest.raises(APIResponseError) as caught:
        await notion.pages.retrieve(NOBODY)
    assert (caught.value.status, caught.value.code.value) == (404, "object_not_found")


async def test_a_query_may_miss_a_page_that_retrieve_sees(notion: AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
    sandbox.options = SandboxOptions(resend_rate=None, notion_rate=None, notion_query_lag_s=5)
    made = await create(notion, person())
    assert names(await query(notion)) == []
    assert (await notion.pages.retrieve(made["id"]))["id"] == made["id"]

    clock.now += timedelta(seconds=5)
    assert names(await query(notion)) == ["Ann"]


async def test_token_and_version_are_required(sandbox: Sandbox) -> None:
    token, version = {"authorization": "Bearer ntn_test"}, {"notion-version": "2025-09-03"}
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/v1") as client:
        answers = [
            await client.get("/users/me", headers=version),
            await client.get("/users/me", headers=token),
            await client.get("/users/me", headers=token | {"notion-version": "2022-06-28"}),
            await client.get("/nothing", headers=token | version),
            await client.post("/pages", headers=token | version, content=b"{"),
        ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (401, "unauthorized"),
        (400, "missing_version"),
        (400, "validation_error"),
        (400, "invalid_request_url"),
        (400, "invalid_json"),
    ]


async def test_a_burst_passes_and_then_the_average_holds(notion: AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
    sandbox.options = SandboxOptions(notion_rate=3, notion_burst=2)
    await notion.users.me()
    await notion.users.me()
    with pytest.raises(APIResponseError) as caught:
        await notion.users.me()
    assert (caught.value.code.value, caught.value.headers["retry-after"]) == ("rate_limited", "1")

    clock.now += timedelta(seconds=1)
    await notion.users.me()


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "conflict_error"), (429, "rate_limited"), (503, "service_unavailable"), (529, None)],
)
async def test_planned_trouble_looks_like_notions(
    notion: AsyncClient, sandbox: Sandbox, status: Any, code: str | None
) -> None:
    sandbox.add_fault(Fault(api="notion", action="status", status=status, match=Match(path="/v1/pages*")))
    await notion.users.me()
    with pytest.raises(HTTPResponseError) as caught:
        await create(notion, person())

    assert caught.value.status == status
    # The client does not know 529 and reports it as a response it cannot read.
    assert isinstance(caught.value, UnknownHTTPResponseError) == (code is None)
    assert code is None or caught.value.code == code


async def test_a_create_that_times_out_after_accepting_made_the_page(notion: AsyncClient, sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault(api="notion", action="timeout_after_accept", match=Match(method="POST")))
    with pytest.raises(httpx.TransportError):
        await create(notion, person())
    assert len(sandbox.notion_rows()["Email Sequence"]) == 1


async def test_pages_survive_a_restart_in_order(tmp_path: Path) -> None:
    for name in ("Ann", "Ben"):
        async with (
            Sandbox(database=tmp_path / "sandbox.db", options=UNLIMITED) as running,
            AsyncClient(auth="ntn_test", base_url=running.url) as client,
        ):
            await create(client, person(name, Segment={"select": {"name": "urgent"}}))
            found = await query(client)
    assert names(found) == ["Ann", "Ben"]


async def test_a_database_can_be_made_and_its_columns_changed(notion: AsyncClient) -> None:
    made = await make_database(notion, {"Name": {"title": {}}, "Phase": {"select": {}}})
    source_id = made["data_sources"][0]["id"]
    changes: dict[str, object] = {"Phase": {"name": "Stage"}, "Email": {"email": {}}}
    changed = await notion.data_sources.update(data_source_id=source_id, properties=changes)
    assert list(changed["properties"]) == ["Name", "Stage", "Email"]

    await notion.pages.create(parent={"database_id": made["id"]}, properties=person())
    removed = await notion.data_sources.update(data_source_id=source_id, properties={"Stage": None})
    assert list(removed["properties"]) == ["Name", "Email"]
    with pytest.raises(APIResponseError):
        await notion.data_sources.update(data_source_id=source_id, properties={"Name": None})


async def test_a_database_id_is_no_parent_once_there_are_two_sources(notion: AsyncClient) -> None:
    await notion.data_sources.create(
        parent={"database_id": EMAIL_SEQUENCE_DB_ID}, title=text("Second"), properties={"Name": {"title": {}}}
    )
    with pytest.raises(APIResponseError):
        await notion.pages.create(parent={"database_id": EMAIL_SEQUENCE_DB_ID}, properties=person())


async def test_blocks_are_appended_and_listed(notion: AsyncClient) -> None:
    made = await create(notion, person())
    block = {"type": "paragraph", "paragraph": {"rich_text": text("Called on Monday")}}
    await notion.blocks.children.append(block_id=made["id"], children=[block])

    listed = await notion.blocks.children.list(block_id=made["id"])
    assert listed["results"][0]["paragraph"]["rich_text"][0]["plain_text"] == "Called on Monday"


async def test_the_page_shows_the_tables_escaped(notion: AsyncClient, sandbox: Sandbox) -> None:
    await create(notion, {"Name": {"title": text("<img src=x>")}})
    async with httpx.AsyncClient(base_url=sandbox.url) as browser:
        page = (await browser.get("/notion")).text
    assert "&lt;img src=x&gt;" in page
    assert "BusinessX Canada" in page
