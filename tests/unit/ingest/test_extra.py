"""Unknown fields are kept within bounds, and what exceeds them is counted."""

from typing import Any

import msgspec
import pytest

from services.ingest.extra import bounded


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_values_are_kept_as_they_came() -> None:
    fields = {"a": None, "b": [1, 2.5, True, "ü\n"], "c": {"d": {"e": "f"}}, "": ""}
    assert bounded(fields) == (fields, 0)


def test_the_first_fifty_fields_are_kept() -> None:
    kept, dropped = bounded({f"f{n}": n for n in range(60)})
    assert list(kept) == [f"f{n}" for n in range(50)]
    assert dropped == 10


def test_a_field_of_over_two_kilobytes_is_dropped_and_its_neighbours_are_kept() -> None:
    assert bounded({"big": "x" * 2_048, "fits": "x" * 2_000}) == ({"fits": "x" * 2_000}, 1)


def test_bytes_are_counted_and_not_characters() -> None:
    assert bounded({"big": "é" * 1_100}).dropped == 1


def test_all_fields_together_stay_within_sixteen_kilobytes() -> None:
    kept, dropped = bounded({f"f{n}": "x" * 1_000 for n in range(40)})
    assert len(msgspec.json.encode(kept)) <= 16 * 1024
    assert (len(kept), dropped) == (16, 24)


@pytest.mark.parametrize(("depth", "dropped"), [(5, 0), (6, 1), (900, 1)])
def test_nesting_is_bounded(depth: int, dropped: int) -> None:
    assert bounded({"deep": nested(depth)}).dropped == dropped


@pytest.mark.parametrize(("length", "dropped"), [(100, 0), (101, 1)])
def test_names_are_bounded_at_every_level(length: int, dropped: int) -> None:
    name = "x" * length
    assert bounded({name: 1}).dropped == dropped
    assert bounded({"a": {name: 1}}).dropped == dropped


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**64, -(2**63) - 1])
def test_numbers_the_log_cannot_carry_are_dropped(value: float) -> None:
    assert bounded({"a": {"b": [value]}}) == ({}, 1)


def test_half_an_emoji_is_replaced_and_the_rest_kept() -> None:
    assert bounded({"a\ud83d": {"b\ud83d": "c\ud83d"}}) == ({"a?": {"b?": "c?"}}, 0)


def test_two_names_that_become_one_are_counted() -> None:
    assert bounded({f"a{half}": 1 for half in "\ud83d\ud83e"}) == ({"a?": 1}, 1)
