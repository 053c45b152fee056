"""Rows of the seeded table "Email Sequence", written and read through the API."""

from datetime import UTC, datetime
from typing import Any

from notion_client import AsyncClient

from services.sandbox.seed import EMAIL_SEQUENCE_DATA_SOURCE_ID

START = datetime(2026, 11, 20, 10, 0, 30, tzinfo=UTC)
SOURCE = EMAIL_SEQUENCE_DATA_SOURCE_ID
NOBODY = "00000000-0000-4000-8000-000000000000"


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


def text(content: str) -> list[dict[str, object]]:
    return [{"text": {"content": content}}]


def person(name: str = "Ann", /, **properties: object) -> dict[str, object]:
    mail = f"{name.lower()}@example.com"
    return {"Name": {"title": text(name)}, "Email": {"email": mail}, **properties}


async def create(notion: AsyncClient, properties: object) -> Any:
    return await notion.pages.create(parent={"data_source_id": SOURCE}, properties=properties)


async def query(notion: AsyncClient, **arguments: object) -> Any:
    return await notion.data_sources.query(data_source_id=SOURCE, **arguments)


def names(found: Any) -> list[str]:
    return [page["properties"]["Name"]["title"][0]["plain_text"] for page in found["results"]]


async def make_database(notion: AsyncClient, properties: object, parent: str = NOBODY, title: str = "Leads") -> Any:
    return await notion.databases.create(
        parent={"type": "page_id", "page_id": parent},
        title=text(title),
        initial_data_source={"properties": properties},
    )


async def make_related(notion: AsyncClient) -> str:
    """A table of letters, each related to a row of the seeded one; the id of its data source."""
    customer = {"relation": {"data_source_id": SOURCE, "type": "single_property", "single_property": {}}}
    made = await make_database(notion, {"Name": {"title": {}}, "Customer": customer}, title="Letters")
    return str(made["data_sources"][0]["id"])
