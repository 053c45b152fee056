"""Ids of Notion in any spelling."""

import pytest

from services.notion_sync.ids import database_id, page_id

BARE = "5a9d1c00000040008000000000000b12"
DASHED = "5a9d1c00-0000-4000-8000-000000000b12"
OTHER = "deadbeefdeadbeefdeadbeefdeadbeef"

EITHER = [
    BARE,
    DASHED,
    BARE.upper(),
    DASHED.upper(),
    f"  {BARE}\n",
    f"https://www.notion.so/{BARE}",
    f"https://www.notion.so/acme/Our-Work-{BARE}",
    f"https://www.notion.so/acme/Our-Work-{BARE}/",
    f"https://www.notion.so/acme/{BARE}?v={OTHER}&pvs=4",
    f"https://notion.so/acme/{DASHED}?v={OTHER}",
    f"https://acme.notion.site/Our-Work-{BARE}",
    f"https://app.notion.com/p/acme/Our-Work-{BARE}",
    f"notion://www.notion.so/acme/Our-Work-{BARE}",
    f"www.notion.so/acme/Our-Work-{BARE}?v={OTHER}",
    f"https://www.notion.so/acme/Our-Work-{BARE}#{OTHER}",
    f"https://www.notion.so/acme/{OTHER}-{BARE}?v={OTHER}",
    f"https://www.notion.so/acme/Commit-{OTHER}-{BARE}",
    f"https://www.notion.so/{OTHER}/{BARE}",
]
NEITHER = ["", "the contacts one", BARE[:-1], f"{BARE}0", f"https://example.com/{BARE}", f"https://notion.so.example.com/{BARE}",
           "https://www.notion.so/acme", "http://[", f"{BARE}-draft"]  # fmt: skip


@pytest.mark.parametrize("text", EITHER)
def test_any_spelling_of_an_id_is_understood(text: str) -> None:
    assert (page_id(text), database_id(text)) == (DASHED, DASHED)


@pytest.mark.parametrize("text", NEITHER)
def test_anything_else_is_no_id(text: str) -> None:
    assert (page_id(text), database_id(text)) == (None, None)


def test_a_page_open_beside_a_database_is_the_page_or_the_database_whichever_is_asked_for() -> None:
    link = f"https://www.notion.so/acme/{OTHER}?v={OTHER}&p={BARE}&pm=s"
    assert page_id(link) == DASHED
    assert str(database_id(link)).replace("-", "") == OTHER
