"""What a service does with a stream, and how a handler's work can end: a closed list."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from nats.aio.msg import Msg

from eventlog.topology import Durable
from eventlog.trace import Trace, carried

T = TypeVar("T")

Label = Literal[
    # done
    "done", "in_line", "about_no_contact", "parked_before",
    "sent", "failed", "unknown", "skipped", "attempt_failed", "already_ended", "unwanted", "held", "not_yet_due",
    "campaign_not_loaded",
    "notion",
    "posted", "told_before", "not_news",
    # not now
    "stopping", "paused", "broker", "newer_version", "replica_lags", "clocks_differ", "contended", "in_doubt",
    "provider_busy", "no_page_yet", "chat_not_now",
    # closed
    "quota", "key", "chat_closed",
    # parked
    "undecodable", "unforeseen", "unknown_campaign", "refused_by_notion", "refused_by_chat",
]  # fmt: skip
"""What becomes of a message, for counting: the words beside it are for people, and there may be any number of them."""


@dataclass(frozen=True)
class Done:
    """Handled, for good."""

    what: str = "done"
    label: Label = field(default="done", kw_only=True)


@dataclass(frozen=True)
class Retry:
    """Not now: deliver again after so many seconds. It does not count as a failure."""

    after_s: float
    reason: str
    label: Label = field(kw_only=True)


@dataclass(frozen=True)
class Park:
    """No code we run today can handle it."""

    reason: str
    detail: str = ""
    label: Label = field(kw_only=True)


@dataclass(frozen=True)
class Pause:
    """The world behind this service is closed: the broker hands out nothing more for so many seconds.

    It is the consumer that is paused, so it holds for every process of this service and for those to come, and
    `dripstream resume` lifts it.
    """

    for_s: float
    reason: str
    label: Label = field(kw_only=True)


Outcome = Done | Retry | Park | Pause


@dataclass(frozen=True)
class Item(Generic[T]):
    """One delivery, decoded."""

    value: T
    subject: str
    sequence: int
    attempt: int
    msg: Msg

    @cached_property
    def trace(self) -> Trace:
        """What it belongs to: the same however often it is asked, also where the message does not say."""
        return carried(self.msg.headers)


@dataclass(frozen=True)
class Work(Generic[T]):
    """What a service does with a stream: how to read a message, what belongs together, what to do with it."""

    durable: Durable
    decode: Callable[[bytes], T]
    group: Callable[[Item[T]], str]
    handle: Callable[[Sequence[Item[T]]], Awaitable[Outcome]]
    slots: int = 8
    """Groups handled at the same time."""
    in_hand: int = 256
    """Messages pulled and not settled."""
    parked: Callable[[Item[Any], Park], Awaitable[None]] | None = None
    """What to do besides, before the message is let go. Unset: a fact in the history of whom it concerns."""
