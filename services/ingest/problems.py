"""Every answer that is not a yes: application/problem+json (RFC 9457), and one log line without personal data."""

import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from services.ingest.metrics import REFUSED
from services.ingest.signup import FieldProblem
from services.ingest.story import tell

PROBLEM_JSON = "application/problem+json"

RETRY_AFTER = {"Retry-After": "5"}

DETAILS = {
    HTTPStatus.NOT_FOUND: "There is nothing here. See /schema for what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here. Nothing was queued; please send it again.",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, for the sender."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: Sequence[FieldProblem] = ()


class Refusal(Exception):
    """A request that is answered with a problem. `reason` is one word for logs and metrics."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.headers = dict(headers or {})
        self.problem = Problem(title=status.phrase, status=int(status), detail=detail, errors=errors)


def wrong_fields(errors: Sequence[FieldProblem]) -> Refusal:
    """What a body with these problems is answered."""
    return Refusal(HTTPStatus.BAD_REQUEST, "invalid", "Some fields are missing or wrong.", errors=errors)


class NotReady(Exception):
    """The answer to a probe, not to a webhook: neither counted nor logged each time."""


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=dict(headers or {}),
    )


def on_refusal(_: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    REFUSED.labels(refusal.reason).inc()
    tell(
        "refused",
        "warning",
        reason=refusal.reason,
        fields=[each.field for each in refusal.problem.errors],
    )
    return answer(refusal.problem, refusal.headers)


def on_not_ready(_: Request[Any, Any, Any], obstacle: NotReady) -> Response[bytes]:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return answer(Problem(title="Not ready", status=status, detail=str(obstacle)), RETRY_AFTER)


def on_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses: unknown paths and methods."""
    status = HTTPStatus(error.status_code)
    problem = Problem(title=status.phrase, status=status, detail=DETAILS.get(status, status.description))
    return answer(problem, error.headers)


def on_bug(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Where it happened, not what it said: messages of exceptions may repeat what was sent."""
    REFUSED.labels("internal").inc()
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    tell(
        "unexpected",
        "error",
        error=type(error).__name__,
        where=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    )
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return answer(Problem(title=status.phrase, status=status, detail=DETAILS[status]))
