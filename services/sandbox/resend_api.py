"""The Resend API: who may call, and what each endpoint does."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from services.sandbox.calls import Answer, Call, Refused, json_answer
from services.sandbox.mailbox import Draft, Mail, Remembered
from services.sandbox.resend_rules import (
    decode,
    invalid,
    parse_batch,
    parse_batch_email,
    parse_email,
    parse_key,
    parse_time,
)
from services.sandbox.shell import Provider
from services.sandbox.state import State

# What the provider's edge answers to a request without User-Agent: not JSON, and not an API error.
NO_USER_AGENT = "user_agent_missing"
MAX_LISTED, LISTED = 100, 20


def refuse(error: Refused) -> Answer:
    if error.name == NO_USER_AGENT:
        return Answer(error.status, b"error code: 1010", media_type="text/plain")
    body = {"statusCode": error.status, "name": error.name, "message": error.message}
    return json_answer(error.status, body, error.headers)


def admit(state: State, call: Call) -> dict[str, str]:
    """Headers for the answer. Errors: Refused."""
    if not call.headers.get("user-agent"):
        raise Refused(403, NO_USER_AGENT, "A User-Agent is required.")
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "missing_api_key", "Missing API key in the authorization header.")
    if not token.startswith("re_"):
        raise Refused(403, "invalid_api_key", "API key is invalid.")
    return _within_rate(state, call)


def _within_rate(state: State, call: Call) -> dict[str, str]:
    rate = state.options.resend_rate
    if rate is None:
        return {}
    allowance = state.resend_window.take(rate, call.at)
    headers = {
        "ratelimit-limit": str(allowance.limit),
        "ratelimit-remaining": str(allowance.remaining),
        "ratelimit-reset": str(allowance.reset_s),
    }
    if not allowance.allowed:
        message = f"Too many requests. You can only make {allowance.limit} requests per second."
        raise Refused(429, "rate_limit_exceeded", message, {**headers, "retry-after": str(allowance.reset_s)})
    return headers


def busy() -> Refused:
    return Refused(
        409,
        "concurrent_idempotent_requests",
        "Same idempotency key used while original request is still in progress.",
    )


RESEND = Provider(
    api="resend",
    admit=admit,
    refuse=refuse,
    busy=busy,
    names={
        400: "validation_error",
        401: "missing_api_key",
        403: "invalid_api_key",
        404: "not_found",
        405: "method_not_allowed",
        409: "concurrent_idempotent_requests",
        422: "validation_error",
        429: "rate_limit_exceeded",
        500: "application_error",
        503: "service_unavailable",
    },
)


class Accepted(msgspec.Struct, frozen=True):
    """Emails that passed, and what a permissive batch says about those that did not."""

    drafts: list[Draft]
    errors: list[dict[str, object]] | None = None


def send(state: State, call: Call) -> Answer:
    def parse() -> Accepted:
        return Accepted([parse_email(decode(call.body), call.at)])

    return _once(state, call, parse, lambda mails, _: {"id": mails[0].id})


def send_batch(state: State, call: Call) -> Answer:
    return _once(state, call, lambda: _parse_batch(call), _batch_body)


def _batch_body(mails: list[Mail], accepted: Accepted) -> dict[str, object]:
    body: dict[str, object] = {"data": [{"id": mail.id} for mail in mails]}
    return body if accepted.errors is None else {**body, "errors": accepted.errors}


def _parse_batch(call: Call) -> Accepted:
    """Strict is all or nothing; permissive sends what it can and names the rest by index."""
    mode = call.headers.get("x-batch-validation", "strict")
    if mode not in {"strict", "permissive"}:
        invalid("The `x-batch-validation` header must be `strict` or `permissive`.")
    drafts: list[Draft] = []
    errors: list[dict[str, object]] = []
    for index, payload in enumerate(parse_batch(decode(call.body))):
        try:
            drafts.append(parse_batch_email(payload, call.at))
        except Refused as refused:
            if mode == "strict":
                raise
            errors.append({"index": index, "message": refused.message})
    return Accepted(drafts, errors if mode == "permissive" else None)


def _once(
    state: State,
    call: Call,
    parse: Callable[[], Accepted],
    body: Callable[[list[Mail], Accepted], dict[str, object]],
) -> Answer:
    """A key that was seen in the last 24 hours answers as it did then; a refusal leaves no memory."""
    key, fingerprint = parse_key(call.key), _fingerprint(call)
    known = state.store.mailbox.remembered(key, call.at) if key is not None else None
    if known is not None:
        return _replay(known, fingerprint)
    accepted = parse()
    mails = _stamp(accepted.drafts, state.store.mailbox.next_sequence(), key, call.at)
    answer = json_answer(200, body(mails, accepted))
    state.store.mailbox.accept(mails, key, Remembered(fingerprint, answer), call.at)
    state.webhooks.accepted(mails)
    return answer


def _fingerprint(call: Call) -> str:
    """Of the raw bytes: whether the real one forgives another key order is unknown, so this does not."""
    return hashlib.sha256(call.path.encode() + b"\n" + call.body).hexdigest()


def _replay(known: Remembered, fingerprint: str) -> Answer:
    if known.fingerprint != fingerprint:
        message = "Same idempotency key used with a different request payload."
        raise Refused(409, "invalid_idempotent_request", message)
    return known.answer


def _stamp(drafts: list[Draft], first: int, key: str | None, at: datetime) -> list[Mail]:
    return [
        Mail(
            **{name: getattr(draft, name) for name in Draft.__struct_fields__},
            sequence=first + place,
            id=str(uuid4()),
            accepted_at=at,
            idempotency_key=key,
        )
        for place, draft in enumerate(drafts)
    ]


def retrieve(state: State, call: Call) -> Answer:
    return json_answer(200, _full(_find(state, call.target), call.at))


def list_emails(state: State, call: Call) -> Answer:
    limit = _limit(call.first("limit"))
    after, before = call.first("after"), call.first("before")
    if after and before:
        invalid("Use either `after` or `before`, not both.")
    # In a newest-first list "after" a mail means older than it.
    older_than = _find(state, after).sequence if after else None
    newer_than = _find(state, before).sequence if before else None
    mails = state.store.mailbox.newest(limit + 1, before=older_than, after=newer_than)
    kept = mails[:limit] if newer_than is None else mails[-limit:]
    body = {
        "object": "list",
        "has_more": len(mails) > limit,
        "data": [_brief(mail, call.at) for mail in kept],
    }
    return json_answer(200, body)


def cancel(state: State, call: Call) -> Answer:
    mail = _scheduled(state, call)
    state.store.mailbox.replace(msgspec.structs.replace(mail, canceled_at=call.at))
    return json_answer(200, {"object": "email", "id": mail.id})


def update(state: State, call: Call) -> Answer:
    """Only the time can change."""
    fields = decode(call.body)
    if not isinstance(fields, dict) or not fields.keys() <= {"id", "scheduled_at"}:
        invalid("Only `scheduled_at` can be updated.")
    mail = _scheduled(state, call)
    at = parse_time(fields.get("scheduled_at"), call.at)
    state.store.mailbox.replace(msgspec.structs.replace(mail, scheduled_at=at))
    return json_answer(200, {"object": "email", "id": mail.id})


def _limit(text: str | None) -> int:
    limit = int(text) if text and text.isdecimal() else LISTED if text is None else 0
    if not 1 <= limit <= MAX_LISTED:
        invalid(f"The `limit` parameter must be between 1 and {MAX_LISTED}.")
    return limit


def _find(state: State, mail_id: str) -> Mail:
    try:
        mail = state.store.mailbox.find(str(UUID(mail_id)))
    except ValueError:
        invalid("The `id` must be a valid UUID.")
    if mail is None:
        raise Refused(404, "not_found", "Email not found")
    return mail


def _scheduled(state: State, call: Call) -> Mail:
    mail = _find(state, call.target)
    if mail.last_event(call.at) != "scheduled":
        invalid("Email is not scheduled: it was already sent or canceled.")
    return mail


def _brief(mail: Mail, now: datetime) -> dict[str, object]:
    return {
        "id": mail.id,
        "message_id": f"<{mail.id}@sandbox.example.com>",
        "to": mail.to,
        "from": mail.sender,
        "created_at": mail.accepted_at,
        "subject": mail.subject,
        "bcc": mail.bcc or None,
        "cc": mail.cc or None,
        "reply_to": mail.reply_to or None,
        "last_event": mail.last_event(now),
        "scheduled_at": mail.scheduled_at,
    }


def _full(mail: Mail, now: datetime) -> dict[str, object]:
    return {"object": "email", **_brief(mail, now), "html": mail.html, "text": mail.text, "tags": mail.tags}
