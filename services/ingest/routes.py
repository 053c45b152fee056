"""The website's routes, and the operators'. A webhook reads: verify → translate → append → 202."""

from importlib.metadata import version
from typing import Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from contracts.facts import SignupReceived
from eventlog.connection import Stored
from services.ingest.counting import WEBHOOK
from services.ingest.operations import PROBLEMS, UNREADY, SignupOperation
from services.ingest.problems import NotReady, wrong_fields
from services.ingest.shell import AnyRequest, Shell, json_object, known_campaign, read_body, store
from services.ingest.signup import translate

VERSION = version("dripstream")
CHRISTMAS = "christmas-2025"


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
    opt={WEBHOOK: "signup"},
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
    opt={WEBHOOK: "signup"},
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
    body = await read_body(request)
    shell.signups.check(body, request.headers)
    fact = _translate(shell, body, campaign)
    stored = await store(shell, fact, "signup")
    return _accepted(fact, stored)


def _translate(shell: Shell, body: bytes, campaign: str) -> SignupReceived:
    known_campaign(shell, campaign)
    fact = translate(json_object(body), campaign, shell.clock())
    if isinstance(fact, SignupReceived):
        return fact
    raise wrong_fields(fact)


def _accepted(fact: SignupReceived, stored: Stored) -> Response[Accepted]:
    return Response(
        Accepted("accepted", fact.email, "Signup queued for processing", fact.id, stored.duplicate),
        status_code=202,
    )
