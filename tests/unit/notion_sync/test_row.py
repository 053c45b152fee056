"""What is written over a page: never what somebody may be changing, unless it is not as we want it."""

from typing import Any

from eventlog.pages import Page
from services.notion_sync.row import Row
from services.notion_sync.schema import BUSINESSX, QUEUE
from services.notion_sync.values import checkbox, number, relation, rich_text, select
from tests.factories import NOW

ROW = Row(
    BUSINESSX,
    "contact.c1",
    "c1",
    {"Email": "ada@example.com"},
    {"Hold": checkbox(value=False), "First Name": rich_text("Ada"), "GPS Score": number(4)},
)
SHOWN: dict[str, Any] = {"Hold": False, "First Name": "Ada"}


def known(shown: dict[str, Any], **more: Any) -> Page:
    return Page(page_id="p1", at=NOW, shown=shown, **more)


def test_what_people_may_change_is_left_out_while_it_is_as_we_want_it() -> None:
    assert ROW.changes(known(SHOWN)).keys() == {"GPS Score"}


def test_what_is_not_as_we_want_it_is_written() -> None:
    assert ROW.changes(known({"Hold": True, "First Name": "Augusta"})) == ROW.properties


def test_a_page_nothing_is_known_of_gets_everything_but_takes_no_tick_off() -> None:
    assert ROW.changes(known({})).keys() == {"First Name", "GPS Score"}


def test_a_tick_of_ours_is_put_on_a_page_nothing_is_known_of() -> None:
    held = Row(ROW.database, ROW.key, ROW.contact, ROW.find_by, {**ROW.properties, "Hold": checkbox(value=True)})
    assert held.changes(known({})) == held.properties


def test_what_may_have_been_written_unheard_is_written_again() -> None:
    assert ROW.changes(known(SHOWN, begun={"Hold": True})).keys() == {"Hold", "GPS Score"}


def test_columns_made_anew_are_filled_whatever_stood_in_those_before() -> None:
    held = Row(ROW.database, ROW.key, ROW.contact, ROW.find_by, {**ROW.properties, "Hold": checkbox(value=True)}, 1)
    assert held.changes(known({"Hold": True, "First Name": "Ada"})) == held.properties


def test_the_digest_does_not_mind_what_is_shown_and_changes_with_any_cell() -> None:
    other = Row(ROW.database, ROW.key, ROW.contact, ROW.find_by, {**ROW.properties, "GPS Score": number(5)})
    assert ROW.digest == Row(ROW.database, ROW.key, ROW.contact, ROW.find_by, dict(ROW.properties)).digest
    assert ROW.digest != other.digest


def test_only_rows_with_such_a_column_point_to_their_person() -> None:
    queued = Row(QUEUE, "queue.x", "c1", {"Key": "x"}, {"Status": select("queued")})
    assert queued.of_customer("p1").properties["Customer"] == relation("p1")
    assert queued.of_customer(None).properties["Customer"] == relation(None)
    assert ROW.of_customer("p1") == ROW
