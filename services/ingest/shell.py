"""What every webhook route does with the outside: read the body, append the fact."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import HTTPException, InternalServerException

from contracts.facts import AnyFact
from eventlog.connection import Stored, Unavailable
from eventlog.log import EventLog
from services.ingest.body import NotAForm, read_object
from services.ingest.guard import Guard
from services.ingest.problems import RETRY_AFTER, Refusal
from services.ingest.story import tell
from services.ready import Readiness

MAX_BODY, MAX_BOOKING, MAX_DELIVERY = 64 * 1024, 256 * 1024, 256 * 1024
BODY_S = 10
"""How long a sender may take over a body."""

AnyRequest = Request[Any, Any, State]


@dataclass(frozen=True)
class Shell:
    """What the routes work with, as `app.state.ingest`. `campaigns` are the trigger names each knows, by id."""

    events: EventLog
    campaigns: Mapping[str, Collection[str]]
    signups: Guard
    bookings: Guard
    deliveries: Guard
    readiness: Readiness
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


async def read_body(request: AnyRequest, limit: int = MAX_BODY) -> bytes:
    """Never more than the route's limit, however it is sent. Errors: Refusal."""
    try:
        async with asyncio.timeout(BODY_S):
            return await request.body()
    except TimeoutError:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "The body did not arrive in time.") from None
    except InternalServerException:  # Litestar's word for a sender that hung up
        raise Refusal(HTTPStatus.BAD_REQUEST, "cut_short", "The body did not arrive.") from None
    except HTTPException as error:
        if error.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
        detail = f"The body is over {limit // 1024} kB."
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail) from None


def json_object(body: bytes) -> dict[str, Any]:
    """Errors: Refusal."""
    try:
        return read_object(body)
    except NotAForm as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "not_json", str(error)) from None


def known_campaign(shell: Shell, campaign: str) -> None:
    """Errors: Refusal, naming the known ones."""
    if campaign not in shell.campaigns:
        detail = f"There is no such campaign. Known campaigns: {listed(shell.campaigns)}."
        raise Refusal(HTTPStatus.NOT_FOUND, "unknown_campaign", detail)


def listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


async def store(shell: Shell, fact: AnyFact, source: str) -> Stored:
    """Append and tell of one fact, without personal data. Errors: Refusal, and then the same again is safe."""
    try:
        stored = await shell.events.append(fact)
    except Unavailable as error:
        tell("not_stored", "warning", contact=fact.contact, type=fact.tag, event_id=fact.id, detail=str(error))
        detail = f"{source.capitalize()}s cannot be stored right now; please send it again in a few seconds."
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers=RETRY_AFTER) from error
    result = "duplicate" if stored.duplicate else "stored"
    tell(source, contact=fact.contact, type=fact.tag, event_id=fact.id, result=result)
    return stored
