"""The columns, and the page that tells people of them."""

import re

import pytest

from services.notion_sync.schema import BUSINESSX, COLUMNS, DATABASES, EMAIL_SEQUENCE, Database, definitions
from services.settings import ROOT

PAGE = (ROOT / "docs" / "notion.md").read_text().partition("## The databases and their columns")[2]
PERSON, ONLY_SEQUENCE, ONLY_BUSINESSX, *OTHERS = re.split(r"\n(?:Only in|\*\*)", PAGE)[1:]


def documented(database: Database) -> dict[str, str]:
    if database in {EMAIL_SEQUENCE, BUSINESSX}:
        return _columns(PERSON + (ONLY_SEQUENCE if database == EMAIL_SEQUENCE else ONLY_BUSINESSX))
    return _columns(next(each for each in OTHERS if each.startswith(database)))


def _columns(text: str) -> dict[str, str]:
    rows = re.findall(r"^\| ([^|]+) \| (\w+)[^|]* \|", text, re.MULTILINE)
    return {name: kind for names, kind in rows if kind != "Type" for name in names.split(", ")}


@pytest.mark.parametrize("database", DATABASES)
def test_every_column_is_documented_with_its_type(database: Database) -> None:
    assert documented(database) == COLUMNS[database]


@pytest.mark.parametrize("database", DATABASES)
def test_a_database_has_one_title(database: Database) -> None:
    assert list(COLUMNS[database].values()).count("title") == 1
    assert definitions(database, customers="people").keys() == COLUMNS[database].keys()
