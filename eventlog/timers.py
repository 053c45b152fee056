"""The one module that writes timers.

A key in the bucket `timers` with schedule headers IS a pending email; nats-server publishes it at its time on
`email.due.…` and removes the key. A put without the headers silently cancels it, and a delete marker comes back as a
ghost after a crash, so nothing else may call put, update, create or delete on that bucket (reliability: d, i).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from contracts import subjects
from contracts.codec import Undecodable, decode_due, encode
from contracts.ids import BadId
from contracts.messages import EmailDue
from contracts.subjects import Timer
from eventlog.connection import UNREACHABLE, Broker, Unavailable
from eventlog.direct import DirectReader, StoredMessage
from eventlog.index import Info, count, info, subjects_in

STREAM = subjects.stream_of(subjects.TIMERS)
FIRED_TTL = "720h"
"""How long a fired wake-up waits for a sender: longer than any outage."""

SCHEDULING = ("Nats-Schedule", "Nats-TTL")
"""How the headers begin that decide when, as what and whether an entry fires."""


@dataclass(frozen=True)
class Armed:
    """A key in the bucket. `scheduled` is false where it will not fire as its key says: written or deleted by hand."""

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
            headers=_schedule(timer),
            last_sequence=over,
        )
        return not stored.duplicate

    async def purge(self, timer: Timer) -> None:
        """Cancel. Only a stream purge of the exact subject leaves no ghost. Errors: Unavailable."""
        await self._purge(timer.subject)

    async def clear(self, timer: Timer) -> None:
        """Drop a fired wake-up that was handled, so that what is left is what was not. Errors: Unavailable.

        Message by message: a purge would also empty the sender's redelivery queue and move its ack floor, and what it
        had put off for a moment would come after `ack_wait`, or after a crash not at all (docs/adr/0017).
        """
        while sequence := await self._last_fired(timer):
            request = msgspec.json.encode({"seq": sequence, "no_erase": True})
            answer = await self._broker.request(f"STREAM.MSG.DELETE.{STREAM}", request)
            if msgspec.json.decode(answer, type=_Answer).error:  # gone already, or a bucket that was made to forbid it
                await self._purge(timer.fires_as)

    async def _last_fired(self, timer: Timer) -> int | None:
        try:
            return (await self._broker.js.get_last_msg(STREAM, timer.fires_as)).seq
        except NotFoundError:
            return None
        except (*UNREACHABLE, APIError) as error:
            raise Unavailable(f"wake-up not readable: {type(error).__name__}") from error

    async def of(self, contact: str) -> TimersOf:
        """Errors: Unavailable."""
        filters = [subjects.timers_of(contact), subjects.fired_of(contact)]
        armed, fired = [], []
        for message in await self._direct.last_of_each(STREAM, filters):
            timer = _parsed(message.subject)
            if timer and message.subject == timer.fires_as:
                fired.append(timer)
            elif timer:
                armed.append(Armed(timer, message.sequence, _is_scheduled(timer, message)))
        return TimersOf(tuple(armed), tuple(fired))

    async def pending(self, *, hour: datetime | None = None) -> list[Timer]:
        """Every armed timer (of one hour) in order of time. Errors: Unavailable.

        From the keys alone, so what was overwritten or deleted by hand is among them until the sweep has put it right.
        """
        wanted = subjects.timers_of_hour(hour) if hour else subjects.kv_subject(subjects.TIMERS, ">")
        return sorted(await self._keys(wanted), key=lambda timer: (timer.due, timer.email_id))

    async def fired(self) -> list[Timer]:
        """Every wake-up that fired and was not handled yet. Errors: Unavailable."""
        return sorted(await self._keys(subjects.ALL_DUE), key=lambda timer: timer.due)

    async def passed_over(self, floor: int) -> list[Timer]:
        """Wake-ups the sender will not hear of again, and that are still there.

        `floor`: the sequence up to which it has settled everything. Errors: Unavailable.
        """
        found: list[Timer] = []
        async for page in self._direct.pages(STREAM, subjects.ALL_DUE):
            found += [timer for each in page if each.sequence <= floor and (timer := _parsed(each.subject))]
            if page[-1].sequence > floor:
                break
        return found

    async def spoilt_since(self, mark: "Mark") -> tuple[set[Timer], "Mark"]:
        """What was written since the mark and will not fire as its key says, and the mark for the next look.

        It may have been put right in the meantime: `of` says how it stands. Cost: some 25 µs of processor time for
        each entry written since. Errors: Unavailable.
        """
        now = await info(self._broker, STREAM)
        start = mark.start_in(now)
        spoilt, seen = set(), start - 1 if isinstance(start, int) else 0
        async for page in self._direct.pages(STREAM, subjects.kv_subject(subjects.TIMERS, ">"), start):
            seen = page[-1].sequence
            spoilt |= {timer for each in page if (timer := _parsed(each.subject)) and not _is_scheduled(timer, each)}
        return spoilt, Mark(mark.since, now.created, seen) if seen else mark

    async def _keys(self, wanted: str) -> list[Timer]:
        return [timer for name in await subjects_in(self._broker, STREAM, wanted) if (timer := _parsed(name))]

    async def _purge(self, subject: str) -> None:
        try:
            await self._broker.js.purge_stream(STREAM, subject=subject)
        except (APIError, NatsError, TimeoutError) as error:
            raise Unavailable(f"purge failed: {type(error).__name__}") from error


class _Error(msgspec.Struct):
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Error | None = None


@dataclass(frozen=True)
class Mark:
    """How far what is written to the bucket was looked at: up to a sequence of the bucket made at that time.

    Before the first look: from `since` on.
    """

    since: datetime
    bucket: str = ""
    sequence: int = 0

    def start_in(self, found: Info) -> int | datetime:
        if not self.bucket:
            return self.since
        same = self.bucket == found.created and self.sequence <= found.state.last_seq
        return self.sequence + 1 if same else 1  # a bucket made anew counts from 1


def _schedule(timer: Timer) -> dict[str, str]:
    return {
        "Nats-Schedule": f"@at {timer.due_at:%Y-%m-%dT%H:%M:%SZ}",
        "Nats-Schedule-Target": timer.fires_as,
        "Nats-Schedule-TTL": FIRED_TTL,
    }


def _is_scheduled(timer: Timer, message: StoredMessage) -> bool:
    """Whether an entry will fire as this email at this time. A TTL of its own would let it vanish before."""
    found = {name: value for name, value in message.headers.items() if name.startswith(SCHEDULING)}
    return found == _schedule(timer) and _email_in(message.payload) == timer.email_id


def _email_in(payload: bytes) -> str | None:
    try:
        return decode_due(payload).email_id
    except Undecodable:
        return None


def _parsed(subject: str) -> Timer | None:
    """None for a key that is not ours: a person put it there, and it never fires as an email."""
    try:
        timer = Timer.parse(subject)
    except BadId:
        return None
    return timer if subject in {timer.subject, timer.fires_as} else None


async def how_many(broker: Broker) -> int:
    """Armed timers, of everybody. Asked for by name it takes the server a second a million. Errors: Unavailable."""
    everything = (await info(broker, STREAM)).state.num_subjects
    return max(0, everything - await count(broker, STREAM, subjects.ALL_DUE))


def overdue_hours(now: datetime, hours: int) -> list[datetime]:
    """The hours whose keys may be overdue, oldest first: the cost of a sweep follows these, not what is pending."""
    start = int(now.timestamp()) // 3600
    return [datetime.fromtimestamp(3600 * (start - back), UTC) for back in range(hours, -1, -1)]
