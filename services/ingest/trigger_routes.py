"""The route for what happens outside: a call is done, an invoice paid."""

from http import HTTPStatus
from typing import Literal

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from contracts.facts import Triggered
from services.ingest.counting import WEBHOOK
from services.ingest.operations import PROBLEMS, TriggerOperation
from services.ingest.problems import Refusal, wrong_fields
from services.ingest.shell import AnyRequest, Shell, json_object, known_campaign, listed, read_body, store
from services.ingest.trigger import translate_trigger


class TriggerAccepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """The trigger is in the event log."""

    status: Literal["accepted"]
    email: str
    event_id: str
    duplicate: bool = False


@post(
    "/webhook/trigger/{campaign:str}/{name:str}",
    status_code=202,
    operation_class=TriggerOperation,
    responses=PROBLEMS,
    summary="Start or stop a campaign's sequences by a name its file knows",
    tags=["webhooks"],
    opt={WEBHOOK: "trigger"},
)
async def campaign_trigger(
    request: AnyRequest, campaign: FromPath[str], name: FromPath[str]
) -> Response[TriggerAccepted]:
    """Errors: Refusal, and then nothing was stored."""
    shell: Shell = request.app.state.ingest
    body = await read_body(request)
    shell.signups.check(body, request.headers)
    fact = _translate(shell, body, campaign, name)
    stored = await store(shell, fact, "trigger")
    return Response(TriggerAccepted("accepted", fact.email, fact.id, stored.duplicate), status_code=202)


def _translate(shell: Shell, body: bytes, campaign: str, name: str) -> Triggered:
    known_campaign(shell, campaign)
    names = shell.campaigns[campaign]
    if name not in names:
        detail = f"No sequence of {campaign} knows this trigger. Known triggers: {listed(names)}."
        raise Refusal(HTTPStatus.NOT_FOUND, "unknown_trigger", detail)
    fact = translate_trigger(json_object(body), campaign, name, shell.clock())
    if isinstance(fact, Triggered):
        return fact
    raise wrong_fields(fact)
