from services.notion_sync.columns import Property, resolve

WANTED = {"Email": "email", "Segment": "select", "Name": "title"}
THERE = {"Email": Property("e", "email"), "Segment": Property("s", "select"), "Name": Property("title", "title")}
IDS = {"Email": "e", "Segment": "s", "Name": "title"}


def test_what_is_there_is_no_problem() -> None:
    found = resolve(WANTED, {**THERE, "Notes": Property("n", "rich_text")}, {})
    assert (found.ids, found.problems, found.renamed) == (IDS, (), {})


def test_missing_and_changed_columns_are_named() -> None:
    there = {"Email": Property("e", "rich_text"), "Segments": Property("s", "select"), "Name": THERE["Name"]}
    assert resolve(WANTED, there, {}).problems == (
        "column 'Email' is rich_text, not email",
        "column 'Segment' is missing",
    )


def test_a_renamed_column_is_known_by_its_id() -> None:
    there = {"Email": THERE["Email"], "Group": THERE["Segment"], "Name": THERE["Name"]}
    found = resolve(WANTED, there, IDS)
    assert (found.ids, found.problems, found.renamed) == (IDS, (), {"Segment": "Group"})
    assert found.identity == resolve(WANTED, THERE, IDS).identity


def test_a_column_made_anew_is_found_by_its_name_and_is_another_one() -> None:
    found = resolve(WANTED, {**THERE, "Segment": Property("t", "select")}, IDS)
    assert (found.ids["Segment"], found.problems) == ("t", ())
    assert found.identity != resolve(WANTED, THERE, IDS).identity


def test_two_columns_that_swapped_names_are_not_mixed_up() -> None:
    there = {"Email": THERE["Email"], "Segment": THERE["Name"], "Name": THERE["Segment"]}
    found = resolve(WANTED, there, IDS)
    assert (found.ids, found.problems, found.renamed) == (IDS, (), {"Segment": "Name", "Name": "Segment"})


def test_a_deleted_column_does_not_take_the_place_of_one_that_was_given_its_name() -> None:
    there = {"Email": THERE["Email"], "Segment": THERE["Name"]}
    found = resolve(WANTED, there, IDS)
    assert (found.ids, found.problems) == ({"Email": "e", "Name": "title"}, ("column 'Segment' is missing",))


def test_while_one_is_missing_nobody_can_tell_whether_they_are_the_same() -> None:
    assert resolve(WANTED, {"Email": THERE["Email"], "Name": THERE["Name"]}, IDS).identity is None


def test_a_column_of_another_type_loses_what_stood_in_it() -> None:
    assert resolve(WANTED, {**THERE, "Email": Property("e", "rich_text")}, IDS).identity == ""
