"""What differs between a row and its page, and whose doing it is."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from eventlog.pages import Page
from services.notion_sync.cells import Bare
from services.notion_sync.compare import Finding, Seen, Sheet, compare
from services.notion_sync.queue import NOT_PLANNED, unplanned_row
from services.notion_sync.row import Row
from services.notion_sync.schema import BUSINESSX, COLUMNS, CUSTOMER, EMAIL_SEQUENCE, QUEUE, Database
from services.notion_sync.values import checkbox, date, email, number, relation, rich_text, select, title

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
ADA = "ada@example.com"
SHOWN: dict[str, Any] = {"First Name": "Ada", "Hold": False}
CELLS: dict[str, Bare] = {"Name": "Ada", "Email": ADA, "First Name": "Ada", "Hold": False, "Segment": "CRITICAL"}
ROW = Row(
    database=BUSINESSX,
    key="contact.c1",
    contact="c1",
    find_by={"Email": ADA},
    properties={
        "Name": title("Ada"),
        "Email": email(ADA),
        "First Name": rich_text("Ada"),
        "Hold": checkbox(False),
        "Segment": select("CRITICAL"),
    },
)
KNOWN = Page(page_id="p1", digest=ROW.digest, at=NOW, shown=SHOWN)


def sheet(*pages: Seen, database: Database = BUSINESSX) -> Sheet:
    made = Sheet(database)
    for page in pages:
        made.add(page)
    return made


def page(id_: str = "p1", *, in_trash: bool = False, **cells: Bare) -> Seen:
    return Seen(id_, in_trash, {**CELLS, **{name.replace("_", " "): value for name, value in cells.items()}})


def found(*pages: Seen, row: Row = ROW, known: Page | None = KNOWN, **options: bool) -> Finding:
    return compare(row, known, sheet(*pages), **({"is_new": False} | options))


def test_a_page_equal_in_every_field_is_right() -> None:
    assert found(page()).state == "right"
    assert found(page()).is_noted


@pytest.mark.parametrize("known", [None, Page(page_id="p0", at=NOW), Page(at=NOW, refused=True)])
def test_a_right_page_the_bucket_does_not_know_is_only_noted(known: Page | None) -> None:
    finding = found(page(), known=known)
    assert (finding.state, finding.changes, finding.is_noted) == ("right", {}, False)
    assert finding.noted(NOW) == KNOWN


def test_only_what_differs_is_written() -> None:
    finding = found(page(Segment="OTHER"))
    assert finding.state == "differs"
    assert finding.changes == {"Segment": ("OTHER", "CRITICAL")}
    assert finding.properties == {"Segment": select("CRITICAL")}
    assert finding.noted(NOW) == KNOWN


def test_a_cell_changed_by_a_hand_is_left_to_the_watch() -> None:
    finding = found(page(First_Name="Augusta", Segment="OTHER"))
    assert finding.hands == {"First Name": ("Augusta", "Ada")}
    assert finding.properties.keys() == {"Segment"}
    assert finding.noted(NOW).shown == SHOWN


def test_a_hand_on_a_cell_we_want_otherwise_than_we_wrote_it_stays_unsettled() -> None:
    wanted = msgspec.structs.replace(ROW, properties={**ROW.properties, "First Name": rich_text("Grace")})
    finding = found(page(First_Name="Augusta"), row=wanted)
    assert finding.hands == {"First Name": ("Augusta", "Grace")}
    assert (finding.noted(NOW).digest, finding.noted(NOW).shown["First Name"]) == ("", "Ada")


def test_a_cell_that_shows_what_we_wrote_and_not_what_we_want_is_written() -> None:
    wanted = msgspec.structs.replace(ROW, properties={**ROW.properties, "First Name": rich_text("Grace")})
    assert found(page(), row=wanted).changes == {"First Name": ("Ada", "Grace")}


def test_a_tick_on_a_page_we_never_wrote_to_is_somebodys() -> None:
    finding = found(page(Hold=True, First_Name="Augusta"), known=None)
    assert finding.hands == {"Hold": (True, False)}
    assert finding.changes == {"First Name": ("Augusta", "Ada")}


def test_nothing_there_and_nothing_known_is_missing() -> None:
    assert found(known=None).state == "missing"
    assert found(known=Page(at=NOW, refused=True)).state == "missing"


def test_a_page_we_made_and_do_not_find_is_gone() -> None:
    assert found().state == "gone"
    assert found(page("p1", in_trash=True)).state == "trashed"


def test_instead_of_a_page_in_the_trash_the_other_like_it_is_taken() -> None:
    finding = found(page("p1", in_trash=True), page("p2"))
    assert (finding.state, finding.page and finding.page.id, finding.doubles) == ("right", "p2", ())


def test_of_doubles_ours_is_kept_and_else_the_oldest() -> None:
    pages = page("p0"), page("p1"), page("p2")
    ours, oldest = found(*pages), found(*pages, known=None)
    assert (ours.page and ours.page.id, ours.doubles) == ("p1", ("p0", "p2"))
    assert (oldest.page and oldest.page.id, oldest.doubles) == ("p0", ("p1", "p2"))


def test_our_page_is_ours_though_somebody_changed_what_tells_it_apart() -> None:
    finding = found(page(Email="other@example.com"))
    assert finding.changes == {"Email": ("other@example.com", ADA)}


def test_addresses_are_told_apart_without_case() -> None:
    assert found(page("p7", Email="ADA@Example.com"), known=None).changes == {"Email": ("ADA@Example.com", ADA)}


def test_a_row_without_an_address_is_like_no_other() -> None:
    nobody = msgspec.structs.replace(ROW, find_by={"Email": ""})
    assert found(page(Email=None), row=nobody, known=None).state == "missing"


def test_campaigns_of_one_person_are_told_apart() -> None:
    row = Row(EMAIL_SEQUENCE, "k", "c1", {"Email": ADA, "Campaign": "Spring"}, {"Email": email(ADA)})
    pages = [Seen("p1", False, {"Email": ADA, "Campaign": "Autumn"}), Seen("p2", False, {"Email": ADA})]
    assert compare(row, None, sheet(*pages, database=EMAIL_SEQUENCE), is_new=False).state == "missing"


def test_what_the_bucket_learned_later_is_believed() -> None:
    stale = page(Segment="OTHER")
    assert found(stale, is_new=True).state == "right"
    assert found(stale, is_new=True, known=msgspec.structs.replace(KNOWN, digest="older")).state == "moving"
    assert found(stale, is_new=True, known=Page(at=NOW)).state == "moving"


def test_a_refused_create_made_no_page_however_new_it_is() -> None:
    assert found(is_new=True, known=Page(at=NOW, refused=True)).state == "missing"


def test_what_cannot_be_pointed_to_is_no_difference() -> None:
    row = Row(QUEUE, "queue.k", "c1", {"Key": "k"}, {"Key": rich_text("k"), CUSTOMER: relation("p9")})
    made = sheet(Seen("q1", False, {"Key": "k", CUSTOMER: ()}), database=QUEUE)
    known = Page(page_id="q1", at=NOW)
    assert compare(row, known, made, is_new=False).changes == {CUSTOMER: ((), ("p9",))}
    assert compare(row, known, made, is_new=False, related=False).changes == {}
    missing = compare(row, None, sheet(database=QUEUE), is_new=False, related=False)
    assert missing.row.properties[CUSTOMER] == relation(None)


def test_dates_and_numbers_are_compared_by_what_they_mean() -> None:
    properties = {"Email Number": number(2), "Sent At": date(NOW)}
    row = Row(QUEUE, "queue.k", "c1", {"Key": "k"}, properties)
    cells: dict[str, Bare] = {"Key": "k", "Email Number": 2.0, "Sent At": ("2026-11-21T09:00:00+00:00", None)}
    assert compare(row, None, sheet(Seen("q1", False, cells), database=QUEUE), is_new=False).state == "right"


def test_a_row_of_some_columns_keeps_the_name_people_see() -> None:
    assert unplanned_row("c1", "k").is_whole is False
    made = sheet(Seen("q1", False, {"Key": "k", "Name": "Ada · email-9", "Status": "queued"}), database=QUEUE)
    finding = compare(unplanned_row("c1", "k"), None, made, is_new=False)
    assert finding.name == "Ada · email-9"
    assert finding.changes == {"Status": ("queued", "skipped"), "Error Message": (None, NOT_PLANNED)}


def test_every_column_of_the_row_is_compared() -> None:
    for name in ROW.properties:
        blank = Seen("p1", False, {each: value for each, value in CELLS.items() if each != name})
        finding = found(blank)
        assert {*finding.changes, *finding.hands} == {name}
    assert ROW.properties.keys() <= COLUMNS[BUSINESSX].keys()
