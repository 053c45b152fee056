"""The one module that writes timers.

A key in the bucket `timers` with schedule headers IS a pending email; nats-server publishes it at its time on
`email.due.…` and removes the key. A put without the headers silently cancels it, and a delete marker comes back as a
ghost after a crash, so nothing else may call put, update, create or delete on that bucket (reliability: d, i).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from contracts import subjects
from contracts.codec import encode
from contracts.ids import BadId
from contracts.messages import EmailDue
from contracts.subjects import Timer
from eventlog.connection import Broker, Unavailable
from eventlog.direct import DirectReader

STREAM = subjects.stream_of(subjects.TIMERS)
FIRED_TTL = "720h"
"""How long a fired wake-up waits for a sender: longer than any outage."""

SUBJECTS_PAGE = 100_000


@dataclass(frozen=True)
class Armed:
    """A key in the bucket. `scheduled` is false for an entry somebody wrote without the headers: it never fires."""

    timer: Timer
    sequence: int
    scheduled: bool


@dataclass(frozen=True)
class TimersOf:
    """What the bucket holds of one contact: armed, and fired but not yet cleared."""

    armed: tuple[Armed, ...]
    fired: tuple[Timer, ...]


class Timers:
    """Pending emails."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._direct = DirectReader(broker)

    async def arm(self, timer: Timer, *, over: int = 0) -> bool:
        """Make one email due at one time; false if it is armed already. A time in the past fires at once.

        `over`: the sequence of the entry to write again, for one that is overdue and stuck. Errors: Unavailable.
        """
        stored = await self._broker.publish(
            timer.subject,
            encode(EmailDue(email_id=timer.email_id, due=timer.due_at)),
            headers={
                "Nats-Schedule": f"@at {timer.due_at:%Y-%m-%dT%H:%M:%SZ}",
                "Nats-Schedule-Target": timer.fires_as,
                "Nats-Schedule-TTL": FIRED_TTL,
            },
            last_sequence=over,
        )
        return not stored.duplicate

    async def purge(self, timer: Timer) -> None:
        """Cancel. Only a stream purge of the exact subject leaves no ghost. Errors: Unavailable."""
        await self._purge(timer.subject)

    async def clear(self, timer: Timer) -> None:
        """Drop a fired wake-up that was handled, so that what is left is what was not. Errors: Unavailable."""
        await self._purge(timer.fires_as)

    async def of(self, contact: str) -> TimersOf:
        """Errors: Unavailable."""
        filters = [subjects.timers_of(contact), subjects.fired_of(contact)]
        armed, fired = [], []
        for message in await self._direct.last_of_each(STREAM, filters):
            timer = Timer.parse(message.subject)
            if message.subject == timer.fires_as:
                fired.append(timer)
            elif "KV-Operation" not in message.headers:
                armed.append(Armed(timer, message.sequence, "Nats-Schedule" in message.headers))
        return TimersOf(tuple(armed), tuple(fired))

    async def pending(self, *, hour: datetime | None = None) -> list[Timer]:
        """Every armed timer (of one hour) in order of time, from the keys alone. Errors: Unavailable."""
        wanted = subjects.timers_of_hour(hour) if hour else subjects.kv_subject(subjects.TIMERS, ">")
        return sorted(await self._keys(wanted), key=lambda timer: (timer.due, timer.email_id))

    async def fired(self) -> list[Timer]:
        """Every wake-up that fired and was not handled yet. Errors: Unavailable."""
        return sorted(await self._keys(subjects.ALL_DUE), key=lambda timer: timer.due)

    async def _keys(self, wanted: str) -> list[Timer]:
        found: list[Timer] = []
        offset = 0
        while True:
            request = {"subjects_filter": wanted, "offset": offset}
            answer = await self._broker.request(f"STREAM.INFO.{STREAM}", msgspec.json.encode(request))
            page = msgspec.json.decode(answer, type=_Info)
            if page.error:
                raise Unavailable(f"cannot list timers: {page.error.description}")
            names = page.state.subjects or {}
            found += [timer for name in names if (timer := _parsed(name))]
            offset += len(names)
            if len(names) < SUBJECTS_PAGE or offset >= page.total:
                return found

    async def _purge(self, subject: str) -> None:
        try:
            await self._broker.js.purge_stream(STREAM, subject=subject)
        except (APIError, NatsError, TimeoutError) as error:
            raise Unavailable(f"purge failed: {type(error).__name__}") from error


class _State(msgspec.Struct):
    subjects: dict[str, int] | None = None


class _Error(msgspec.Struct):
    description: str = ""


class _Info(msgspec.Struct):
    state: _State = msgspec.field(default_factory=_State)
    total: int = 0
    error: _Error | None = None


def _parsed(subject: str) -> Timer | None:
    """None for a key that is not ours: a person put it there, and it never fires as an email."""
    try:
        return Timer.parse(subject)
    except BadId:
        return None


def overdue_hours(now: datetime, hours: int) -> list[datetime]:
    """The hours whose keys may be overdue, oldest first: the cost of a sweep follows these, not what is pending."""
    start = int(now.timestamp()) // 3600
    return [datetime.fromtimestamp(3600 * (start - back), UTC) for back in range(hours, -1, -1)]
