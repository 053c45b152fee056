"""Offering a webhook something hostile, and what must hold of every answer."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from contracts import subjects
from contracts.codec import decode_fact, encode
from contracts.facts import AnyFact
from eventlog.connection import Broker
from tests import calcom, deliveries
from tests.factories import ADA, CAMPAIGN
from tests.fuzz.corpus import MARK
from tests.unit.ingest.forms import FORM, NESTED

PATIENCE_S = 60
"""Far more than any answer takes on a busy machine: longer means that it hangs."""

LONGEST_ANSWER = 4_000
"""A problem names each field of a form once; of what was sent only an address or the name of an event is repeated."""


@dataclass(frozen=True)
class Webhook:
    """A route, a body it takes, and the places in that body where a text can stand."""

    path: str
    good: dict[str, Any]
    places: tuple[tuple[str | int, ...], ...]
    before: tuple[dict[str, Any], ...] = ()
    """What was sent to it earlier."""

    def with_at(self, place: tuple[str | int, ...], value: object) -> dict[str, Any]:
        body = json.loads(json.dumps(self.good))
        inner = body
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        return dict(body)


BOOKING = calcom.created(location="1 Example Street", metadata={"videoCallUrl": calcom.VIDEO})
_PERSON = (("name",), ("firstName",), ("email",), ("timeZone",), ("language", "locale"))

WEBHOOKS: dict[str, Webhook] = {
    "signup": Webhook("/webhook/christmas-signup", FORM, tuple((name,) for name in (*FORM, "extra", "x-y"))),
    "signup, nested": Webhook(
        f"/webhook/signup/{CAMPAIGN}", NESTED, tuple(("assessment_data", name) for name in (*FORM, "extra"))
    ),
    "trigger": Webhook(
        f"/webhook/trigger/{CAMPAIGN}/paid",
        {"email": ADA, "first_name": "Ada", "id": "invoice-1042", "amount": 950},
        (("email",), ("first_name",), ("id",), ("occurred_at",), ("amount",), ("invoice_url",)),
    ),
    "booking": Webhook(
        "/webhook/calcom",
        BOOKING,
        (
            ("triggerEvent",),
            ("createdAt",),
            *(
                ("payload", name)
                for name in ("uid", "startTime", "endTime", "title", "type", "location", "iCalUID", "rescheduleUid")
            ),
            ("payload", "metadata", "videoCallUrl"),
            *(("payload", "attendees", 0, *each) for each in _PERSON),
            *(("payload", "organizer", *each) for each in _PERSON[:3]),
            ("payload", "responses", "name", "value"),
        ),
    ),
    "cancellation": Webhook(
        "/webhook/calcom-booking",
        calcom.cancelled(),
        (("payload", "cancellationReason"), ("payload", "cancelledBy"), ("payload", "requestReschedule")),
        (BOOKING,),
    ),
}


DELIVERIES: dict[str, Webhook] = {
    "bounce": Webhook(
        "/webhook/resend",
        deliveries.bounced(),
        (
            ("type",),
            ("created_at",),
            *(("data", name) for name in ("email_id", "to")),
            *(("data", "bounce", name) for name in ("message", "type", "subType")),
            *(("data", "tags", name) for name in ("contact", "campaign", "instance", "email_id")),
        ),
    ),
    "click": Webhook(
        "/webhook/resend",
        deliveries.clicked(),
        (("data", "click"), ("data", "tags"), ("data", "to", 0)),
    ),
}
"""What becomes no email, but a fact about one."""


async def offer(
    ingest: httpx.AsyncClient,
    broker: Broker,
    path: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Post it, and check what holds of every answer. Not for use beside itself: it looks at what is stored."""
    before = await last_sequence(broker)
    posting = ingest.post(path, content=body, headers=headers or {"content-type": "application/json"})
    answer = await asyncio.wait_for(posting, PATIENCE_S)
    added = await facts_since(broker, before)
    assert answer.status_code < 500, answer.text
    assert len(answer.content) <= LONGEST_ANSWER
    assert not {"x-evil", "bcc"} & set(answer.headers.keys())
    assert "json" in answer.headers["content-type"]
    echoed = {name: value for name, value in answer.json().items() if MARK.lower() in str(value).lower()}
    assert echoed.keys() <= {"email", "event"}
    assert all(len(value) <= 254 for value in echoed.values())
    if answer.status_code == 202:
        _check_accepted(answer.json(), added)
    else:
        assert added == []
        if answer.status_code != 200:
            _check_refused(answer)
    return answer


def _check_accepted(said: dict[str, Any], added: list[AnyFact]) -> None:
    """One fact, unless it was there already; one about several people, or about a guest, is a fact for each."""
    assert said["status"] == "accepted"
    if said.get("duplicate"):
        assert added == []
        return
    assert said["event_id"] == added[0].id
    contacts = [each.contact for each in added]
    assert len(contacts) == len(set(contacts))
    assert len(contacts) == 1 or added[0].tag.startswith(("booking_", "no_show_", "meeting_", "email_"))


def _check_refused(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "errors"}
    assert problem["status"] == answer.status_code


async def last_sequence(broker: Broker) -> int:
    return int((await broker.js.stream_info(subjects.EVENTS)).state.last_seq)


async def facts_since(broker: Broker, sequence: int) -> list[AnyFact]:
    """What was stored since, each decoded, encoded again to the same bytes, and under its own subject."""
    facts = []
    for number in range(sequence + 1, await last_sequence(broker) + 1):
        message = await broker.js.get_msg(subjects.EVENTS, seq=number)
        fact = decode_fact(message.data or b"")
        assert encode(fact) == message.data
        assert subjects.fact_subject(fact) == message.subject
        facts.append(fact)
    return facts


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()
