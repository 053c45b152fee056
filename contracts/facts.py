"""Facts: what happened to a contact, in the past tense, kept for ever.

A fact's `type` tag never changes its meaning. Fields are only added, with defaults; a changed meaning is a new fact.
Every form ever published stays decodable (tests/contracts/golden).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contracts.base import Count, Fact, Ref, Score, Utc
from contracts.bookings import (
    BookingCancelled,
    BookingCreated,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    MeetingEnded,
    NoShowReported,
    NoShowWithdrawn,
)
from contracts.deliveries import (
    EmailAccepted,
    EmailBounced,
    EmailClicked,
    EmailComplained,
    EmailDelayed,
    EmailDelivered,
    EmailOpened,
    EmailSuppressed,
    EmailUndeliverable,
)
from contracts.ids import EmailId, digest
from contracts.notion import RowIncomplete
from contracts.operations import OperatorActed, ServicePaused, ServiceResumed, WebhooksCounted
from contracts.operators import (
    ContactCorrected,
    HandlingFailed,
    OperatorCancelled,
    OperatorDiscarded,
    OperatorHeld,
    OperatorHurried,
    OperatorResumed,
    OperatorRetried,
)


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the website's assessment, as the form sent it."""

    assessment_score: Annotated[int, Meta(ge=0, le=100)]
    red_systems: Count = 0
    orange_systems: Count = 0
    yellow_systems: Count = 0
    green_systems: Count = 0
    gps_score: Score | None = None
    money_score: Score | None = None
    weakest_system_1: str | None = None
    weakest_system_2: str | None = None
    revenue_leak_total: Annotated[float, Meta(ge=0)] | None = None


class SignupReceived(Fact, frozen=True, kw_only=True, tag="signup_received"):
    """A website form was sent. Identity: campaign and content, so the same form twice is one fact."""

    campaign: str
    content: Annotated[str, Meta(description="digest of everything the form said")]
    email: str
    first_name: str
    business_name: str | None = None
    assessment: Assessment
    extra: Annotated[dict[str, Any], Meta(description="fields of the form we do not know, bounded")] = {}
    extra_dropped: Annotated[int, Meta(description="unknown fields left out because they were too large")] = 0

    @property
    def id(self) -> str:
        return f"{self.campaign}.{self.content}"


class EmailFact(Fact, frozen=True, kw_only=True):
    """A fact about one planned email. Identity: the email's, so it is sent at most once."""

    email_id: Ref

    @property
    def id(self) -> str:
        return self.email_id

    @property
    def email(self) -> EmailId:
        """The parts of the email id. Errors: BadId."""
        return EmailId.parse(self.email_id)


class EmailSent(EmailFact, frozen=True, kw_only=True, tag="email_sent"):
    """The provider accepted the email."""

    provider_id: Annotated[str, Meta(description="the provider's id of the message")]
    template: str
    template_version: str = ""
    subject: str = ""
    due: Utc | None = None


class EmailNotSent(EmailFact, frozen=True, kw_only=True):
    """The email ended without a message. Identity: the email's, and which time somebody had asked to try it again."""

    round: Annotated[Count, Meta(description="how many times an operator had asked for another try")] = 0

    @property
    def id(self) -> str:
        return f"{self.email_id}.{self.round}" if self.round else self.email_id


class EmailSkipped(EmailNotSent, frozen=True, kw_only=True, tag="email_skipped"):
    """The email will never be sent, and nobody tried to: it was no longer wanted when its time came."""

    reason: str


class EmailAttemptFailed(EmailFact, frozen=True, kw_only=True, tag="email_attempt_failed"):
    """One call to the provider did not succeed; another follows at `retry_at`. Identity: email and attempt."""

    attempt: Annotated[int, Meta(ge=1)]
    reason: str
    retry_at: Utc
    accepted: Annotated[
        Literal["no", "maybe"],
        Meta(description="maybe: the provider may have accepted it all the same (a timeout, a 5xx)"),
    ] = "no"

    @property
    def id(self) -> str:
        return f"{self.email_id}.{self.attempt}"


class EmailFailed(EmailNotSent, frozen=True, kw_only=True, tag="email_failed"):
    """The provider refused the email for good, or it could not be delivered before it expired."""

    reason: str
    detail: str = ""


class EmailUnknown(EmailNotSent, frozen=True, kw_only=True, tag="email_unknown"):
    """The provider may or may not have accepted the email, and asking again could send it twice.

    It waits, with a copy in PARKED, for a person or for a delivery webhook that names it (docs/adr/0003).
    """

    reason: str


class Triggered(Fact, frozen=True, kw_only=True, tag="triggered"):
    """Something happened outside that a campaign has a name for: a call was done, an invoice paid.

    Identity: campaign, name, and the caller's `key`, or the content where there is none.
    """

    campaign: str
    name: Annotated[str, Meta(description="as the campaign file calls it")]
    key: Annotated[str, Meta(description="what makes this trigger the same trigger again")]
    email: str
    first_name: str | None = None
    values: Annotated[dict[str, Any], Meta(description="variables that came with it, bounded")] = {}
    by: Annotated[str, Meta(description="who said so: webhook, or the operator's name")] = "webhook"
    why: Annotated[str, Meta(description="in the operator's words")] = ""

    @property
    def id(self) -> str:
        return f"{self.campaign}.{self.name}.{digest(self.key)}"


AnyFact = (
    SignupReceived
    | BookingCreated
    | BookingRescheduled
    | BookingCancelled
    | BookingRequested
    | BookingRejected
    | MeetingEnded
    | NoShowReported
    | NoShowWithdrawn
    | Triggered
    | EmailSent
    | EmailSkipped
    | EmailAttemptFailed
    | EmailFailed
    | EmailUnknown
    | EmailAccepted
    | EmailDelivered
    | EmailDelayed
    | EmailOpened
    | EmailClicked
    | EmailBounced
    | EmailComplained
    | EmailSuppressed
    | EmailUndeliverable
    | HandlingFailed
    | OperatorRetried
    | OperatorDiscarded
    | OperatorHeld
    | OperatorResumed
    | OperatorCancelled
    | OperatorHurried
    | ContactCorrected
    | RowIncomplete
    | ServicePaused
    | ServiceResumed
    | OperatorActed
    | WebhooksCounted
)
"""Every fact, as a tagged union."""

FACTS: tuple[type[Fact], ...] = AnyFact.__args__
