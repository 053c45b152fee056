"""PARKED: where a message goes that no code we run today can handle. Nothing is ever dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from contracts import subjects
from contracts.base import Fact
from contracts.codec import encode
from contracts.ids import BadId
from contracts.messages import Parked
from contracts.operators import HandlingFailed
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.direct import DirectReader
from eventlog.log import EventLog

PAYLOAD_LIMIT = 64 * 1024


GIVEN_UP = "given up by JetStream"
"""The reason of what was delivered as often as its consumer allows, and so never again."""


@dataclass(frozen=True)
class Kept:
    """A copy, and the place it is kept in."""

    copy: Parked
    place: int


class _Advisory(msgspec.Struct):
    stream: str
    consumer: str
    stream_seq: int
    deliveries: int = 0
    timestamp: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


class ParkingLot:
    """Keeps a copy with its reason."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._direct = DirectReader(broker)

    async def park(
        self,
        *,
        consumer: str,
        subject: str,
        sequence: int,
        reason: str,
        detail: str,
        payload: bytes,
        now: datetime,
    ) -> None:
        """Keep a copy, once: a crash between this and the settling of the message cannot double it.

        Errors: Unavailable.
        """
        copy = Parked(
            consumer=consumer,
            subject=subject,
            sequence=sequence,
            reason=reason,
            detail=detail[:4_000],
            payload=payload[:PAYLOAD_LIMIT].decode(errors="replace"),
            at=now,
        )
        where = f"{subjects.parked_subject(consumer, subject)}.{sequence}"
        await self._broker.publish(where, encode(copy), last_sequence=0)

    async def all(self) -> list[Kept]:
        """Everything parked or given up, oldest first. Errors: Unavailable."""
        messages = await self._direct.last_of_each(subjects.PARKED, [subjects.ALL_PARKED])
        kept = [Kept(msgspec.json.decode(each.payload, type=Parked), each.sequence) for each in messages]
        for filter_ in subjects.GIVEN_UP:
            kept += [Kept(await self._given_up(each), int(each.seq or 0)) for each in await self._every(filter_)]
        return sorted(kept, key=lambda each: each.place)

    async def drop(self, kept: Kept) -> None:
        """Somebody has seen to it. Errors: Unavailable."""
        try:
            await self._broker.js.delete_msg(subjects.PARKED, kept.place)
        except NotFoundError:
            return
        except (*UNREACHABLE, APIError, NatsError) as error:
            raise Unavailable(f"could not be dropped: {type(error).__name__}") from error

    async def _given_up(self, message: RawStreamMsg) -> Parked:
        """What an advisory is about."""
        advisory = msgspec.json.decode(message.data or b"", type=_Advisory)
        original = await self._get(advisory.stream, advisory.stream_seq)
        return Parked(
            consumer=advisory.consumer,
            subject=str(original.subject) if original else "",
            sequence=advisory.stream_seq,
            reason=GIVEN_UP,
            detail=f"after {advisory.deliveries} deliveries",
            at=advisory.timestamp,
        )

    async def _every(self, subject: str) -> Sequence[RawStreamMsg]:
        found: list[RawStreamMsg] = []
        while message := await self._get(subjects.PARKED, int(found[-1].seq or 0) + 1 if found else 1, subject):
            found.append(message)
        return found

    async def _get(self, stream: str, sequence: int, following: str | None = None) -> RawStreamMsg | None:
        """One message by its number, or the first from there on of a subject."""
        try:
            return await self._broker.js.get_msg(stream, sequence, subject=following, next=following is not None)
        except NotFoundError:
            return None
        except (*UNREACHABLE, APIError) as error:
            raise Unavailable(f"{stream} not readable: {type(error).__name__}") from error


async def tell_contact(
    events: EventLog, *, consumer: str, subject: str, sequence: int, value: object, reason: str, now: datetime
) -> None:
    """A fact in the history of the person a parked message is about, so that their story says it.

    Not about such a fact itself: whoever cannot handle that either would tell for ever. Errors: Unavailable.
    """
    if isinstance(value, HandlingFailed):
        return
    try:
        contact = subjects.contact_of(subject)
    except BadId:
        return
    fact: Fact = HandlingFailed(contact=contact, at=now, consumer=consumer, sequence=sequence, reason=reason[:300])
    await events.append(fact)
