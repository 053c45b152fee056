from services.notion_sync.columns import problems


def test_what_is_there_is_no_problem() -> None:
    assert problems({"Email": "email"}, {"Email": "email", "Notes": "rich_text"}) == ()


def test_missing_and_changed_columns_are_named() -> None:
    wanted = {"Email": "email", "Segment": "select", "Name": "title"}
    assert problems(wanted, {"Email": "rich_text", "Segments": "select", "Name": "title"}) == (
        "column 'Email' is rich_text, not email",
        "column 'Segment' is missing",
    )
