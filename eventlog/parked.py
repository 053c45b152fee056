"""PARKED: where a message goes that no code we run today can handle. Nothing is ever dropped."""

from datetime import datetime

from contracts import subjects
from contracts.codec import encode
from contracts.messages import Parked
from eventlog.connection import Broker

PAYLOAD_LIMIT = 64 * 1024


class ParkingLot:
    """Keeps a copy with its reason."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

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
