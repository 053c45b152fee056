"""What operators did about trouble, trouble that has to wait for them, and what people wish by hand."""

from typing import Annotated, Literal

from msgspec import Meta

from contracts.base import Count, Fact, Ref, Utc
from contracts.ids import BadId, EmailId, token


class HandlingFailed(Fact, frozen=True, kw_only=True, tag="handling_failed"):
    """A service could not handle a message about this person; a copy is in PARKED. Identity: service and message."""

    consumer: str
    sequence: Annotated[int, Meta(description="of the message, in the stream of that consumer")]
    reason: str

    @property
    def id(self) -> str:
        return f"{self.consumer}.{self.sequence}"


class OperatorFact(Fact, frozen=True, kw_only=True):
    """A person's decision about trouble. Identity: what it is about, and for the how-manieth time."""

    what: Annotated[str, Meta(description="an email id, or <consumer>.<sequence> of a parked message")]
    round: Annotated[int, Meta(ge=0, description="how many times somebody had asked for another try before")] = 0
    by: Annotated[str, Meta(description="who")]
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.what}.{self.round}"


class OperatorRetried(OperatorFact, frozen=True, kw_only=True, tag="operator_retried"):
    """Try again. An email that failed, or whose fate is unknown, is due at once, whatever that may double."""

    attempts: Annotated[Count, Meta(description="attempts made so far: they count no more")] = 0


class OperatorDiscarded(OperatorFact, frozen=True, kw_only=True, tag="operator_discarded"):
    """Leave it at that: somebody has seen to it, and it is no longer listed as trouble."""


def prefixes_of(email_id: str) -> tuple[str, str, str]:
    """What an intent may be about for it to concern this email: the person, the campaign, the email itself."""
    contact, campaign, *_ = email_id.split(".")
    return contact, f"{contact}.{campaign}", email_id


def check_prefix(contact: str, what: str) -> None:
    """Errors: BadId, unless it is `<contact>`, `<contact>.<campaign>` or a whole email id, of this contact."""
    parts = what.split(".")
    if len(parts) not in {1, 2, len(EmailId._fields)}:
        raise BadId(f"{what[:200]!r} is neither a contact, nor a campaign of one, nor an email id")
    if any(not token(part) for part in parts) or parts[0] != contact:
        raise BadId(f"{what[:200]!r} is not about this contact")


class OperatorIntent(Fact, frozen=True, kw_only=True):
    """What a person wishes for emails that are not sent yet. Identity: what it is about, and the round.

    The newest round counts; in one round cancelled counts more than held, and held more than resumed.
    """

    what: Annotated[str, Meta(description="<contact> (everything), <contact>.<campaign>, or an email id")]
    round: Annotated[Count, Meta(description="one more than that of the newest intent about the same")] = 0
    by: Annotated[str, Meta(description="who")]
    why: str = ""
    seen_at: Annotated[Utc | None, Meta(description="when the hand did it; `at` is when we heard of it")] = None

    def __post_init__(self) -> None:
        check_prefix(self.contact, self.what)

    @property
    def id(self) -> str:
        return f"{self.what}.{self.round}"


class OperatorHeld(OperatorIntent, frozen=True, kw_only=True, tag="operator_held"):
    """Send none of it until somebody resumes it."""


class OperatorResumed(OperatorIntent, frozen=True, kw_only=True, tag="operator_resumed"):
    """Go on: neither held nor cancelled any more. What became of its times meanwhile is for the campaign to say."""


class OperatorCancelled(OperatorIntent, frozen=True, kw_only=True, tag="operator_cancelled"):
    """Send none of it any more."""


class OperatorHurried(Fact, frozen=True, kw_only=True, tag="operator_hurried"):
    """Send it now: the email is due when this is said, unless it was due before. Identity: the email, and the round.

    It makes nothing due later, and brings back nothing that has ended or is not wanted.
    """

    what: Ref
    round: Annotated[Count, Meta(description="how many times somebody had hurried it before")] = 0
    attempts: Annotated[Count, Meta(description="attempts made so far: what they wait for is waited for no more")] = 0
    by: Annotated[str, Meta(description="who")]
    why: str = ""

    def __post_init__(self) -> None:
        if EmailId.parse(self.what).contact != self.contact:
            raise BadId(f"{self.what[:200]!r} is not about this contact")

    @property
    def id(self) -> str:
        return f"{self.what}.{self.round}"


Correctable = Literal["first_name", "business_name"]


class ContactCorrected(Fact, frozen=True, kw_only=True, tag="contact_corrected"):
    """A person knows better than the form. Identity: the field, and the round; the newest counts.

    It counts while the newest form still says `was`, or is older than the correction.
    """

    field: Correctable
    value: Annotated[str, Meta(description="empty: there is no such name")]
    was: Annotated[str, Meta(description="what the form said; empty: nothing")] = ""
    round: Annotated[Count, Meta(description="how many times this field had been corrected before")] = 0
    by: Annotated[str, Meta(description="who")]
    seen_at: Annotated[Utc | None, Meta(description="when the hand did it; `at` is when we heard of it")] = None

    @property
    def id(self) -> str:
        return f"{self.field}.{self.round}"
