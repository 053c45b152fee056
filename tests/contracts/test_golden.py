"""Every form of a fact ever published stays decodable for ever, with the same meaning.

A file here is never changed and never removed. A fact that gains a field gains another file.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.codec import Undecodable, decode_due, decode_fact, encode
from contracts.facts import FACTS
from contracts.subjects import fact_subject

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))
FACT_FILES = [path for path in GOLDEN if not path.name.startswith("email_due")]


def is_part_of(small: Any, large: Any) -> bool:
    """Everything the small document says, the large one says too."""
    if isinstance(small, dict):
        return isinstance(large, dict) and all(is_part_of(value, large.get(name)) for name, value in small.items())
    if isinstance(small, list):
        return isinstance(large, list) and len(small) == len(large) and all(map(is_part_of, small, large))
    return bool(small == large)


@pytest.mark.parametrize("path", FACT_FILES, ids=lambda path: path.stem)
def test_a_published_fact_still_says_all_it_said(path: Path) -> None:
    fact = decode_fact(path.read_bytes())
    assert is_part_of(msgspec.json.decode(path.read_bytes()), msgspec.json.decode(encode(fact)))
    assert fact_subject(fact).startswith(f"events.{fact.contact}.{path.name.partition('.')[0]}.")


def test_a_published_message_still_says_all_it_said() -> None:
    path = next(path for path in GOLDEN if path.name.startswith("email_due"))
    assert is_part_of(
        msgspec.json.decode(path.read_bytes()), msgspec.json.decode(encode(decode_due(path.read_bytes())))
    )


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_every_field_of_every_fact_is_in_a_golden_file(kind: type[msgspec.Struct]) -> None:
    tag = kind.__struct_config__.tag
    forms = [msgspec.json.decode(path.read_bytes()) for path in GOLDEN if path.name.startswith(f"{tag}.")]
    assert set(kind.__struct_fields__) <= {field for form in forms for field in form}


def test_a_field_from_the_future_is_passed_over() -> None:
    path = next(path for path in FACT_FILES if path.name.startswith("email_sent"))
    form = msgspec.json.decode(path.read_bytes()) | {"opened_in": "space"}
    assert decode_fact(msgspec.json.encode(form)) == decode_fact(path.read_bytes())


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'{"type":"nobody_knows"}', b'{"contact":"c1"}', b"\xff"])
def test_what_is_no_fact_is_undecodable_and_says_why(payload: bytes) -> None:
    with pytest.raises(Undecodable, match=r"\w+"):
        decode_fact(payload)


def test_a_time_without_a_zone_is_refused() -> None:
    form = b'{"type":"email_skipped","contact":"c1","at":"2026-12-01T09:00:00","email_id":"a.b.c.d.e","reason":"x"}'
    with pytest.raises(Undecodable, match="timezone"):
        decode_fact(form)
