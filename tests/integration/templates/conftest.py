"""A stand-in for Notion with the database Email Templates, campaigns in a folder, and a person who edits."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from notion_client import AsyncClient

from services.notion_sync.schema import TEMPLATES, definitions
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from services.settings import ROOT, Settings
from tests.integration.templates.kit import TEAM, Office


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as running:
        yield running


@pytest.fixture
async def notion(sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(auth="ntn_test", base_url=sandbox.url, retry=False) as client:
        yield client


@pytest.fixture
async def office(sandbox: Sandbox, notion: AsyncClient, tmp_path: Path) -> Office:
    campaigns = tmp_path / "campaigns"
    shutil.copytree(ROOT / "campaigns", campaigns)
    made: Any = await notion.databases.create(
        parent={"type": "page_id", "page_id": TEAM},
        title=[{"text": {"content": TEMPLATES}}],
        initial_data_source={"properties": definitions(TEMPLATES, customers="")},
    )
    settings = Settings.load(
        notion_token="ntn_test",
        notion_api_url=sandbox.url,
        notion_rate_limit=1_000,
        notion_email_templates_db_id=made["id"],
        campaigns_dir=campaigns,
    )
    return Office(settings, sandbox, notion, made["data_sources"][0]["id"])
