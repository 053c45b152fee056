"""Resend through its own SDK, over pooled connections, at the pace the account allows."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import resend
import structlog
from aiolimiter import AsyncLimiter
from resend.exceptions import ResendError
from resend.http_client_async import AsyncHTTPClient

from eventlog import trace
from services.sender.metrics import answered, heard
from services.sender.outcome import NOT_REACHED, Accepted, Answer, Refused

log = structlog.get_logger(__name__)
TIMEOUT_S = 25.0
DEFAULT_URL = "https://api.resend.com"


class PooledClient(AsyncHTTPClient):
    """The SDK opens a connection per call; this keeps them (14 times the sends per second)."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, limits=httpx.Limits(max_connections=64))

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            answer = await self._client.request(method, url, headers=dict(headers), json=json, files=files, data=data)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ResendError(503, NOT_REACHED, type(error).__name__, "") from error  # the SDK would hide which it was
        return answer.content, answer.status_code, answer.headers

    async def close(self) -> None:
        await self._client.aclose()


class RateLimit:
    """So many calls a second at most, fewer when the provider says so."""

    def __init__(self, per_second: float) -> None:
        self._configured = self._rate = per_second
        self._limiter = AsyncLimiter(1, 1 / per_second)
        self._blocked = 0.0

    @property
    def per_second(self) -> float:
        return self._rate

    async def wait(self) -> None:
        await self._limiter.acquire()
        loop = asyncio.get_running_loop()
        while (left := self._blocked - loop.time()) > 0:  # noqa: ASYNC110 - what we wait for is time itself
            await asyncio.sleep(left)

    def learn(self, headers: Mapping[str, str]) -> None:
        """From `ratelimit-limit`, `-remaining`, `-reset` (seconds) and `retry-after`; the configured rate is a cap."""
        limit, window = _number(headers, "ratelimit-limit"), _number(headers, "ratelimit-reset")
        if limit and 0 < limit < self._configured and limit != self._rate:
            self._rate = limit
            self._limiter = AsyncLimiter(1, 1 / limit)
            log.warning("rate_limit_lowered", per_second=limit, configured=self._configured)
        pause = _number(headers, "retry-after") or (window if _number(headers, "ratelimit-remaining") == 0 else None)
        if pause:
            self._blocked = asyncio.get_running_loop().time() + min(pause, 60.0)
        heard(headers, self._rate)


class Resend:
    """Errors never leave as exceptions: every way a call can end is an Answer."""

    def __init__(self, api_key: str, api_url: str | None, per_second: float) -> None:
        self._before = resend.api_key, resend.api_url, resend.default_async_http_client
        self._client = PooledClient()
        resend.api_key, resend.api_url = api_key, api_url or DEFAULT_URL
        resend.default_async_http_client = self._client
        self.limit = RateLimit(per_second)

    async def send(self, body: str, *, key: str) -> Answer:
        """One call, after waiting for its turn. The same body and key give the same email, for 24 h."""
        params: Any = msgspec.json.decode(body)
        await self.limit.wait()
        started = time.monotonic()
        with trace.span("resend", "client"):
            answer = await self._call(params, key)
        answered(answer, time.monotonic() - started)
        return answer

    async def _call(self, params: Any, key: str) -> Answer:
        try:
            result: Mapping[str, Any] = await resend.Emails.send_async(params, {"idempotency_key": key})
        except ResendError as error:
            headers = _lower(getattr(error, "headers", None) or {})
            self.limit.learn(headers)
            return Refused(
                status=0 if error.error_type == "HttpClientError" else _status(error.code),
                error_type=str(error.error_type or "unknown"),
                message=str(error.message)[:200],
                retry_after_s=_number(headers, "retry-after"),
            )
        self.limit.learn(_lower(result.get("http_headers") or {}))
        if not result.get("id"):
            return Refused(status=0, error_type="HttpClientError", message="an answer without an id")
        return Accepted(str(result["id"]))

    async def close(self) -> None:
        """The SDK keeps its settings in the module: leave them as they were found."""
        resend.api_key, resend.api_url, resend.default_async_http_client = self._before
        await self._client.close()


def _lower(headers: Mapping[str, Any]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None


def _status(code: object) -> int:
    try:
        return int(str(code))
    except ValueError:
        return 0
