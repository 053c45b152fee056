"""Rows of Email Templates: what they say, and how a template is shown in one without losing a character."""

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.templates import Template
from services.notion_sync.found import Found
from services.notion_sync.template_rows import by_hand, plain, properties, row_of, template_of, text_cell_of
from services.notion_sync.templates import verdict, withdrawn
from services.notion_sync.values import PIECES, verbatim
from tests.factories import CAMPAIGN
from tests.unit.journey.test_plan import campaign

ONE = campaign().templates["christmas_email_1"]


def found(**cells: Any) -> Found:
    shown = {**properties(CAMPAIGN, ONE), "Status": {"select": {"name": "Published"}}, **cells}
    return Found("page", False, datetime.now(UTC), "somebody", shown)


def text(content: str) -> dict[str, Any]:
    return {"rich_text": [{"plain_text": content}]}


def test_a_template_shown_in_a_row_reads_as_the_same_template() -> None:
    row = row_of(found())
    assert (row.name, row.is_published) == ((CAMPAIGN, ONE.name), True)
    assert template_of(row, campaign()) == ONE


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=6_000))
def test_no_character_is_lost_in_a_cell(content: str) -> None:
    assert plain(verbatim(content)) == content


@given(st.text(alphabet="a\U0001f384", min_size=1_990, max_size=2_010))
def test_a_piece_is_never_longer_than_notion_takes(content: str) -> None:
    pieces = verbatim(content)["rich_text"]
    assert max(len(each["text"]["content"].encode("utf-16-le")) for each in pieces) <= 4_000


def test_what_a_cell_cannot_hold_is_refused_with_the_column() -> None:
    assert len(verbatim("x" * 200_000)["rich_text"]) == PIECES
    with pytest.raises(ValueError, match="longer than the 200,000 characters"):
        verbatim("x" * 200_001)
    long = msgspec.structs.replace(ONE, sources=msgspec.structs.replace(ONE.sources, body="x" * 200_001))
    with pytest.raises(ValueError, match=r"^Email Body HTML is longer than the 200,000 characters"):
        properties(CAMPAIGN, long)


def test_a_new_row_of_a_person_is_read_whatever_is_empty() -> None:
    row = row_of(Found("page", False, datetime.now(UTC), "somebody", {"Template ID": {"title": []}}))
    assert (row.name, row.is_published) == (("", ""), False)


def test_what_utf_8_cannot_spell_is_replaced() -> None:
    row = row_of(found(**{"Email Body HTML": text("<p>\ud83c</p>"), "Subject Line": text(" \ud83c\n")}))
    assert row.sources.body == "<mj-section><mj-column><mj-text><p>?</p></mj-text></mj-column></mj-section>"
    assert row.sources.subject == "?"


def test_plain_html_becomes_a_section_and_keeps_its_lines() -> None:
    row = row_of(found(**{"Email Body HTML": text("<p>Hi</p>\n<p>{{ nobody }}</p>")}))
    assert template_of(row, campaign()) == ("line 2 of the body: nobody supplies the variable 'nobody'",)
    row = row_of(found(**{"Email Body HTML": text("<p>Hi</p>\n<p>{{ first_name }}</p>")}))
    assert isinstance(template_of(row, campaign()), Template)


def test_a_text_is_by_hand_unless_it_is_empty_or_a_preview() -> None:
    preview = text_cell_of(ONE)
    assert [by_hand(cell) for cell in ("", " \n", preview, preview.strip(), preview.replace("\n", "\r\n"))] == [""] * 5
    assert by_hand("Hi there") == "Hi there"


def test_a_preview_that_somebody_changed_is_by_hand_and_loses_our_last_line() -> None:
    changed = by_hand(text_cell_of(ONE).replace("Thank you", "Many thanks"))
    assert "Many thanks" in changed
    assert "made from the HTML" not in changed


def test_a_preview_without_our_last_line_is_still_a_preview() -> None:
    bare = text_cell_of(ONE).partition("\n-- made from")[0]
    assert template_of(row_of(found(**{"Email Body Plain Text": text(bare)})), campaign()) == ONE


@pytest.mark.parametrize("cell", [" " * 200_000 + "x", "-- made from the HTML (a)" + " " * 200_000 + "\nx"])
def test_any_amount_of_space_is_read_at_once(cell: str) -> None:
    began = time.process_time()
    assert by_hand(cell) == cell
    assert time.process_time() - began < 1


def test_what_makes_too_long_a_file_is_refused() -> None:
    body = "<mj-raw>" + "x" * 49_980 + "</mj-raw>"
    assert template_of(row_of(found(**{"Email Body HTML": text(body)})), campaign()) == (
        "the whole is longer than 50,000 bytes",
    )


def test_a_hand_written_text_is_shown_as_it_is() -> None:
    written = msgspec.structs.replace(ONE, sources=msgspec.structs.replace(ONE.sources, text="Hi\n"))
    assert plain(properties(CAMPAIGN, written)["Email Body Plain Text"]) == "Hi\n"


def test_rows_are_judged_by_name() -> None:
    row, campaigns = row_of(found()), {CAMPAIGN: campaign()}
    assert verdict(row.name, [row], campaigns) == ONE
    assert verdict(row.name, [row, row], campaigns) == ("2 rows are published under this name: keep one",)
    assert verdict(("summer", "x"), [row], campaigns) == ("there is no campaign of this name",)
    assert verdict((CAMPAIGN, "x"), [row], campaigns) == ("the campaign has no template of this name",)


def test_what_nobody_can_read_is_not_withdrawn() -> None:
    assert withdrawn({f"{CAMPAIGN}.x": None}, [], {CAMPAIGN: campaign()}) == []
