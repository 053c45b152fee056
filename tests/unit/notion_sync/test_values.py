from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from services.notion_sync.values import PIECE, TOTAL, Value, date, email, option, rich_text, select, title


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def pieces(value: Value) -> list[str]:
    [items] = value.values()
    return [item["text"]["content"] for item in items]


def test_long_text_is_split_and_whole() -> None:
    found = pieces(rich_text("x" * 4_500))
    assert [len(piece) for piece in found] == [2_000, 2_000, 500]


def test_an_emoji_is_never_cut_in_two() -> None:
    text = "x" + "🎄" * 2_500
    assert "".join(pieces(title(text))) == text


def test_text_beyond_all_bounds_is_cut_and_says_so() -> None:
    found = "".join(pieces(rich_text("x" * 50_000)))
    assert units(found) == TOTAL
    assert found.endswith("…")


@given(text=st.text(max_size=3_000), times=st.integers(1, 20))
def test_no_text_breaks_the_limits(text: str, times: int) -> None:
    found = pieces(rich_text(text * times))
    assert all(0 < units(piece) <= PIECE for piece in found)
    assert sum(map(units, found)) <= TOTAL


def test_no_text_is_an_empty_cell() -> None:
    for nothing in (None, "", " \n"):
        assert rich_text(nothing) == {"rich_text": []}


def test_control_characters_do_not_travel() -> None:
    assert pieces(rich_text("Ada\x00\u202eadA\ud800!")) == ["Ada adA !"]


def test_an_option_has_no_comma_and_a_bounded_name() -> None:
    assert select("Winter, 2026") == {"select": {"name": "Winter 2026"}}
    assert units(option("y" * 200)) == 100
    assert select(" , ") == {"select": None}
    assert select(None) == {"select": None}


def test_an_address_notion_would_refuse_is_left_out() -> None:
    assert email(" ada@example.com ") == {"email": "ada@example.com"}
    assert email("") == {"email": None}
    assert email("a" * 200 + "@example.com") == {"email": None}


def test_a_date_is_utc_to_the_second() -> None:
    toronto = timezone(-timedelta(hours=5))
    moment = datetime(2026, 12, 1, 4, 0, 0, 999, tzinfo=toronto)
    assert date(moment) == {"date": {"start": "2026-12-01T09:00:00+00:00"}}
    assert date(None) == {"date": None}
