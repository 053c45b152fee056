"""Every way a call to Notion can fail, as one exception that carries the verdict. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx
from notion_client.errors import HTTPResponseError, NotionClientErrorBase, RequestTimeoutError

Kind = Literal["busy", "closed", "wrong"]

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
SHORTEST_S, LONGEST_S = 1.0, 24 * 3600.0
DELAYS_S = (5.0, 15.0, 60.0)


class Refusal(Exception):
    """Notion did not do it, or did not say so.

    busy    not now: limits, trouble on their side, a network that fails
    closed  nothing at all, whatever we ask: the token is wrong or may not do this
    wrong   this request, as it stands: a column or page that is not there, a value that does not fit

    `maybe`: it may have been done all the same. Only codes and types are kept: Notion's messages quote values.
    """

    def __init__(
        self, kind: Kind, code: str, *, status: int = 0, after_s: float | None = None, maybe: bool = False
    ) -> None:
        super().__init__(f"{code} ({status})" if status else code)
        self.kind = kind
        self.code = code
        self.status = status
        self.after_s = after_s
        self.maybe = maybe
        self.hold_s = 0.0
        """So long nobody is going to ask Notion anything."""

    @property
    def is_everywhere(self) -> bool:
        """Any other request would fare the same; a conflict is about one page."""
        return self.kind == "busy" and self.status != 409

    def delay_s(self, attempt: int) -> float:
        """What Notion asked for; else longer with every attempt, and no shorter than anybody else waits."""
        if self.after_s is not None:
            return self.after_s
        return max(self.hold_s, DELAYS_S[min(attempt, len(DELAYS_S)) - 1])


def refusal(error: Exception, now: datetime) -> Refusal:
    """From whatever the client raised: its own three families, raw httpx errors, or an answer nobody can read."""
    if isinstance(error, HTTPResponseError):
        return _answered(error, now)
    cause = error.__context__ if isinstance(error, RequestTimeoutError) else error
    code = type(cause or error).__name__
    if isinstance(cause, NOT_SENT):
        return Refusal("busy", code)
    if isinstance(error, NotionClientErrorBase) and not isinstance(error, RequestTimeoutError):
        return Refusal("wrong", code)
    return Refusal("busy", code, maybe=True)


def _answered(error: HTTPResponseError, now: datetime) -> Refusal:
    status, code = error.status, str(getattr(error.code, "value", error.code))
    if status in {401, 403}:
        return Refusal("closed", code, status=status)
    if status in {409, 429}:
        return Refusal("busy", code, status=status, after_s=retry_after(error.headers, now))
    if status == 408 or status >= 500:
        return Refusal("busy", code, status=status, after_s=retry_after(error.headers, now), maybe=True)
    return Refusal("wrong", code, status=status)


def retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """Seconds or a date; a second at least, a day at most."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, now)
    return min(max(seconds, SHORTEST_S), LONGEST_S) if seconds >= 0 else None


def _until(text: str, now: datetime) -> float:
    """-1 for what is no date."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return -1.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp())
