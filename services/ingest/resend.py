"""A Resend webhook to facts. Pure.

The tags that went out with an email say which planned email it is. Resend sends a webhook for each recipient, and `to`
names that one alone: what became of a guest's copy must not count as the booker's.
"""

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parseaddr
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from contracts.deliveries import (
    Delivery,
    EmailAccepted,
    EmailBounced,
    EmailClicked,
    EmailComplained,
    EmailDelayed,
    EmailDelivered,
    EmailOpened,
    EmailSuppressed,
    EmailUndeliverable,
    ends_all_mail,
)
from contracts.ids import BadId, EmailId, contact_id
from services.ingest.calcom_body import (
    NAME,
    REASON,
    Fields,
    address,
    identifier,
    line,
    optional_moment,
    part,
)
from services.ingest.signup import FieldProblem

CONTACT = re.compile(r"c[a-z2-7]{26}")
LINK = re.compile(r"https?://[!#-;=?-\[\]-~]{1,1992}")
"""At most 2,000 characters, without space, quotation marks, `<`, `>` and backslash."""

MOST_RECIPIENTS = 50


class Told(NamedTuple):
    """What happened: one fact, or two where a guest's copy says something about both people."""

    facts: tuple[Delivery, ...]


class Ignored(NamedTuple):
    """A type we do not act on, or an email to nobody we could name."""

    event: str
    why: Literal["type", "nobody"]


class Recipient(NamedTuple):
    """Whose copy a webhook is about, and the planned email its tags name, which may be somebody else's."""

    contact: str
    email: EmailId | None


def translate(
    body: Fields, webhook: str | None, received_at: datetime, body_digest: str
) -> Told | Ignored | FieldProblem:
    """The facts a webhook amounts to, or what keeps it from being one.

    Units:  `webhook` is the svix-id; where there is no usable one the body's digest stands in.
    """
    event = line(body.get("type"), NAME)
    if not event:
        return FieldProblem("type", "is required")
    read = TYPES.get(event)
    if read is None:
        return Ignored(event, "type")
    if not isinstance(data := body.get("data"), dict):
        return FieldProblem("data", "must be an object")
    recipient = _recipient(data)
    if recipient is None:
        return Ignored(event, "nobody")
    said = {
        "at": optional_moment(body.get("created_at")) or received_at,  # data.created_at is the email's, in all events
        "provider_id": identifier(data.get("email_id")) or "",
        "webhook": identifier(webhook) or body_digest,
    }
    return Told(_facts(read, data, recipient, said))


def _facts(read: "Reader", data: Fields, recipient: Recipient, said: dict[str, Any]) -> tuple[Delivery, ...]:
    """Of a guest's copy the email's own person learns that it was accepted, and the guest only what ends all mail."""
    contact, email = recipient
    if email is None or email.contact == contact:
        return (read(data, said | {"contact": contact, "email_id": str(email) if email else None}),)
    of_guest = read(data, said | {"contact": contact})
    accepted = EmailAccepted(**said, contact=email.contact, email_id=str(email))
    return (accepted, of_guest) if ends_all_mail(of_guest) else (accepted,)


def _recipient(data: Fields) -> Recipient | None:
    """By tags first, which come back as an object; whoever else `to` names had a copy. None: nobody we could name."""
    tags = part(data, "tags")
    email = _tagged_email(tags)
    named = tags.get("contact")
    named = named if isinstance(named, str) and CONTACT.fullmatch(named) else None
    people = _people(data)
    if named and (named in people or not people):
        return Recipient(named, email)
    return Recipient(people[0], email) if people else None


def _tagged_email(tags: Fields) -> EmailId | None:
    """From its parts: the whole has `_` for its dots, which names may hold too, and so can only confirm them."""
    parts = [tags.get(name) for name in EmailId._fields]
    whole = tags.get("email_id")
    try:
        email = EmailId.parse(".".join(each if isinstance(each, str) else "" for each in parts))
    except BadId:
        return None
    return email if CONTACT.fullmatch(email.contact) and whole in (None, "_".join(email)) else None


def _people(data: Fields) -> list[str]:
    to = data.get("to")
    listed = to[:MOST_RECIPIENTS] if isinstance(to, list) else [to]
    addresses = [address(parseaddr(each)[1]) for each in listed if isinstance(each, str)]
    return [contact_id(each) for each in addresses if each]


def _plain(kind: Callable[..., Delivery]) -> "Reader":
    def read(_: Fields, said: dict[str, Any]) -> Delivery:
        return kind(**said)

    return read


def _clicked(data: Fields, said: dict[str, Any]) -> Delivery:
    return EmailClicked(**said, link=_link(part(data, "click").get("link")))


def _bounced(data: Fields, said: dict[str, Any]) -> Delivery:
    bounce = part(data, "bounce")
    reason = line(bounce.get("message"), REASON)
    return EmailBounced(**said, kind=_kind(bounce), reason=reason)


def _kind(bounce: Fields) -> Literal["permanent", "transient", "undetermined"]:
    """Early webhooks told only a message; an address that was suppressed used to come as a bounce of that subtype."""
    if line(bounce.get("subType"), NAME).casefold() == "suppressed":
        return "permanent"
    match line(bounce.get("type"), NAME).casefold():
        case "permanent":
            return "permanent"
        case "transient" | "temporary":
            return "transient"
        case _:
            return "undetermined"


def _suppressed(data: Fields, said: dict[str, Any]) -> Delivery:
    return EmailSuppressed(**said, reason=_reason(part(data, "suppressed")))


def _failed(data: Fields, said: dict[str, Any]) -> Delivery:
    return EmailUndeliverable(**said, reason=_reason(part(data, "failed")))


def _reason(fields: Fields) -> str:
    return line(fields.get("reason"), REASON) or line(fields.get("message"), REASON)


def _link(value: object) -> str:
    """A page of the web or nothing: half a link leads elsewhere, and `javascript:` must not be kept to be clicked."""
    found = value if isinstance(value, str) and LINK.fullmatch(value) else ""
    try:
        return found if urlsplit(found).hostname else ""
    except ValueError:
        return ""


Reader = Callable[[Fields, dict[str, Any]], Delivery]

TYPES: dict[str, Reader] = {
    "email.sent": _plain(EmailAccepted),
    "email.delivered": _plain(EmailDelivered),
    "email.delivery_delayed": _plain(EmailDelayed),
    "email.delivered_delayed": _plain(EmailDelayed),  # as the provider's documents once spelt it
    "email.opened": _plain(EmailOpened),
    "email.clicked": _clicked,
    "email.bounced": _bounced,
    "email.complained": _plain(EmailComplained),
    "email.suppressed": _suppressed,
    "email.failed": _failed,
}
"""Every type that becomes a fact."""

IGNORED = frozenset({
    "contact.created",
    "contact.deleted",
    "contact.topics.updated",
    "contact.updated",
    "domain.created",
    "domain.deleted",
    "domain.updated",
    "email.received",
    "email.scheduled",
    "suppression.added",
    "suppression.removed",
    "topic.created",
    "topic.deleted",
    "topic.updated",
})  # fmt: skip
"""Types we know and leave alone; one we do not know is treated the same."""
