import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.calls import Refused
from services.sandbox.resend_rules import parse_batch, parse_batch_email, parse_email, parse_time

NOW = datetime(2026, 11, 20, tzinfo=UTC)
EMAIL: dict[str, Any] = {
    "from": "hello@example.com",
    "to": "ann@example.com",
    "subject": "Hi",
    "text": "Hello",
}


def refusal(payload: object) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        parse_email(payload, NOW)
    return caught.value.status, caught.value.name


def test_one_recipient_may_be_a_bare_string() -> None:
    assert parse_email(EMAIL, NOW).to == ["ann@example.com"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["from", "to", "subject", "html", "text", "cc", "bcc", "reply_to", "headers", "tags", "attachments"]


@given(st.sampled_from(FIELDS), JSON)
def test_any_value_in_any_field_is_accepted_or_refused_but_never_breaks(field: str, value: object) -> None:
    try:
        parse_email(EMAIL | {field: value}, NOW)
    except Refused as refused:
        assert refused.status == 422  # noqa: PT017 - being refused is one of two good ends


@pytest.mark.parametrize("size", [0, 101])
def test_a_batch_holds_one_to_a_hundred(size: int) -> None:
    with pytest.raises(Refused):
        parse_batch([EMAIL] * size)


@pytest.mark.parametrize("field", ["attachments", "scheduled_at"])
def test_a_batch_takes_neither_attachments_nor_times(field: str) -> None:
    with pytest.raises(Refused):
        parse_batch_email(EMAIL | {field: []}, NOW)


def test_attachments_are_counted_after_base64() -> None:
    listed = [{"filename": "a.bin", "content": [0] * 3}, {"filename": "b.txt", "content": "aGk="}]
    parsed = parse_email(EMAIL | {"attachments": listed}, NOW).attachments
    assert [(each.filename, each.size) for each in parsed] == [("a.bin", 4), ("b.txt", 4)]

    big = base64.b64encode(bytes(31 * 1024 * 1024)).decode()
    assert refusal(EMAIL | {"attachments": [{"filename": "c", "content": big}]}) == (422, "invalid_attachment")


def test_a_template_cannot_be_found_as_there_are_none() -> None:
    assert refusal(EMAIL | {"template": {"id": "welcome"}}) == (404, "not_found")


def test_a_time_is_at_most_thirty_days_ahead() -> None:
    assert parse_time("2026-12-20T01:00:00+01:00", NOW) == NOW + timedelta(days=30)
    with pytest.raises(Refused):
        parse_time("2026-12-20T00:00:01Z", NOW)
