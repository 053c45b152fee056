"""Bytes become a JSON object or a reason that repeats none of them."""

import math

import pytest

from services.ingest.body import NotAForm, read_object


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b'\xef\xbb\xbf {"a": 1} \n', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": 18446744073709551615}', {"a": 2**64 - 1}),
        (b'{"a": 18446744073709551616}', {"a": 2.0**64}),
        (b'{"a": -1e999}', {"a": -math.inf}),
        (b'{"a": ' + b"9" * 60_000 + b"}", {"a": math.inf}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
    ],
)
def test_an_object_is_read(body: bytes, value: dict[str, object]) -> None:
    assert read_object(body) == value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"secret", "line 1, column 1"),
        (b'{"a": secret}', "column 7"),
        (b'{"a": 1} secret', "not JSON"),
        (b"email=secret%40example.com&first_name=Ada", "not JSON"),
        (b'{"a": "secret\n"}', "not JSON"),
        (b'{"a": "\xff secret"}', "not UTF-8"),
        ('{"a": "secret"}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": "secret", "b": NaN}', "NaN is no number in JSON"),
        (b'{"a": "secret", "b": [Infinity]}', "Infinity is no number"),
        (b'{"a": "secret", "b": {"c": -Infinity}}', "-Infinity is no number"),
        (b'["secret"]', "not a JSON object"),
        (b'"secret"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b"[" * 60_000, "too deeply"),
        (b'{"a":' * 12_000 + b"1" + b"}" * 12_000, "too deeply"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(body: bytes, says: str) -> None:
    with pytest.raises(NotAForm, match=says) as refused:
        read_object(body)
    assert "secret" not in str(refused.value)
