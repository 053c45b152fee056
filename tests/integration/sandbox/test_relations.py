"""Relation columns of the Notion stand-in, through the real client over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from notion_client import AsyncClient
from notion_client.errors import APIResponseError

from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from services.sandbox.seed import EMAIL_SEQUENCE_DB_ID
from tests.integration.sandbox.kit import NOBODY, SOURCE, create, make_database, make_related, names, person, text


async def letter(notion: AsyncClient, source: str, *customers: str, name: str = "Letter") -> Any:
    related = {"relation": [{"id": each} for each in customers]}
    properties = {"Name": {"title": text(name)}, "Customer": related}
    return await notion.pages.create(parent={"data_source_id": source}, properties=properties)


async def test_a_relation_column_names_its_data_source_and_database(notion: AsyncClient) -> None:
    source = await make_related(notion)
    column = (await notion.data_sources.retrieve(source))["properties"]["Customer"]
    assert column["relation"] == {
        "database_id": EMAIL_SEQUENCE_DB_ID,
        "data_source_id": SOURCE,
        "type": "single_property",
        "single_property": {},
    }


async def test_a_relation_column_can_be_added_to_a_table(notion: AsyncClient) -> None:
    made = await make_database(notion, {"Name": {"title": {}}})
    target = {"data_source_id": SOURCE, "single_property": {}}
    added = await notion.data_sources.update(
        data_source_id=made["data_sources"][0]["id"], properties={"Customer": {"relation": target}}
    )
    assert added["properties"]["Customer"]["type"] == "relation"


@pytest.mark.parametrize(
    ("target", "status", "code", "message"),
    [
        ({"data_source_id": NOBODY, "single_property": {}}, 404, "object_not_found", "data source"),
        ({"database_id": EMAIL_SEQUENCE_DB_ID, "single_property": {}}, 400, "validation_error", "data_source_id"),
        ({"data_source_id": SOURCE}, 400, "validation_error", "single_property should be defined"),
        ({"data_source_id": SOURCE, "dual_property": {}}, 400, "validation_error", "sandbox does not do"),
    ],
)
async def test_a_relation_column_to_nowhere_is_refused(
    notion: AsyncClient, target: object, status: int, code: str, message: str
) -> None:
    with pytest.raises(APIResponseError, match=message) as caught:
        await make_database(notion, {"Name": {"title": {}}, "Customer": {"relation": target}})
    assert (caught.value.status, caught.value.code.value) == (status, code)


async def test_a_relation_reads_back_and_is_found_by_filter(notion: AsyncClient, sandbox: Sandbox) -> None:
    source, ann, ben = await make_related(notion), await create(notion, person()), await create(notion, person("Ben"))
    made = await letter(notion, source, ann["id"].replace("-", ""), ben["id"], name="Both")
    await letter(notion, source, ben["id"], name="Only Ben")
    await letter(notion, source, name="Nobody")

    cell = made["properties"]["Customer"]
    assert cell["relation"] == [{"id": ann["id"]}, {"id": ben["id"]}]
    assert cell["has_more"] is False
    assert [row["Customer"] for row in sandbox.notion_rows()["Letters"]] == [[ann["id"], ben["id"]], [ben["id"]], []]
    for condition, expected in (
        ({"contains": ann["id"]}, ["Both"]),
        ({"does_not_contain": ann["id"]}, ["Only Ben", "Nobody"]),
        ({"is_empty": True}, ["Nobody"]),
    ):
        found = await notion.data_sources.query(
            data_source_id=source, filter={"property": "Customer", "relation": condition}
        )
        assert names(found) == expected


async def test_a_relation_to_a_page_that_is_not_there_is_refused(notion: AsyncClient, sandbox: Sandbox) -> None:
    source = await make_related(notion)
    with pytest.raises(APIResponseError) as caught:
        await letter(notion, source, NOBODY)
    assert caught.value.code.value == "object_not_found"

    elsewhere = await letter(notion, source)
    with pytest.raises(APIResponseError, match="not in the data source") as caught:
        await letter(notion, source, elsewhere["id"])
    assert caught.value.code.value == "validation_error"
    assert len(sandbox.notion_rows()["Letters"]) == 1


async def test_a_page_deleted_for_good_leaves_the_relations_to_it(notion: AsyncClient, sandbox: Sandbox) -> None:
    source, ann, ben = await make_related(notion), await create(notion, person()), await create(notion, person("Ben"))
    await letter(notion, source, ann["id"], ben["id"])
    sandbox.person.delete(ann["id"])
    assert [row["Customer"] for row in sandbox.notion_rows()["Letters"]] == [[ben["id"]]]


async def test_relations_and_deletions_survive_a_restart(tmp_path: Path) -> None:
    async with (
        Sandbox(database=tmp_path / "sandbox.db", options=UNLIMITED) as running,
        AsyncClient(auth="ntn_test", base_url=running.url) as client,
    ):
        source, ann, ben = (
            await make_related(client),
            await create(client, person()),
            await create(client, person("Ben")),
        )
        await letter(client, source, ann["id"], ben["id"])
        running.person.delete(ann["id"])
    async with Sandbox(database=tmp_path / "sandbox.db") as running:
        assert [row["Name"] for row in running.notion_rows()["Email Sequence"]] == ["Ben"]
        assert [row["Customer"] for row in running.notion_rows()["Letters"]] == [[ben["id"]]]
