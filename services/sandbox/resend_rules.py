"""What Resend accepts as an email: the whole body is checked, the first problem is the answer.

Stricter than the real one in two places, to catch our own slips: unknown fields are refused, and
`scheduled_at` must be ISO 8601. Looser in one: example.com is a fine recipient here.
Source: the provider's errors and "send email" references, its OpenAPI file and SDK types (Aug to Oct 2026).
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import msgspec

from services.sandbox.addresses import CONTROL, is_address
from services.sandbox.calls import Refused
from services.sandbox.mailbox import Attachment, Draft, Tag

MAX_RECIPIENTS, MAX_TAGS, MAX_BATCH = 50, 75, 100
MAX_ATTACHMENT_BYTES = 40 * 1024 * 1024
MAX_AHEAD = timedelta(days=30)
WORD = re.compile(r"[A-Za-z0-9_-]{1,256}")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

FIELDS = frozenset(
    [
        "from",
        "to",
        "subject",
        "html",
        "text",
        "cc",
        "bcc",
        "reply_to",
        "headers",
        "tags",
        "attachments",
        "scheduled_at",
        "template",
        "topic_id",
    ]
)
ATTACHMENT_FIELDS = frozenset(
    {
        "filename",
        "content",
        "path",
        "content_type",
        "content_id",
        "inline_content_id",
    }
)


def invalid(message: str) -> NoReturn:
    raise Refused(422, "validation_error", message)


def missing(message: str) -> NoReturn:
    raise Refused(422, "missing_required_field", message)


def decode(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refused(400, "validation_error", f"The request body is not valid JSON: {error}") from None


def parse_email(payload: object, now: datetime) -> Draft:
    """Errors: Refused with the provider's status, name and message."""
    fields = _object(payload)
    if "template" in fields:
        raise Refused(404, "not_found", "Template not found")
    sender, to, subject = _sender(fields), _recipients(fields), _subject(fields)
    html, text = _content(fields)
    return Draft(
        sender=sender,
        to=to,
        subject=subject,
        html=html,
        text=text,
        cc=_addresses(fields, "cc"),
        bcc=_addresses(fields, "bcc"),
        reply_to=_addresses(fields, "reply_to"),
        headers=_headers(fields),
        tags=_tags(fields),
        attachments=_attachments(fields),
        scheduled_at=parse_time(fields["scheduled_at"], now) if "scheduled_at" in fields else None,
    )


def parse_batch_email(payload: object, now: datetime) -> Draft:
    """A batch takes no attachments; whether it takes scheduled_at is disputed, so it does not here."""
    for name in ("attachments", "scheduled_at"):
        if isinstance(payload, dict) and name in payload:
            invalid(f"The `{name}` field is not supported in batch requests.")
    return parse_email(payload, now)


def parse_batch(payload: object) -> list[object]:
    if not isinstance(payload, list) or not payload:
        invalid("The request body must be an array with at least one email.")
    if len(payload) > MAX_BATCH:
        invalid(f"A batch can contain up to {MAX_BATCH} emails.")
    return payload


def parse_key(key: str | None) -> str | None:
    if key is not None and not 1 <= len(key) <= 256:
        raise Refused(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
    return key


def parse_time(value: object, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None:
        invalid("Invalid `scheduled_at` field. The date should be in ISO 8601 format.")
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now + MAX_AHEAD:
        invalid("Invalid `scheduled_at` field. Emails can be scheduled up to 30 days in advance.")
    return at.astimezone(UTC)


def _object(payload: object) -> dict[str, object]:
    if not isinstance(payload, dict):
        invalid("The request body must be an object.")
    unknown = sorted(payload.keys() - FIELDS)
    if unknown:
        invalid(f"Unknown field `{unknown[0]}`.")
    return payload


def _sender(fields: dict[str, object]) -> str:
    sender = fields.get("from")
    if sender is None or sender == "":
        missing("Missing `from` field.")
    if not isinstance(sender, str) or not is_address(sender):
        raise Refused(422, "invalid_from_address", _wrong_address("from"))
    return sender


def _recipients(fields: dict[str, object]) -> list[str]:
    if fields.get("to") in (None, "", []):
        missing("Missing `to` field.")
    return _addresses(fields, "to")


def _addresses(fields: dict[str, object], name: str) -> list[str]:
    value = fields.get(name, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list):
        invalid(f"The `{name}` field must be a `string` or an array of `string`.")
    if len(listed) > MAX_RECIPIENTS:
        invalid(f"The `{name}` field can contain up to {MAX_RECIPIENTS} email addresses.")
    if not all(isinstance(each, str) and is_address(each) for each in listed):
        invalid(_wrong_address(name))
    return listed


def _wrong_address(name: str) -> str:
    return (
        f"Invalid `{name}` field. The email address needs to follow the "
        "`email@example.com` or `Name <email@example.com>` format."
    )


def _subject(fields: dict[str, object]) -> str:
    subject = fields.get("subject")
    if subject is None or subject == "":
        missing("Missing `subject` field.")
    if not isinstance(subject, str):
        invalid("The `subject` field must be a `string`.")
    if CONTROL.search(subject):
        invalid("The `subject` field must not contain line breaks or control characters.")
    return subject


def _content(fields: dict[str, object]) -> tuple[str | None, str | None]:
    for name in ("html", "text"):
        if not isinstance(fields.get(name, ""), str):
            invalid(f"The `{name}` field must be a `string`.")
    html, text = fields.get("html"), fields.get("text")
    if not html and not text:
        missing("Missing `html` or `text` field.")
    return html if isinstance(html, str) else None, text if isinstance(text, str) else None


def _headers(fields: dict[str, object]) -> dict[str, str]:
    headers = fields.get("headers", {})
    if not isinstance(headers, dict):
        invalid("The `headers` field must be an object.")
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            invalid(f"Invalid header name `{name}`.")
        if not isinstance(value, str):
            invalid(f"The value of the header `{name}` must be a `string`.")
        if CONTROL.search(value):
            invalid(f"The value of the header `{name}` must not contain line breaks.")
    return headers


def _tags(fields: dict[str, object]) -> list[Tag]:
    tags = _list_of_objects(fields, "tags", invalid)
    if len(tags) > MAX_TAGS:
        invalid(f"The `tags` field can contain up to {MAX_TAGS} tags.")
    return [_tag(tag) for tag in tags]


def _tag(tag: dict[str, object]) -> Tag:
    if tag.keys() - {"name", "value"}:
        invalid("A tag has a `name` and a `value`, nothing else.")
    name, value = tag.get("name"), tag.get("value", "")
    if not isinstance(name, str) or not isinstance(value, str):
        invalid("The `name` and `value` of a tag must be a `string`.")
    if not WORD.fullmatch(name) or (value and not WORD.fullmatch(value)):
        invalid(
            "Tags should only contain ASCII letters, numbers, underscores, or dashes, and no more than 256 characters."
        )
    return Tag(name, value)


KEPT = 64 * 1024
"""Attachments up to this size can be looked at afterwards."""


def _attachments(fields: dict[str, object]) -> list[Attachment]:
    listed = [_attachment(each) for each in _list_of_objects(fields, "attachments", _bad_attachment)]
    if sum(each.size for each in listed) > MAX_ATTACHMENT_BYTES:
        _bad_attachment("The attachments are larger than 40MB after Base64 encoding.")
    return listed


def _bad_attachment(message: str) -> NoReturn:
    raise Refused(422, "invalid_attachment", message)


def _attachment(each: dict[str, object]) -> Attachment:
    if each.keys() - ATTACHMENT_FIELDS:
        _bad_attachment(f"Unknown attachment field `{min(each.keys() - ATTACHMENT_FIELDS)}`.")
    path, filename = each.get("path"), each.get("filename")
    if isinstance(path, str) and "content" not in each:
        return Attachment(str(filename or path.rsplit("/", 1)[-1]), 0)
    if not isinstance(filename, str) or not filename or CONTROL.search(filename):
        _bad_attachment("Attachment must have a `filename`.")
    kind = each.get("content_type")
    if kind is not None and not isinstance(kind, str):
        _bad_attachment("The `content_type` of an attachment must be a `string`.")
    content = each.get("content")
    size = _encoded_size(content)
    return Attachment(filename, size, kind, content if isinstance(content, str) and size <= KEPT else "")


def _encoded_size(content: object) -> int:
    """Base64 text, or a list of bytes as the Python SDK documents it."""
    try:
        if isinstance(content, list):
            return len(base64.b64encode(bytes(content)))
        if isinstance(content, str) and content:
            base64.b64decode(content, validate=True)
            return len(content)
    except (ValueError, TypeError, binascii.Error):
        _bad_attachment("The `content` of an attachment must be Base64 or a list of bytes.")
    _bad_attachment("Attachment must have either a `content` or `path`.")


def _list_of_objects(
    fields: dict[str, object], name: str, refuse: Callable[[str], NoReturn]
) -> list[dict[str, object]]:
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        refuse(f"The `{name}` field must be an array of objects.")
    return value
