"""What the pages say exists, exists."""

import re
from pathlib import Path

import pytest

from services.settings import ROOT

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def defined() -> set[str]:
    found = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\b(test_[a-z0-9_]+)\b", page.read_text()))
    assert named <= defined()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|mailto:|#)([^)#\s]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("file", ["lib/dripstream.ts", "app/api/assessment/route.ts"])
def test_the_page_for_websites_shows_the_code_that_is_tested(file: str) -> None:
    blocks = re.findall(r"^```ts\n(.*?)^```$", (ROOT / "docs/website.md").read_text(), re.MULTILINE | re.DOTALL)
    assert (ROOT / "examples/website" / file).read_text() in blocks
