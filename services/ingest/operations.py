"""What a webhook route takes and answers, for the description of the API."""

from dataclasses import dataclass
from typing import Any, ClassVar, cast

from litestar.openapi import ResponseSpec
from litestar.openapi.spec import (
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    RequestBody,
    Schema,
)

from services.ingest import resend
from services.ingest.calcom import IGNORED, TRIGGERS
from services.ingest.form import Form, Person, Scores
from services.ingest.problems import PROBLEM_JSON, Problem
from services.ingest.signup import NESTED
from services.ingest.trigger import TriggerForm

LENIENT = (
    'Numbers may be sent as text; null and "" mean not given. Unknown fields are kept with the signup, at most 50 '
    "of them and 16 kB. The fields of the assessment may stand in the form itself or under `assessment_data`, on "
    "every route; where both are given, the form itself wins. Where SIGNUP_WEBHOOK_SECRET is set, the raw body must "
    "be signed (Standard Webhooks)."
)

VARIABLES = (
    "Everything beside the four known fields is kept as variables of the campaign, at most 50 of them and 16 kB. With "
    "an `id`, the same trigger again counts once, whatever else it says; without, the same content does. Where "
    "SIGNUP_WEBHOOK_SECRET is set, the raw body must be signed (Standard Webhooks)."
)
BOOKED = (
    "As Cal.com sends it, in webhook versions 2021-10-20 and 2026-07-27; the booking may also stand beside "
    "`triggerEvent`, or in `payload.booking`. A body without `uid` is a test. Where CALCOM_WEBHOOK_SECRET is set, "
    "X-Cal-Signature-256 must sign the raw body."
)

DELIVERED = (
    "As Resend sends it, once for each recipient. The tags that went out with an email tell which one it is; without "
    "them `to` tells whom it was for. The same svix-id counts once. Where RESEND_WEBHOOK_SECRET is set, svix-signature "
    "must sign the raw body (Svix)."
)

_SENT = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "business_name": "Ada's Bakery",
}
_SCORED = {
    "assessment_score": 42,
    "red_systems": 2,
    "orange_systems": 1,
    "yellow_systems": 1,
    "green_systems": 3,
    "gps_score": 35.5,
    "money_score": 50,
    "weakest_system_1": "Lead follow-up",
    "weakest_system_2": "Invoicing",
    "revenue_leak_total": 14500,
}
_TRIGGERED = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "occurred_at": "2026-01-12T16:30:00Z",
    "id": "invoice-1042",
    "invoice_url": "https://www.example.com/invoices/1042",
}
_BOOKED = {
    "triggerEvent": "BOOKING_CREATED",
    "createdAt": "2026-01-05T09:30:00.000Z",
    "payload": {
        "uid": "bkXa4mPle9uidQ7",
        "type": "intro-call",
        "title": "Intro call between Grace Hopper and Ada Lovelace",
        "startTime": "2026-01-12T15:00:00.000Z",
        "endTime": "2026-01-12T15:30:00.000Z",
        "organizer": {"name": "Grace Hopper", "email": "grace@example.com", "timeZone": "Europe/London"},
        "attendees": [{"name": "Ada Lovelace", "email": "ada@example.com", "timeZone": "Europe/Berlin"}],
        "metadata": {"videoCallUrl": "https://video.example.com/intro"},
    },
}
_BOUNCED = {
    "created_at": "2026-01-12T16:30:02.126Z",
    "data": {
        "email_id": "56761188-7520-42d8-8898-ff6fc54ce618",
        "created_at": "2026-01-12 16:30:01.894719+00:00",
        "from": "Business X <hello@example.com>",
        "to": ["ada@example.com"],
        "bounce": {"message": "The mailbox does not exist.", "type": "Permanent", "subType": "General"},
        "tags": {"contact": "cwx6ilzkxkx46bubquefliqu3nm", "campaign": "christmas-2025", "step": "email-1"},
    },
    "type": "email.bounced",
}


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(
        Problem,
        description=description,
        media_type=PROBLEM_JSON,
        generate_examples=False,
    )


PROBLEMS = {
    400: _problem("Not a form, or fields that are missing or wrong, each named. Nothing was stored."),
    401: _problem("Not signed, or not signed by us within the last five minutes. Nothing was stored."),
    404: _problem("No such campaign, or no such trigger; the known ones are named. Nothing was stored."),
    408: _problem("The body did not arrive in time. Nothing was stored."),
    413: _problem("The body is over 64 kB. Nothing was stored."),
    500: _problem("A bug of ours. Send it again: the same webhook counts once."),
    503: _problem("JetStream cannot be reached. Send it again after Retry-After: the same webhook counts once."),
}
BOOKING_PROBLEMS = {status: said for status, said in PROBLEMS.items() if status != 404} | {
    400: _problem("Not JSON, or a booking without a usable attendee or time. Nothing was stored."),
    401: _problem("Not signed with the secret of this webhook. Nothing was stored."),
    413: _problem("The body is over 256 kB. Nothing was stored."),
}
DELIVERY_PROBLEMS = BOOKING_PROBLEMS | {
    400: _problem("Not JSON, or without a type or data. Nothing was stored."),
    401: _problem("Not signed with the secret of this webhook within the last five minutes. Nothing was stored."),
}
UNREADY = {503: _problem("Not now; the detail names what is missing.")}


def form_schema() -> dict[str, Any]:
    """Both nesting forms, as JSON Schema."""
    flat, person, scores = (model.model_json_schema() for model in (Form, Person, Scores))
    nested = {
        **person,
        "properties": {**person["properties"], NESTED: {**scores, "additionalProperties": True}},
        "required": [*person["required"], NESTED],
        "title": "Assessment nested",
    }
    return {
        "description": LENIENT,
        "anyOf": [{**each, "additionalProperties": True} for each in ({**flat, "title": "All on one level"}, nested)],
    }


def _trigger_schema() -> dict[str, Any]:
    return {"description": VARIABLES, **TriggerForm.model_json_schema(), "additionalProperties": True}


@dataclass
class WebhookOperation(Operation):
    """A route that reads the raw body (the signature covers its bytes), so the body's schema is told here."""

    body_schema: ClassVar[dict[str, Any]]
    body_examples: ClassVar[dict[str, Example]]
    body_limit: ClassVar[str] = "At most 64 kB."

    def __post_init__(self) -> None:
        content = OpenAPIMediaType(schema=cast("Schema", self.body_schema), examples=dict(self.body_examples))
        self.request_body = RequestBody({"application/json": content}, description=self.body_limit, required=True)
        unavailable = (self.responses or {}).get("503")
        if isinstance(unavailable, OpenAPIResponse):
            unavailable.headers = {
                "Retry-After": OpenAPIHeader(schema=cast("Schema", {"type": "integer"}), description="Seconds")
            }


@dataclass
class SignupOperation(WebhookOperation):
    """A form of the website."""

    body_schema = form_schema()
    body_examples: ClassVar = {
        "flat": Example(summary="On one level", value={**_SENT, **_SCORED}),
        "nested": Example(summary="Nested", value={**_SENT, NESTED: _SCORED}),
    }


@dataclass
class TriggerOperation(WebhookOperation):
    """What happened outside."""

    body_schema = _trigger_schema()
    body_examples: ClassVar = {"trigger": Example(summary="With an id and a variable", value=_TRIGGERED)}


@dataclass
class BookingOperation(WebhookOperation):
    """What Cal.com sends."""

    body_schema: ClassVar = {
        "type": "object",
        "description": BOOKED,
        "properties": {
            "triggerEvent": {"type": "string", "minLength": 1, "examples": sorted({*TRIGGERS, *IGNORED})},
            "createdAt": {"type": "string", "format": "date-time"},
            "payload": {"type": "object", "additionalProperties": True},
        },
        "required": ["triggerEvent"],
        "additionalProperties": True,
    }
    body_examples: ClassVar = {
        "created": Example(summary="A booking", value=_BOOKED),
        "ping": Example(summary="The test button", value={**_BOOKED, "triggerEvent": "PING", "payload": {}}),
    }
    body_limit = "At most 256 kB."


@dataclass
class DeliveryOperation(WebhookOperation):
    """What Resend sends."""

    body_schema: ClassVar = {
        "type": "object",
        "description": DELIVERED,
        "properties": {
            "type": {"type": "string", "minLength": 1, "examples": sorted({*resend.TYPES, *resend.IGNORED})},
            "created_at": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "additionalProperties": True},
        },
        "required": ["type"],
        "additionalProperties": True,
    }
    body_examples: ClassVar = {"bounced": Example(summary="A bounce", value=_BOUNCED)}
    body_limit = "At most 256 kB."
