"""The routes. A webhook reads: verify → translate → append → 202."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException, InternalServerException
from litestar.params import FromPath

from contracts.facts import SignupReceived
from eventlog.connection import Stored, Unavailable
from eventlog.log import EventLog
from services.ingest.body import NotAForm, read_object
from services.ingest.metrics import FACTS
from services.ingest.openapi import PROBLEMS, UNREADY, SignupOperation
from services.ingest.problems import RETRY_AFTER, NotReady, Refusal
from services.ingest.ready import Readiness
from services.ingest.signature import Signatures, Unsigned
from services.ingest.signup import translate

log = structlog.get_logger(__name__)

VERSION = version("dripstream")
CHRISTMAS = "christmas-2025"
MAX_BODY = 64 * 1024
BODY_S = 10
"""How long a sender may take over a body."""

AnyRequest = Request[Any, Any, State]


@dataclass(frozen=True)
class Shell:
    """What the routes work with, as `app.state.ingest`."""

    events: EventLog
    campaigns: Collection[str]
    signatures: Signatures | None
    readiness: Readiness
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The signup is in the event log: it cannot get lost any more."""

    status: Literal["accepted"]
    email: str
    message: str
    event_id: str
    duplicate: bool = False


class Alive(msgspec.Struct, frozen=True):
    status: Literal["alive"]
    version: str


class Ready(msgspec.Struct, frozen=True):
    status: Literal["ready"]
    version: str


@post(
    ["/webhook/christmas-signup", "/webhook/christmas-campaign-signup"],
    status_code=202,
    operation_class=SignupOperation,
    responses=PROBLEMS,
    summary=f"Sign up for {CHRISTMAS}",
    tags=["webhooks"],
)
async def christmas_signup(request: AnyRequest) -> Response[Accepted]:
    return await take_signup(request, CHRISTMAS)


@post(
    "/webhook/signup/{campaign:str}",
    status_code=202,
    operation_class=SignupOperation,
    responses=PROBLEMS,
    summary="Sign up for a campaign",
    tags=["webhooks"],
)
async def campaign_signup(request: AnyRequest, campaign: FromPath[str]) -> Response[Accepted]:
    return await take_signup(request, campaign)


@get("/health", summary="Is the process alive?", tags=["operations"])
async def health() -> Alive:
    return Alive("alive", VERSION)


@get("/ready", summary="Can it take a signup?", responses=UNREADY, tags=["operations"])
async def ready(request: AnyRequest) -> Ready:
    shell: Shell = request.app.state.ingest
    obstacle = await shell.readiness.obstacle()
    if obstacle:
        raise NotReady(obstacle)
    return Ready("ready", VERSION)


async def take_signup(request: AnyRequest, campaign: str) -> Response[Accepted]:
    """One form to one fact, and 202 only once the fact is in a file store.

    Errors: Refusal, and then nothing was stored (after 503: nothing that the same post again would double).
    """
    shell: Shell = request.app.state.ingest
    body = await _body(request)
    _verify(shell, body, request)
    fact = _translate(shell, body, campaign)
    stored = await _append(shell, fact)
    result = "duplicate" if stored.duplicate else "stored"
    FACTS.labels(fact.tag, result).inc()
    log.info("signup", contact=fact.contact, event_id=fact.id, result=result)
    return _accepted(fact, stored)


async def _body(request: AnyRequest) -> bytes:
    """Never more than the limit, however it is sent."""
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
        detail = f"The body is over {MAX_BODY // 1024} kB."
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail) from None


def _verify(shell: Shell, body: bytes, request: AnyRequest) -> None:
    if shell.signatures is None:
        return
    try:
        shell.signatures.verify(body, request.headers)
    except Unsigned:
        detail = (
            "A valid signature is required in webhook-id, webhook-timestamp and webhook-signature, made within "
            "the last five minutes (www.standardwebhooks.com)."
        )
        raise Refusal(HTTPStatus.UNAUTHORIZED, "unsigned", detail) from None


def _translate(shell: Shell, body: bytes, campaign: str) -> SignupReceived:
    if campaign not in shell.campaigns:
        known = ", ".join(sorted(shell.campaigns)) or "none"
        detail = f"There is no such campaign. Known campaigns: {known}."
        raise Refusal(HTTPStatus.NOT_FOUND, "unknown_campaign", detail)
    try:
        form = read_object(body)
    except NotAForm as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "not_json", str(error)) from None
    fact = translate(form, campaign, shell.clock())
    if isinstance(fact, SignupReceived):
        return fact
    raise Refusal(HTTPStatus.BAD_REQUEST, "invalid", "Some fields are missing or wrong.", errors=fact)


async def _append(shell: Shell, fact: SignupReceived) -> Stored:
    try:
        return await shell.events.append(fact)
    except Unavailable as error:
        log.warning("not_stored", contact=fact.contact, event_id=fact.id, reason=str(error))
        detail = "Signups cannot be stored right now; please send it again in a few seconds."
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers=RETRY_AFTER) from error


def _accepted(fact: SignupReceived, stored: Stored) -> Response[Accepted]:
    return Response(
        Accepted("accepted", fact.email, "Signup queued for processing", fact.id, stored.duplicate),
        status_code=202,
    )
