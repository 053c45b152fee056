from eventlog.outcomes import Done, Park, Pause, Retry
from services.notion_sync.handlers import together


def test_rows_are_done_only_together() -> None:
    assert together([Done("a"), Done("b")]) == Done("a, b")
    assert together([Done("a"), Retry(300, "x"), Retry(5, "y")]) == Retry(5, "y")
    assert together([Retry(5, "y"), Pause(60, "z")]) == Pause(60, "z")


def test_nothing_is_parked_before_it_is_written() -> None:
    assert together([Retry(5, "y"), Park("unknown campaign")]) == Retry(5, "y")
    assert together([Done("a"), Park("unknown campaign")]) == Park("unknown campaign")


def test_no_row_at_all_is_done() -> None:
    assert together([]) == Done("nothing to show")
