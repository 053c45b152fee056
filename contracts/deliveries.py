"""What became of an email after the provider took it: facts from the provider's webhooks."""

from typing import Annotated, Literal

from msgspec import Meta

from contracts.base import Fact, Ref
from contracts.ids import digest


class DeliveryFact(Fact, frozen=True, kw_only=True):
    """Something the provider tells about an email it has accepted. Identity: the webhook's id.

    That it tells anything at all shows that it accepted the email, and so settles one that was `unknown`.
    """

    provider_id: Annotated[str, Meta(description="the provider's id of the message")]
    webhook: Annotated[str, Meta(description="the id of the webhook: the same when it is sent again")]
    email_id: Annotated[Ref | None, Meta(description="null: the webhook did not say which planned email it is")] = None

    @property
    def id(self) -> str:
        return digest(self.webhook)


class EmailAccepted(DeliveryFact, frozen=True, kw_only=True, tag="email_accepted"):
    """The provider says that it has the email and will deliver it."""


class EmailDelivered(DeliveryFact, frozen=True, kw_only=True, tag="email_delivered"):
    """The recipient's mail server took the email."""


class EmailDelayed(DeliveryFact, frozen=True, kw_only=True, tag="email_delayed"):
    """The recipient's mail server did not take it yet; the provider goes on trying."""


class EmailOpened(DeliveryFact, frozen=True, kw_only=True, tag="email_opened"):
    """Somebody, or some program, looked at the email."""


class EmailClicked(DeliveryFact, frozen=True, kw_only=True, tag="email_clicked"):
    """A link in the email was followed."""

    link: str = ""


class EmailBounced(DeliveryFact, frozen=True, kw_only=True, tag="email_bounced"):
    """The recipient's mail server refused the email. After a permanent bounce nothing more is sent there."""

    kind: Literal["permanent", "transient", "undetermined"]
    reason: str = ""


class EmailComplained(DeliveryFact, frozen=True, kw_only=True, tag="email_complained"):
    """The recipient called it spam. Nothing more is sent there."""


class EmailSuppressed(DeliveryFact, frozen=True, kw_only=True, tag="email_suppressed"):
    """The provider did not send it, as this address bounced or complained before. Nothing more is sent there."""

    reason: str = ""


class EmailUndeliverable(DeliveryFact, frozen=True, kw_only=True, tag="email_undeliverable"):
    """The provider accepted the email, and then could not send it for a reason of its own."""

    reason: str = ""


Delivery = (
    EmailAccepted
    | EmailDelivered
    | EmailDelayed
    | EmailOpened
    | EmailClicked
    | EmailBounced
    | EmailComplained
    | EmailSuppressed
    | EmailUndeliverable
)


def ends_all_mail(fact: DeliveryFact) -> bool:
    """Whether nothing more may be sent to this person."""
    return isinstance(fact, EmailComplained | EmailSuppressed) or (
        isinstance(fact, EmailBounced) and fact.kind == "permanent"
    )
