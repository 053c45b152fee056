"""What concerns no person but the running of the whole: pauses, what operators did to it, how webhooks were answered.

Such facts have the place of a contact in their subject taken by the word `operations`, which no contact is called:
`events.operations.>` is the operators' own diary, kept as long as everything else.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.base import Count, Fact, Utc

OPERATIONS = "operations"


class OperationsFact(Fact, frozen=True, kw_only=True):
    """A fact about no person. Identity: what it is about, and the millisecond."""

    contact: str = OPERATIONS

    @property
    def millisecond(self) -> str:
        return str(round(self.at.timestamp() * 1000))


class ServicePaused(OperationsFact, frozen=True, kw_only=True, tag="service_paused"):
    """A person paused a service. What it paused by itself, for want of a quota or a key, is in its log."""

    service: Annotated[str, Meta(description="its durable consumer: sender, scheduler, notion_sync")]
    until: Annotated[Utc, Meta(description="by the broker's clock; somebody may resume it earlier")]
    by: Annotated[str, Meta(description="who")]
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.service}.{self.millisecond}"


class ServiceResumed(OperationsFact, frozen=True, kw_only=True, tag="service_resumed"):
    """A person let a service go on before its pause was over."""

    service: Annotated[str, Meta(description="its durable consumer")]
    by: Annotated[str, Meta(description="who")]
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.service}.{self.millisecond}"


class OperatorActed(OperationsFact, frozen=True, kw_only=True, tag="operator_acted"):
    """A person did something to the whole, or to what is about nobody: who, and why. Written before it is done."""

    did: Annotated[
        str, Meta(pattern=r"^[a-z][a-z_-]{0,40}$", description="the command: init, replay, restored, rebuild, discard")
    ]
    about: Annotated[str, Meta(description="what it was done to, in a few words; empty: everything")] = ""
    by: Annotated[str, Meta(description="who")]
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.did}.{self.millisecond}"


class Answers(msgspec.Struct, frozen=True):
    """How the webhooks of one route were answered, in one window."""

    accepted: Annotated[Count, Meta(description="2xx")] = 0
    refused: Annotated[Count, Meta(description="4xx: the sender's fault, and said so")] = 0
    failed: Annotated[Count, Meta(description="5xx: ours")] = 0
    slow: Annotated[Count, Meta(description="of all of these, not answered below 500 ms")] = 0
    slowest_ms: Annotated[float, Meta(ge=0)] = 0.0


class WebhooksCounted(OperationsFact, frozen=True, kw_only=True, tag="webhooks_counted"):
    """How one ingest process answered since it counted last. A process that dies takes its last window with it."""

    process: Annotated[str, Meta(description="drawn anew at each start")]
    since: Utc
    routes: dict[str, Answers]

    @property
    def id(self) -> str:
        return f"{self.process}.{self.millisecond}"
