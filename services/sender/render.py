"""From a planned email to the exact request that sends it. Pure: the same facts give the same bytes."""

from datetime import datetime
from email.utils import parseaddr
from urllib.parse import quote

import msgspec

from contracts.ids import EmailId
from eventlog.claims import Claim
from journey.campaign import Campaign
from journey.contact import Contact
from journey.plan import Planned
from journey.templates import render


class Unrenderable(ValueError):
    """The campaign cannot make this email for this person, now."""


def claim_for(planned: Planned, campaign: Campaign, contact: Contact, *, attempt: int, now: datetime) -> Claim:
    """The claim with the request in it. Errors: RenderError, naming the template; Unrenderable."""
    signup = contact.signups.get(campaign.id)
    if signup is None:
        raise Unrenderable(f"no signup for {campaign.id}")
    values = signup.values()
    template = campaign.template_for(planned.step, values)
    mail = render(template, campaign.variables_for(values))
    body = {
        "from": campaign.sender,
        "to": [signup.latest.email],
        "reply_to": [campaign.reply_to],
        "subject": mail.subject,
        "html": mail.html,
        "text": mail.text,
        "headers": headers(campaign),
        "tags": tags(EmailId.parse(planned.email_id)),
    }
    return Claim(
        email_id=planned.email_id,
        body=msgspec.json.encode(body).decode(),
        template=template.name,
        template_version=template.version,
        subject=mail.subject,
        attempt=attempt,
        attempt_at=now,
    )


def headers(campaign: Campaign) -> dict[str, str]:
    """A way out in every mail client; one-click needs a page of ours and comes with it."""
    address = parseaddr(campaign.reply_to)[1]
    return {"List-Unsubscribe": f"<mailto:{address}?subject={quote('stop')}>"}


def tags(email: EmailId) -> list[dict[str, str]]:
    """The parts of the email id, and the whole with `_` for its dots: the provider allows no dot in a tag."""
    parts = {**email._asdict(), "email_id": "_".join(email)}
    return [{"name": name, "value": value} for name, value in parts.items()]
