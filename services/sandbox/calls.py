"""What goes in and out of the stand-ins: a call, an answer, and a refusal that carries the verdict."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec

Api = Literal["resend", "notion", "discord", "slack"]
Clock = Callable[[], datetime]

JSON = "application/json; charset=utf-8"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Call(msgspec.Struct, frozen=True):
    """One request as the rules see it; `target` is the id in the path, header names are lower-case."""

    api: Api
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes
    at: datetime
    target: str = ""

    @property
    def key(self) -> str | None:
        return self.headers.get("idempotency-key")

    def first(self, name: str) -> str | None:
        values = self.query.get(name)
        return values[0] if values else None


class Answer(msgspec.Struct, frozen=True):
    status: int
    content: bytes
    headers: dict[str, str] = {}
    media_type: str = JSON


class Refused(Exception):
    """The provider says no; the API decides how that looks on the wire."""

    def __init__(self, status: int, name: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message
        self.headers = dict(headers or {})


def json_answer(status: int, value: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, msgspec.json.encode(value), headers or {})
