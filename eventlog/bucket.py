"""A bucket of small current state: typed values, compare-and-set writes, reads through the leader."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from contracts import subjects
from eventlog.connection import UNREACHABLE, Broker, Stored, Unavailable

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A value as read, with the revision to write over."""

    value: T
    revision: int


class Bucket(Generic[T]):
    """Every write rolls its key up: with the per-key history of the bucket, nothing comes back after a crash."""

    def __init__(self, broker: Broker, name: str, kind: type[T]) -> None:
        self._broker = broker
        self._name = name
        self._decoder = msgspec.json.Decoder(kind)

    async def get(self, key: str) -> Entry[T] | None:
        """Never from a replica that lags. Errors: Unavailable."""
        found = await self._last(key)
        return Entry(self._decoder.decode(found.data), int(found.seq or 0)) if found and found.data else None

    async def put(self, key: str, value: T, *, over: int | None, ttl_s: int | None = None) -> int | None:
        """Write over revision `over` (0: only if there is nothing, None: whatever is there).

        The new revision; None if somebody else was first. Errors: Unavailable.
        """
        payload = msgspec.json.encode(value)
        stored = await self._publish(key, payload, over, ttl_s)
        if not stored.duplicate:
            return stored.sequence
        there = await self._last(key)
        if there and there.data == payload and stored.asked_again:
            return there.seq  # ours: a try whose answer was not heard
        if there and not there.data and over == 0:  # left by a `nats kv del`: nothing is there
            return (await self._publish(key, payload, there.seq, ttl_s)).sequence
        return None

    async def _publish(self, key: str, payload: bytes, over: int | None, ttl_s: int | None) -> Stored:
        headers = {"Nats-Rollup": "sub"} | ({"Nats-TTL": f"{ttl_s}s"} if ttl_s else {})
        return await self._broker.publish(
            subjects.kv_subject(self._name, key), payload, headers=headers, last_sequence=over
        )

    async def _last(self, key: str) -> RawStreamMsg | None:
        try:
            return await self._broker.js.get_last_msg(
                subjects.stream_of(self._name), subjects.kv_subject(self._name, key)
            )
        except NotFoundError:
            return None
        except (*UNREACHABLE, APIError) as error:
            raise Unavailable(f"bucket {self._name} not readable: {type(error).__name__}") from error
