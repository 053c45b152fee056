"""What the tests of templates in Notion are written in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from notion_client import AsyncClient

from cli import templates as commands
from journey.campaign import Campaign, load_campaigns
from services.notion_sync.schema import TEMPLATES
from services.notion_sync.values import select, title, verbatim
from services.sandbox.app import Sandbox
from services.settings import Settings
from tests.factories import CAMPAIGN

TEAM = "00000000-0000-4000-8000-000000000000"
ONE = "christmas_email_1"
BODY = "Email Body HTML"


@dataclass(frozen=True)
class Office:
    """The files on one side, Notion on the other, and the commands between them."""

    settings: Settings
    sandbox: Sandbox
    notion: AsyncClient
    source: str

    @property
    def folder(self) -> Path:
        return self.settings.campaigns_dir / CAMPAIGN / "templates"

    def campaigns(self) -> dict[str, Campaign]:
        return load_campaigns(self.settings.campaigns_dir)

    def files(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in sorted(self.folder.iterdir())}

    async def push(self, *, force: bool = False, dry_run: bool = False) -> int:
        return await commands.push(self.settings, CAMPAIGN, force=force, dry_run=dry_run, as_json=True)

    async def pull(self, *, force: bool = False, dry_run: bool = False) -> int:
        return await commands.pull(self.settings, CAMPAIGN, force=force, dry_run=dry_run, as_json=True)

    async def diff(self) -> int:
        return await commands.diff(self.settings, CAMPAIGN, as_json=True)

    def rows(self) -> list[dict[str, Any]]:
        return list(self.sandbox.notion_rows()[TEMPLATES])

    def row(self, template: str = ONE) -> dict[str, Any]:
        [row] = [row for row in self.rows() if row["Template ID"] == template]
        return row

    async def page(self, template: str = ONE) -> str:
        found: Any = await self.notion.data_sources.query(
            self.source, filter={"property": "Template ID", "title": {"equals": template}}
        )
        return str(found["results"][0]["id"])

    async def edit(self, template: str = ONE, status: str | None = None, **texts: str) -> None:
        """By hand; `BODY` and the like with `_` for their spaces."""
        cells: dict[str, Any] = {name.replace("_", " "): verbatim(text) for name, text in texts.items()}
        if status:
            cells["Status"] = select(status)
        await self.notion.pages.update(await self.page(template), properties=cells)

    async def add(self, template: str = ONE, campaign: str = CAMPAIGN, status: str = "Published", **texts: str) -> None:
        cells = {name.replace("_", " "): verbatim(text) for name, text in texts.items()}
        cells |= {"Template ID": title(template), "Campaign": select(campaign), "Status": select(status)}
        await self.notion.pages.create(
            parent={"type": "data_source_id", "data_source_id": self.source}, properties=cells
        )

    async def trash(self, template: str = ONE) -> None:
        await self.notion.pages.update(await self.page(template), in_trash=True)

    def writes(self) -> list[str]:
        return [
            entry.method
            for entry in self.sandbox.requests()
            if entry.path.startswith("/v1/pages") and entry.method in {"POST", "PATCH"}
        ]


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """What a command said of each template, by name; log lines are for somebody else."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return {line["template"].partition("/")[2]: line for line in lines}


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {name: line["state"] for name, line in told(capsys).items()}
