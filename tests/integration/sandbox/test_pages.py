"""The sandbox's page of the Notion tables, by the forms a browser would send."""

from collections.abc import AsyncIterator

import httpx
import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError

from services.sandbox.app import Sandbox
from services.sandbox.notion_model import PERSON_ID
from tests.integration.sandbox.kit import NOBODY, SOURCE, create, make_related, names, person, query, text

HOSTILE = "<img src=x onerror=alert(1)>\"'"


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"origin": sandbox.url}) as client:
        yield client


def column(sandbox: Sandbox, name: str) -> str:
    found = sandbox.state.store.notion.sources[SOURCE].column(name)
    assert found is not None
    return found.id


async def test_a_tick_in_the_table_comes_back_to_its_box(
    notion: AsyncClient, sandbox: Sandbox, browser: httpx.AsyncClient
) -> None:
    page_id, box = (await create(notion, person()))["id"], column(sandbox, "Assessment Completed")
    for value, expected in (("yes", True), ("no", False)):
        answer = await browser.post(f"/notion/rows/{page_id}", data={"back": "table", f"cell.{box}": value})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/notion#{page_id}.{box}")
        page = await notion.pages.retrieve(page_id)
        assert page["properties"]["Assessment Completed"]["checkbox"] is expected
    assert page["last_edited_by"]["id"] == PERSON_ID
    assert f'id="{page_id}.{box}"' in (await browser.get("/notion")).text


async def test_a_row_is_edited_on_its_page(notion: AsyncClient, sandbox: Sandbox, browser: httpx.AsyncClient) -> None:
    page_id = (await create(notion, person()))["id"]
    typed = {"First Name": "Ada", "Assessment Score": "62.5", "Signup Date": "2026-11-20"}
    form = {f"cell.{column(sandbox, name)}": value for name, value in typed.items()}
    form |= {f"was.{column(sandbox, name)}": "" for name in typed} | {f"new.{column(sandbox, 'Segment')}": "calm"}
    form[f"was.{column(sandbox, 'Segment')}"] = ""
    answer = await browser.post(f"/notion/rows/{page_id}", data=form)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/notion/rows/{page_id}")
    (row,) = sandbox.notion_rows()["Email Sequence"]
    assert [row[name] for name in (*typed, "Segment", "Name")] == ["Ada", 62.5, "2026-11-20", "calm", "Ann"]
    assert "by a person" in (await browser.get(f"/notion/rows/{page_id}")).text


async def test_what_a_column_does_not_take_is_said_on_the_page(
    notion: AsyncClient, sandbox: Sandbox, browser: httpx.AsyncClient
) -> None:
    page_id, score = (await create(notion, person()))["id"], column(sandbox, "Assessment Score")
    answer = await browser.post(f"/notion/rows/{page_id}", data={f"cell.{score}": HOSTILE})
    assert answer.status_code == 400
    assert "should be a number" in answer.text
    assert "<img src=x" not in answer.text


async def test_a_row_is_trashed_restored_and_deleted_on_its_page(
    notion: AsyncClient, browser: httpx.AsyncClient
) -> None:
    page_id = (await create(notion, person()))["id"]
    await browser.post(f"/notion/rows/{page_id}/trash")
    assert "Restore" in (await browser.get(f"/notion/rows/{page_id}")).text
    assert names(await query(notion)) == []
    await browser.post(f"/notion/rows/{page_id}/restore")
    assert names(await query(notion)) == ["Ann"]

    answer = await browser.post(f"/notion/rows/{page_id}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/notion#table-{SOURCE}")
    assert (await browser.get(f"/notion/rows/{page_id}")).status_code == 404
    with pytest.raises(APIResponseError):
        await notion.pages.retrieve(page_id)


async def test_a_table_is_emptied_and_its_columns_renamed(
    notion: AsyncClient, sandbox: Sandbox, browser: httpx.AsyncClient
) -> None:
    await create(notion, person())
    segment = column(sandbox, "Segment")
    renamed = await browser.post(f"/notion/tables/{SOURCE}/rename", data={"old": segment, "new": "Group"})
    taken = await browser.post(f"/notion/tables/{SOURCE}/rename", data={"old": segment, "new": "Email"})
    assert (renamed.status_code, taken.status_code) == (303, 400)
    assert column(sandbox, "Group") == segment

    await browser.post(f"/notion/tables/{SOURCE}/clear", data={"trash": "yes"})
    assert [row["in_trash"] for row in sandbox.notion_rows()["Email Sequence"]] == [True]
    await browser.post(f"/notion/tables/{SOURCE}/clear")
    assert sandbox.notion_rows()["Email Sequence"] == []
    assert (await browser.post(f"/notion/tables/{NOBODY}/clear")).status_code == 400


@pytest.mark.parametrize("path", ["", "/trash", "/restore", "/delete"])
@pytest.mark.parametrize("origin", ["https://example.com", "null"])
async def test_forms_of_other_sites_are_refused(
    notion: AsyncClient, browser: httpx.AsyncClient, path: str, origin: str
) -> None:
    page_id = (await create(notion, person()))["id"]
    before = await notion.pages.retrieve(page_id)
    answer = await browser.post(f"/notion/rows/{page_id}{path}", headers={"origin": origin})
    assert answer.status_code == 403
    assert (await notion.pages.retrieve(page_id)) | {"request_id": ""} == before | {"request_id": ""}


async def test_browsers_are_told_to_name_us_as_the_origin_of_our_own_forms(browser: httpx.AsyncClient) -> None:
    policy = (await browser.get("/notion")).headers["referrer-policy"]
    assert policy == "same-origin"


async def test_everything_is_escaped(notion: AsyncClient, sandbox: Sandbox, browser: httpx.AsyncClient) -> None:
    sandbox.person.add_columns(SOURCE, {HOSTILE: "rich_text"})
    properties = {"Name": {"title": text(HOSTILE)}, "Segment": {"select": {"name": HOSTILE}}}
    made = await create(notion, properties | {HOSTILE: {"rich_text": text(f"</textarea>{HOSTILE}")}})
    source = await make_related(notion)
    related = {"Customer": {"relation": [{"id": made["id"]}]}}
    letter = await notion.pages.create(parent={"data_source_id": source}, properties=related)
    for path in ("/notion", f"/notion/rows/{made['id']}", f"/notion/rows/{letter['id']}"):
        shown = (await browser.get(path)).text
        assert "&lt;img" in shown
        assert "<img src=x" not in shown


async def test_five_tables_and_25_columns_are_shown_with_names_for_relations(
    notion: AsyncClient, sandbox: Sandbox, browser: httpx.AsyncClient
) -> None:
    made = await create(notion, person())
    related = {"Customer": {"relation": [{"id": made["id"]}]}}
    letter = await notion.pages.create(parent={"data_source_id": await make_related(notion)}, properties=related)
    await make_related(notion)
    await make_related(notion)
    sandbox.person.add_columns(SOURCE, {f"More {number}": "number" for number in range(3)})

    shown = (await browser.get("/notion")).text
    assert shown.count('<section id="table-') == 5
    assert "25 columns" in shown
    assert '<td class="relation">Ann</td>' in shown
    assert f'href="/notion/rows/{made["id"]}">Ann</a>' in (await browser.get(f"/notion/rows/{letter['id']}")).text
