"""The mail provider's route."""

from typing import Any, Literal

import msgspec
from litestar import Response, post
from litestar.openapi import ResponseSpec

from contracts.ids import digest
from services.ingest.counting import WEBHOOK
from services.ingest.metrics import IGNORED as IGNORED_COUNT
from services.ingest.operations import DELIVERY_PROBLEMS, DeliveryOperation
from services.ingest.problems import wrong_fields
from services.ingest.resend import IGNORED, TYPES, Ignored, Told, translate
from services.ingest.shell import MAX_DELIVERY, AnyRequest, Shell, json_object, read_body, store
from services.ingest.signature import SvixSignatures
from services.ingest.story import tell


class DeliveryAccepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the email is in the event log."""

    status: Literal["accepted"]
    event_id: str
    duplicate: bool = False


class DeliveryIgnored(msgspec.Struct, frozen=True):
    """Understood, and nothing to act on."""

    status: Literal["ignored"]
    event: str


ANSWERS = {
    200: ResponseSpec(
        DeliveryIgnored, description="A type nothing follows from, or an email to nobody. Nothing was stored."
    ),
    202: ResponseSpec(DeliveryAccepted, description="What became of the email is in the event log."),
}


@post(
    "/webhook/resend",
    status_code=202,
    request_max_body_size=MAX_DELIVERY,
    operation_class=DeliveryOperation,
    responses=ANSWERS | DELIVERY_PROBLEMS,
    summary="Take what Resend says became of an email",
    tags=["webhooks"],
    opt={WEBHOOK: "resend"},
)
async def resend_delivery(request: AnyRequest) -> Response[Any]:
    """One webhook to its facts, and 202 only once they are in a file store.

    Errors: Refusal; after a 503 the same webhook again adds only what was not stored.
    """
    shell: Shell = request.app.state.ingest
    body = await read_body(request, MAX_DELIVERY)
    shell.deliveries.check(body, request.headers)
    told = _translate(shell, body, request.headers.get(SvixSignatures.ID))
    if isinstance(told, Ignored):
        return _ignored(told)
    stored = [await store(shell, fact, "webhook") for fact in told.facts]
    is_duplicate = all(each.duplicate for each in stored)
    return Response(DeliveryAccepted("accepted", told.facts[0].id, is_duplicate), status_code=202)


def _translate(shell: Shell, body: bytes, webhook: str | None) -> Told | Ignored:
    found = translate(json_object(body), webhook, shell.clock(), digest(body.decode("utf-8", "replace")))
    if isinstance(found, Told | Ignored):
        return found
    raise wrong_fields((found,))


def _ignored(found: Ignored) -> Response[DeliveryIgnored]:
    known = found.event if found.event in IGNORED or found.event in TYPES else "other"
    IGNORED_COUNT.labels(known).inc()
    tell("delivery_ignored", event_type=known, why=found.why)
    return Response(DeliveryIgnored("ignored", found.event), status_code=200)
