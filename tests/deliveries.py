"""Webhooks as Resend sends them: one maker per type, in the forms of its years, signed as Svix signs.

`type` stands last, tags are an object, and `to` is the one recipient whom the webhook is about.
"""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.ids import EmailId
from services.sender.render import tags as sent_tags
from tests.factories import ADA, make_email_id

Body = dict[str, Any]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PROVIDER_ID = "56761188-7520-42d8-8898-ff6fc54ce618"
MADE = datetime(2026, 12, 1, 9, 30, 12, 345_678, tzinfo=UTC)
"""When the email was; the same in all its webhooks."""

SAID = MADE + timedelta(seconds=3)
LINK = "https://www.example.com/call?from=email"


def tagged(email_id: str = "") -> dict[str, str]:
    """The tags the sender gave the email, as they come back."""
    email = EmailId.parse(email_id or make_email_id())
    return {each["name"]: each["value"] for each in sent_tags(email)}


def body(event: str, said: datetime = SAID, **data: Any) -> Body:
    """`data` is put over what every webhook of an email says; None leaves a field out."""
    values = {
        "created_at": MADE.isoformat(),
        "email_id": PROVIDER_ID,
        "from": "Business X <hello@example.com>",
        "subject": "Your s3cret score",
        "to": [ADA],
        "tags": tagged(),
    } | data
    return {
        "created_at": said.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {name: value for name, value in values.items() if value is not None},
        "type": event,
    }


def bounced(kind: str | None = "Permanent", sub_type: str | None = "General", **data: Any) -> Body:
    says = {
        "message": "The mailbox does not exist.",
        "type": kind,
        "subType": sub_type,
        "diagnosticCode": ["550 5.1.1"],
    }
    return body("email.bounced", **({"bounce": {k: v for k, v in says.items() if v is not None}} | data))


def clicked(link: object = LINK, **data: Any) -> Body:
    said = {"ipAddress": "203.0.113.7", "link": link, "timestamp": SAID.isoformat(), "userAgent": "s3cret/1.0"}
    return body("email.clicked", click=said, **data)


def suppressed(**data: Any) -> Body:
    return body("email.suppressed", suppressed={"message": "It is on the list.", "type": "OnAccountList"}, **data)


def failed(**data: Any) -> Body:
    return body("email.failed", failed={"reason": "reached_daily_quota"}, **data)


def raw(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sign(content: bytes, webhook: str = "msg_1", *, secret: str = SECRET, **ago: float) -> dict[str, str]:
    """By hand, so that no library checks its own work."""
    stamp = str(int((datetime.now(UTC) - timedelta(**ago)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, f"{webhook}.{stamp}.".encode() + content, hashlib.sha256).digest()
    return {
        "svix-id": webhook,
        "svix-timestamp": stamp,
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
