from email.utils import format_datetime

import httpx
import pytest
from notion_client.errors import (
    InvalidPathParameterError,
    RequestTimeoutError,
    UnknownHTTPResponseError,
    build_request_error,
)

from services.notion_sync.answers import DELAYS_S, LONGEST_S, Refusal, refusal, retry_after
from tests.factories import NOW, at


def answered(status: int, code: str, **headers: str) -> Refusal:
    """As the client makes it from an answer on the wire."""
    body = f'{{"object": "error", "code": "{code}", "message": "ada@example.com is not a number"}}'
    error = build_request_error(httpx.Response(status, headers=headers), body)
    return refusal(error, NOW)


def timed_out(cause: httpx.TimeoutException) -> RequestTimeoutError:
    try:
        try:
            raise cause
        except httpx.TimeoutException:
            raise RequestTimeoutError  # noqa: B904 - the client does just this
    except RequestTimeoutError as error:
        return error


@pytest.mark.parametrize(
    ("status", "code", "kind", "maybe"),
    [
        (400, "validation_error", "wrong", False),
        (401, "unauthorized", "closed", False),
        (403, "restricted_resource", "closed", False),
        (404, "object_not_found", "wrong", False),
        (409, "conflict_error", "busy", False),
        (429, "rate_limited", "busy", False),
        (500, "internal_server_error", "busy", True),
        (503, "service_unavailable", "busy", True),
        (504, "gateway_timeout", "busy", True),
        (529, "service_overload", "busy", True),
    ],
)
def test_each_status_has_its_verdict(status: int, code: str, kind: str, maybe: bool) -> None:
    found = answered(status, code)
    assert (found.kind, found.maybe, found.status) == (kind, maybe, status)


def test_a_page_from_a_proxy_is_trouble_on_their_side() -> None:
    found = refusal(UnknownHTTPResponseError(502, raw_body_text="<html>"), NOW)
    assert (found.kind, found.maybe) == ("busy", True)


def test_a_timeout_may_have_been_accepted() -> None:
    found = refusal(timed_out(httpx.ReadTimeout("")), NOW)
    assert (found.kind, found.maybe) == ("busy", True)


def test_what_never_left_was_not_accepted() -> None:
    for error in (httpx.ConnectError(""), timed_out(httpx.ConnectTimeout("")), timed_out(httpx.PoolTimeout(""))):
        found = refusal(error, NOW)
        assert (found.kind, found.maybe) == ("busy", False)


def test_a_dropped_connection_may_have_been_accepted() -> None:
    for error in (httpx.ReadError(""), httpx.RemoteProtocolError(""), ValueError("no JSON")):
        assert refusal(error, NOW).maybe


def test_an_impossible_path_is_our_fault() -> None:
    assert refusal(InvalidPathParameterError(), NOW).kind == "wrong"


def test_no_word_of_notions_message_is_kept() -> None:
    assert "ada" not in repr(answered(400, "validation_error"))


def test_retry_after_counts_however_long() -> None:
    assert answered(429, "rate_limited", **{"Retry-After": "300"}).delay_s(1) == 300
    assert answered(529, "service_overload", **{"Retry-After": "90"}).after_s == 90


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12.0),
        ("0", 1.0),
        pytest.param(format_datetime(at(minutes=2), usegmt=True), 120.0, id="in two minutes"),
        pytest.param(format_datetime(at(hours=-1), usegmt=True), 1.0, id="an hour ago"),
        ("9999999", LONGEST_S),
        ("-5", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"retry-after": text}), NOW) == seconds


def test_without_a_word_the_wait_grows_to_a_bound() -> None:
    refused = answered(500, "internal_server_error")
    assert [refused.delay_s(n) for n in (1, 2, 3, 50)] == [*DELAYS_S, DELAYS_S[-1]]
    refused.hold_s = 30
    assert [refused.delay_s(n) for n in (1, 2, 3)] == [30, 30, 60]
