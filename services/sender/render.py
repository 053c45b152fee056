"""From a planned email to the exact request that sends it. Pure: the same facts give the same bytes."""

from base64 import b64encode
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote

import msgspec

from contracts.ids import EmailId
from eventlog.claims import Claim
from journey.calendar import calendar_file
from journey.campaign import Campaign
from journey.contact import Contact
from journey.model import CANCELLED
from journey.plan import Planned
from journey.templates import render
from journey.values import recipients, values_of


def claim_for(planned: Planned, campaign: Campaign, contact: Contact, *, attempt: int, now: datetime) -> Claim:
    """The claim with the request in it. Errors: RenderError, naming the template."""
    values = values_of(contact, campaign, planned.occasion)
    template = campaign.template_for(planned.step, values)
    mail = render(template, campaign.variables_for(values))
    to, cc = recipients(planned.occasion, planned.sequence, contact)
    body: dict[str, Any] = {
        "from": campaign.sender,
        "to": [to],
        "reply_to": [campaign.reply_to],
        "subject": mail.subject,
        "html": mail.html,
        "text": mail.text,
        "headers": headers(campaign),
        "tags": tags(EmailId.parse(planned.email_id)),
    }
    if cc:
        body["cc"] = list(cc)
    if planned.step.calendar and planned.occasion.meeting:
        body["attachments"] = [invitation(planned, campaign)]
    return Claim(
        email_id=planned.email_id,
        body=msgspec.json.encode(body).decode(),
        template=template.name,
        template_version=template.version,
        subject=mail.subject,
        attempt=attempt,
        attempt_at=now,
        round=planned.email.round,
    )


def invitation(planned: Planned, campaign: Campaign) -> dict[str, str]:
    """The meeting as a calendar file: mail programs put it in, move it or take it out."""
    cancelled = planned.sequence.trigger == CANCELLED
    content = calendar_file(planned.occasion, organizer_fallback=parseaddr(campaign.reply_to)[1], cancelled=cancelled)
    return {
        "filename": "meeting.ics",
        "content": b64encode(content).decode(),
        "content_type": f"text/calendar; charset=utf-8; method={'CANCEL' if cancelled else 'REQUEST'}",
    }


def headers(campaign: Campaign) -> dict[str, str]:
    """A way out in every mail client; one-click needs a page of ours and comes with it."""
    address = parseaddr(campaign.reply_to)[1]
    return {"List-Unsubscribe": f"<mailto:{address}?subject={quote('stop')}>"}


def tags(email: EmailId) -> list[dict[str, str]]:
    """The parts of the email id, and the whole with `_` for its dots: the provider allows no dot in a tag."""
    parts = {**email._asdict(), "email_id": "_".join(email)}
    return [{"name": name, "value": value} for name, value in parts.items()]
