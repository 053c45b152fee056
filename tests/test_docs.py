"""What the pages say exists, exists: tests, files, headings, and a place on the site."""

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.notifier.observe import QUESTIONS
from services.notifier.watch import BROKER_AWAY
from services.settings import ROOT

PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`[^`]+`")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
OF_A_MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|Users|tmp)\b[^\s`)]*")


@cache
def prose(page: Path) -> str:
    """Without blocks of code: what stands there is no link and no heading."""
    return FENCED.sub("", page.read_text())


@cache
def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, hyphens for blanks, a number after one that was there."""
    found: list[str] = []
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return {f"{each}-{found[:at].count(each)}" if each in found[:at] else each for at, each in enumerate(found)}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Where each link within the repository goes, and to which heading."""
    for name, anchor in LINK.findall(INLINE.sub("", prose(page))):
        yield ((page.parent / name).resolve() if name else page), anchor


@cache
def defined() -> set[str]:
    found = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    return found


@EACH_PAGE
def test_every_test_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\b(test_[a-z0-9_]+)\b", page.read_text()))
    assert named <= defined()


@EACH_PAGE
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = [str(file) for file, _ in links(page) if not file.exists()]
    wrong = [f"{file.name}#{anchor}" for file, anchor in links(page) if file.exists() and not has(file, anchor)]
    assert (missing, wrong) == ([], [])


def has(file: Path, anchor: str) -> bool:
    return not anchor or file.suffix != ".md" or anchor in anchors(file)


@EACH_PAGE
def test_every_file_a_page_names_exists(page: Path) -> None:
    """`deploy/compose.yml` and the like, where they are no link."""
    named = re.findall(
        r"`((?:deploy|docs|campaigns|contracts|journey|eventlog|services|cli|tests)/[\w./@-]+)`", page.read_text()
    )
    made_by_readers = {"deploy/.env"}
    assert [name for name in named if name not in made_by_readers and not exists(name)] == []


def exists(name: str) -> bool:
    """A file, or something in a module: `journey/late.hurried`."""
    return (ROOT / name).exists() or (ROOT / name).with_suffix(".py").exists()


@EACH_PAGE
def test_no_page_knows_the_machine_it_was_written_on(page: Path) -> None:
    assert OF_A_MACHINE.findall(page.read_text()) == []


@EACH_PAGE
def test_a_list_of_what_is_on_a_page_is_complete(page: Path) -> None:
    sections = re.findall(r"^## (.+)$", prose(page), re.MULTILINE)
    listed = re.findall(r"^- \[(.+?)\]\(#[^)]+\)$", prose(page), re.MULTILINE)
    assert listed in ([], sections)


def test_the_site_has_every_page_and_its_menu_lists_each() -> None:
    site = laying_out()
    there = {name.as_posix() for name in site.pages().values()}
    assert set(site.in_the_menu()) == there
    assert len(there) == len(PAGES)


def laying_out() -> Any:
    spec = importlib.util.spec_from_file_location("site_of_docs", ROOT / "docs" / "site.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", ["lib/dripstream.ts", "app/api/assessment/route.ts"])
def test_the_page_for_websites_shows_the_code_that_is_tested(file: str) -> None:
    blocks = re.findall(r"^```ts\n(.*?)^```$", (ROOT / "docs/website.md").read_text(), re.MULTILINE | re.DOTALL)
    assert (ROOT / "examples/website" / file).read_text() in blocks


def test_the_page_of_the_notifier_has_every_alert_and_no_other() -> None:
    table = (ROOT / "docs" / "notifier.md").read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    rows = [re.findall(r"`([\w.-]+)`", cell) for cell in re.findall(r"^\| (`[A-Z].+?) \|", table, re.MULTILINE)]
    named = {row[0].partition(".")[0] + name if name.startswith(".") else name for row in rows for name in row}
    assert named == {*QUESTIONS, BROKER_AWAY}
