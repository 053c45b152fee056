"""What operators did about trouble, and trouble that has to wait for them."""

from typing import Annotated

from msgspec import Meta

from contracts.base import Count, Fact


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
