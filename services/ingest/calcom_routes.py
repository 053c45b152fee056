"""The calendar's routes."""

from datetime import datetime
from typing import Any, Literal, cast

import msgspec
from litestar import Response, post
from litestar.openapi import ResponseSpec

from contracts.facts import AnyFact
from contracts.ids import digest
from services.ingest.calcom import IGNORED, TRIGGERS, VERSIONS, Ignored, Told, translate
from services.ingest.counting import WEBHOOK
from services.ingest.metrics import IGNORED as IGNORED_COUNT
from services.ingest.operations import BOOKING_PROBLEMS, BookingOperation
from services.ingest.problems import wrong_fields
from services.ingest.shell import MAX_BOOKING, AnyRequest, Shell, json_object, read_body, store
from services.ingest.story import tell
from services.ingest.text import clean


class BookingAccepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened to the booking is in the event log. `email` is the booker's; a no-show tells no time."""

    status: Literal["accepted"]
    email: str
    meeting_time: datetime | None
    event_id: str
    duplicate: bool = False


class BookingIgnored(msgspec.Struct, frozen=True):
    """Understood, and nothing to act on."""

    status: Literal["ignored"]
    event: str


ANSWERS = {
    200: ResponseSpec(
        BookingIgnored, description="A trigger nothing follows from, or a test without a booking. Nothing was stored."
    ),
    202: ResponseSpec(BookingAccepted, description="What happened to the booking is in the event log."),
}


@post(
    ["/webhook/calcom-booking", "/webhook/calcom"],
    status_code=202,
    request_max_body_size=MAX_BOOKING,
    operation_class=BookingOperation,
    responses=ANSWERS | BOOKING_PROBLEMS,
    summary="Take what Cal.com says of a booking",
    tags=["webhooks"],
    opt={WEBHOOK: "calcom"},
)
async def calcom_booking(request: AnyRequest) -> Response[Any]:
    """One webhook to its facts, and 202 only once they are in a file store.

    Errors: Refusal; after a 503 the same webhook again adds only what was not stored.
    """
    shell: Shell = request.app.state.ingest
    body = await read_body(request, MAX_BOOKING)
    shell.bookings.check(body, request.headers)
    _look_at_version(request.headers.get("x-cal-webhook-version"))
    told = _translate(shell, body)
    if isinstance(told, Ignored):
        return _ignored(told)
    stored = [await store(shell, cast("AnyFact", fact), "booking") for fact in told.facts]
    return _accepted(told, is_duplicate=all(each.duplicate for each in stored))


def _look_at_version(version: str | None) -> None:
    """A new one may be worth a look; it is no reason to lose a booking."""
    if version is not None and version not in VERSIONS:
        tell("webhook", "warning", unknown_calcom_version=clean(version[:40]))


def _translate(shell: Shell, body: bytes) -> Told | Ignored:
    found = translate(json_object(body), shell.clock(), digest(body.decode("utf-8", "replace")))
    if isinstance(found, Told | Ignored):
        return found
    raise wrong_fields((found,))


def _ignored(found: Ignored) -> Response[BookingIgnored]:
    known = found.event if found.event in IGNORED or found.event in TRIGGERS else "other"
    IGNORED_COUNT.labels(known).inc()
    tell("booking_ignored", event_type=known)
    return Response(BookingIgnored("ignored", found.event), status_code=200)


def _accepted(told: Told, *, is_duplicate: bool) -> Response[BookingAccepted]:
    first = told.facts[0]
    answer = BookingAccepted("accepted", first.booker.email, told.meeting_time, first.id, is_duplicate)
    return Response(answer, status_code=202)
