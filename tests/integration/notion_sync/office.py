"""A workspace with every database, and what stands in it."""

from collections.abc import Iterable
from typing import Any

from notion_client import AsyncClient

from services.notion_sync.databases import SETTINGS
from services.notion_sync.schema import ANALYTICS, BUSINESSX, QUEUE, TEMPLATES, Database, definitions
from services.sandbox.app import Sandbox
from services.sandbox.seed import BUSINESSX_DATA_SOURCE_ID

Cells = dict[str, Any]


async def make_databases(notion: AsyncClient, wanted: Iterable[Database] = (TEMPLATES, ANALYTICS, QUEUE)) -> Cells:
    """The optional ones beside those that are there, as settings."""
    made: Cells = {}
    for database in wanted:
        answer = await notion.databases.create(
            parent={"type": "page_id", "page_id": "5a9d1c00-0000-4000-8000-0000000ffffe"},
            title=[{"text": {"content": database}}],
            initial_data_source={"properties": definitions(database, customers=BUSINESSX_DATA_SOURCE_ID)},
        )
        made[SETTINGS[database]] = answer["id"]
    return made


def table(sandbox: Sandbox, database: Database) -> list[Cells]:
    return [dict(row) for row in sandbox.notion_rows()[database]]


def queue(sandbox: Sandbox) -> dict[str, Cells]:
    """By the last part of the email id: the step."""
    return {str(row["Key"]).rpartition(".")[2]: row for row in table(sandbox, QUEUE)}


def customer(sandbox: Sandbox) -> list[str]:
    """What points to the one person there is."""
    return [str(table(sandbox, BUSINESSX)[0]["id"])]
