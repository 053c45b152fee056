"""docs/settings.md is a table of exactly what `services/settings.py` reads, with the defaults it has."""

import re
from typing import Any

import pytest

from services.settings import ROOT, Settings, secret_variables
from tests.test_env_example import NAMED

PAGE = (ROOT / "docs" / "settings.md").read_text()
ROWS = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
FIELDS = {str(field.alias): field for field in Settings.model_fields.values()}


def shown(value: Any) -> str:
    """As the table has it. The folder of campaigns is in the checkout, wherever that is."""
    if value in (None, ()):
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{str(value).removeprefix(f'{ROOT}/')}`"


def test_every_setting_is_in_the_table_once_and_nothing_else_is() -> None:
    assert sorted(name for name, _, _ in ROWS) == sorted(FIELDS)


def test_the_table_and_the_example_name_the_same() -> None:
    files = {f"{name}_FILE" for name in secret_variables()}
    assert {name for name, _, _ in ROWS} == (NAMED & (set(FIELDS) | files)) - files


@pytest.mark.parametrize(("name", "default", "meaning"), ROWS, ids=[name for name, _, _ in ROWS])
def test_a_row_tells_the_default_and_whether_it_is_a_secret(name: str, default: str, meaning: str) -> None:
    assert default == shown(FIELDS[name].get_default())
    assert meaning.startswith("secret;") == (name in secret_variables())
