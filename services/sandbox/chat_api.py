"""Webhooks of Discord and Slack: what each takes, refuses, and whom a message would call.

Discord answers in JSON with a code of its own, Slack in one word of plain text.
"""

import re
from typing import Literal
from uuid import uuid4

import msgspec

from services.sandbox.calls import Answer, Call, Refused, json_answer
from services.sandbox.chat_store import ChatMessage
from services.sandbox.shell import Provider
from services.sandbox.state import State

CONTENT_LIMIT, TEXT_LIMIT = 2_000, 40_000
SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS = 1 << 2, 1 << 12
DISCORD_BURST, SLACK_BURST = 5, 2

INVALID_FORM, EMPTY, UNKNOWN_WEBHOOK, INVALID_TOKEN = "50035", "50006", "10015", "50027"


class Mentions(msgspec.Struct):
    parse: list[Literal["roles", "users", "everyone"]] | None = None
    roles: list[str] = []
    users: list[str] = []


class Execute(msgspec.Struct):
    """Fields Discord does not know it passes over."""

    content: str | None = None
    allowed_mentions: Mentions | None = None
    flags: int = 0
    tts: bool = False


class Incoming(msgspec.Struct):
    text: str | None = None
    mrkdwn: bool = True
    unfurl_links: bool = False
    unfurl_media: bool = True


def refuse_discord(error: Refused) -> Answer:
    if error.status == 429:
        wait = float(error.headers.get("retry-after", "1"))
        body = {"message": "You are being rate limited.", "retry_after": wait, "global": False}
        return json_answer(429, body, error.headers)
    body = {"message": error.message, "code": int(error.name) if error.name.isdigit() else 0}
    return json_answer(error.status, body, error.headers)


def refuse_slack(error: Refused) -> Answer:
    return Answer(error.status, error.name.encode(), error.headers, media_type="text/plain; charset=utf-8")


def admit_discord(state: State, call: Call) -> dict[str, str]:
    """Errors: Refused."""
    _within(state, call, state.options.discord_rate, DISCORD_BURST)
    return {}


def admit_slack(state: State, call: Call) -> dict[str, str]:
    """Errors: Refused."""
    _within(state, call, state.options.slack_rate, SLACK_BURST)
    return {}


def _within(state: State, call: Call, rate: float | None, burst: int) -> None:
    wait = state.chat_buckets[call.path].take(rate, burst, call.at) if rate else 0
    if wait:
        raise Refused(429, "rate_limited", "You are being rate limited.", {"retry-after": str(wait)})


def execute(state: State, call: Call) -> Answer:
    """`POST /api/webhooks/{id}/{token}`. Errors: Refused."""
    if not (call.target.isascii() and call.target.isdigit()):
        raise Refused(400, INVALID_FORM, "Invalid Form Body")  # no snowflake
    if not call.headers.get("content-type", "").startswith("application/json"):
        raise Refused(400, EMPTY, "Cannot send an empty message")
    message = _decode_discord(call.body)
    if not (message.content or "").strip():
        raise Refused(400, EMPTY, "Cannot send an empty message")
    if _length(message.content or "") > CONTENT_LIMIT or message.flags & ~(SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS):
        raise Refused(400, INVALID_FORM, "Invalid Form Body")
    kept = _keep(state, call, message.content or "", discord_calls(message))
    if call.first("wait") != "true":
        return Answer(204, b"")
    return json_answer(200, {"id": kept.id, "webhook_id": call.target, "content": kept.text, "type": 0})


def incoming(state: State, call: Call) -> Answer:
    """`POST /services/{team}/{channel}/{token}`. Errors: Refused."""
    try:
        message = msgspec.json.decode(call.body, type=Incoming)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(400, "invalid_payload", "The body is not what it should be.") from None
    if not (message.text or "").strip():
        raise Refused(400, "no_text", "There is nothing to say.")
    text = (message.text or "")[:TEXT_LIMIT]
    _keep(state, call, text, slack_calls(text))
    return Answer(200, b"ok", media_type="text/html")


def discord_calls(message: Execute) -> tuple[str, ...]:
    """Without `allowed_mentions` Discord reads them all."""
    content, allowed = message.content or "", message.allowed_mentions
    kinds = {"everyone", "users", "roles"} if allowed is None or allowed.parse is None else set(allowed.parse)
    patterns = {"everyone": r"@(?:everyone|here)", "users": r"<@!?\d+>", "roles": r"<@&\d+>"}
    return tuple(found for kind in sorted(kinds) for found in re.findall(patterns[kind], content))


def slack_calls(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"<(?:![^<>]+|@[A-Z0-9]+[^<>]*)>", text))


def _decode_discord(body: bytes) -> Execute:
    try:
        return msgspec.json.decode(body, type=Execute)
    except msgspec.ValidationError:
        raise Refused(400, INVALID_FORM, "Invalid Form Body") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(400, "50109", "The request body contains invalid JSON.") from None


def _keep(state: State, call: Call, text: str, calls: tuple[str, ...]) -> ChatMessage:
    message = ChatMessage(call.api, call.path, text, calls, call.at, str(uuid4().int >> 65))
    state.store.chat.add(message)
    return message


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


DISCORD = Provider(
    api="discord",
    admit=admit_discord,
    refuse=refuse_discord,
    names={401: INVALID_TOKEN, 404: UNKNOWN_WEBHOOK, 400: INVALID_FORM, 429: "0"},
)
SLACK = Provider(
    api="slack",
    admit=admit_slack,
    refuse=refuse_slack,
    names={
        400: "invalid_payload",
        403: "invalid_token",
        404: "no_service",
        410: "channel_is_archived",
        429: "rate_limited",
        500: "rollup_error",
    },
)
