"""Calling a handler, and what becomes of every way in which that can fail."""

import asyncio
import contextlib
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from contracts.codec import Undecodable, Unheard
from contracts.ids import BadId
from eventlog.connection import Broker, Unavailable
from eventlog.outcomes import Item, Outcome, Park, Retry, Work

log = structlog.get_logger(__name__)
T = TypeVar("T")

ATTEMPTS = 5
"""Failures in a row after which an exception nobody foresaw is taken for poison."""

BACKOFF_S = (1.0, 5.0, 15.0, 30.0)
TRIES, AWAY_S = 5, 3
"""How often, and after how many seconds at most, while the broker does not answer: each slot may be waiting for it."""

UNHEARD_S, UNHEARD_LOOKS = 60.0, 60
"""A fact of a newer version waits an hour for a process of that version: deployments go service by service."""


class Attempts(Generic[T]):
    """A handler's calls, with the failures in a row of each message."""

    def __init__(self, broker: Broker, work: Work[T], *, stop: asyncio.Event) -> None:
        self._broker, self._work, self._stop = broker, work, stop
        self._failures: dict[int, int] = {}
        self._log = log.bind(service=work.durable.name)

    async def __call__(self, items: Sequence[Item[T]]) -> Outcome:
        """Errors: none; every way to fail is an outcome."""
        attempt = max(item.attempt for item in items)
        failed = max(self._failures.get(item.sequence, 0) for item in items) + 1
        try:
            return await self._handle_with_patience(items)
        except Unavailable as error:
            return Retry(_backoff(attempt), str(error), label="broker")
        except Unheard as error:
            return unheard(attempt, error)
        except (Undecodable, BadId) as error:
            return Park("undecodable", str(error), label="undecodable")
        except Exception as error:  # noqa: BLE001 - a bug we have not met: tried again, then kept for a person
            self._log.error("unforeseen", error=type(error).__name__, attempt=failed, where=_where(error))
            self._failures |= {item.sequence: failed for item in items}
            if failed >= ATTEMPTS:
                return Park(f"unforeseen {type(error).__name__}", traceback.format_exc(), label="unforeseen")
            return Retry(_backoff(failed), f"unforeseen {type(error).__name__}", label="unforeseen")

    async def _handle_with_patience(self, items: Sequence[Item[T]]) -> Outcome:
        """Handle, and while the broker is away again from here: giving back needs the very broker that does not answer.

        A nak that gets lost costs ack_wait, and one that a dying leader took has been seen to lose the message for
        the consumer. Errors: Unavailable, if we are told to stop, or the connection is there and it goes on.
        """
        tries = 0
        while True:
            try:
                return await self._work.handle(items)
            except Unavailable as error:
                tries += 1
                if await self._stops_within(min(tries, AWAY_S)) or tries >= TRIES:
                    raise
                self._log.warning("unavailable", subject=items[0].subject, reason=str(error))
                while not self._broker.nc.is_connected:
                    if await self._stops_within(1):
                        raise

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        return self._stop.is_set()

    def forget(self, sequence: int) -> None:
        """It is settled for good."""
        self._failures.pop(sequence, None)


def unheard(attempt: int, error: Unheard) -> Retry | Park:
    if attempt < UNHEARD_LOOKS:
        return Retry(UNHEARD_S, "a fact of a newer version: this process is to be upgraded", label="newer_version")
    return Park("undecodable", str(error), label="undecodable")


def _backoff(attempt: int) -> float:
    return BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1]


def _where(error: BaseException) -> list[str]:
    """The way to the error, without its message: that may quote a person's data."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
