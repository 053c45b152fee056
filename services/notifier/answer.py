"""What the chat's answer to a post means. Pure."""

from collections.abc import Mapping

import msgspec

CLOSED_S = 3600.0
"""A webhook that was deleted does not come back by itself; asked more often, Discord shuts the address out."""

BACKOFF_S = (5.0, 15.0, 60.0, 300.0)
LONGEST_S = 3600.0


class Posted(msgspec.Struct, frozen=True):
    """It is in the chat."""


class NotNow(msgspec.Struct, frozen=True):
    """It is not in the chat: ask again after so many seconds."""

    after_s: float
    reason: str


class Doubt(msgspec.Struct, frozen=True):
    """It was sent, and no answer came: it may be in the chat."""

    reason: str


class Closed(msgspec.Struct, frozen=True):
    """The webhook takes nothing from us, whatever it is."""

    reason: str


class Unfit(msgspec.Struct, frozen=True):
    """The webhook does not take this message, and never will."""

    reason: str


Outcome = Posted | NotNow | Doubt | Closed | Unfit


class _Limited(msgspec.Struct):
    retry_after: float | None = None


def judge(status: int, headers: Mapping[str, str], content: bytes, *, failures: int) -> Outcome:
    """`headers` by their lower-case names; `failures`: how many posts in a row the chat did not answer properly."""
    if 200 <= status < 300:
        return Posted()
    reason = f"status {status}"
    if status == 429:
        return NotNow(_told_to_wait(headers, content) or backoff_s(failures), reason)
    if status >= 500 or status == 408:
        return NotNow(max(backoff_s(failures), _told_to_wait(headers, content) or 0), reason)
    if status in {400, 413, 422}:
        return Unfit(reason)
    return Closed(reason)  # 401, 403, 404, 410: deleted or shut; 3xx: it is elsewhere, and nobody follows with a secret


def backoff_s(failures: int) -> float:
    return BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]


def _told_to_wait(headers: Mapping[str, str], content: bytes) -> float | None:
    """Discord says it to the millisecond in the body; both say whole seconds in a header."""
    waits = [_in_body(content), _number(headers.get("retry-after", ""))]
    return next((min(max(wait, 0.1), LONGEST_S) for wait in waits if wait is not None), None)


def _in_body(content: bytes) -> float | None:
    try:
        return msgspec.json.decode(content, type=_Limited).retry_after
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None
