"""What is said of a database's columns and of our rights."""

from services.notion_sync.checkup import compared, problems
from services.notion_sync.columns import Property, resolve
from services.notion_sync.rights import Rights
from services.notion_sync.schema import BUSINESSX, COLUMNS, QUEUE, Database

ALL, NONE = Rights(update=True, insert=True), Rights(update=False, insert=False)


def found(database: Database, **others: Property | None) -> dict[str, Property]:
    """As it should be, but for `others`."""
    right = {name: Property(f"id-{name}", kind) for name, kind in COLUMNS[database].items()}
    return {name: each for name, each in {**right, **others}.items() if each}


def states(database: Database, there: dict[str, Property], may: Rights, **known: str) -> dict[str, str]:
    columns = compared(database, resolve(COLUMNS[database], there, known), may)
    return {each.name: each.state for each in columns if each.state != "ok"}


def test_a_database_as_we_want_it_has_no_problem() -> None:
    columns = compared(QUEUE, resolve(COLUMNS[QUEUE], found(QUEUE), {}), ALL)
    assert [each.name for each in columns] == list(COLUMNS[QUEUE])
    assert {each.state for each in columns} == {"ok"}
    assert {each.id for each in columns} == {f"id-{name}" for name in COLUMNS[QUEUE]}
    assert problems(columns, ALL) == ()


def test_columns_are_missing_or_of_another_type_or_renamed() -> None:
    there = found(QUEUE, Key=None, Status=Property("id-Status", "status"), Name=None, Titel=Property("t", "title"))
    columns = compared(QUEUE, resolve(COLUMNS[QUEUE], there, {"Name": "t"}), ALL)
    said = {each.name: str(each) for each in columns if each.state != "ok"}
    assert said == {"Name": "renamed from 'Name'", "Key": "missing", "Status": "is status, not select"}
    assert [each.property for each in columns if each.state == "renamed"] == ["Titel"]
    assert problems(columns, ALL) == ("column 'Key' is missing", "column 'Status' is status, not select")


def test_a_column_that_is_renamed_and_of_another_type_is_trouble() -> None:
    there = found(QUEUE, Key=None, Token=Property("k", "number"))
    assert states(QUEUE, there, ALL, Key="k") == {"Key": "retyped"}


def test_a_column_that_comes_by_itself_is_trouble_only_where_we_may_not_make_it() -> None:
    there = found(BUSINESSX, Hold=None)
    assert states(BUSINESSX, there, ALL) == {"Hold": "to come"}
    assert states(BUSINESSX, there, Rights(update=False, insert=True)) == {"Hold": "missing"}


def test_rights_that_lack_are_named_as_notion_names_them() -> None:
    assert problems((), NONE) == (
        "the token may not update content: give the integration that capability",
        "the token may not insert content: give the integration that capability",
    )
