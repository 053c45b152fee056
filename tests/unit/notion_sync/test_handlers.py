from eventlog.outcomes import Done, Park, Pause, Retry
from services.notion_sync.handlers import together

SOON = Retry(5, "y", label="contended")
LATE = Retry(300, "x", label="notion")
CLOSED = Pause(60, "z", label="notion")
UNKNOWN = Park("unknown campaign", label="unknown_campaign")


def test_rows_are_done_only_together() -> None:
    assert together([Done("a"), Done("b")]) == Done("a, b", label="notion")
    assert together([Done("a"), LATE, SOON]) == SOON
    assert together([SOON, CLOSED]) == CLOSED


def test_nothing_is_parked_before_it_is_written() -> None:
    assert together([SOON, UNKNOWN]) == SOON
    assert together([Done("a"), UNKNOWN]) == UNKNOWN


def test_no_row_at_all_is_done() -> None:
    assert together([]) == Done("nothing to show", label="in_line")
