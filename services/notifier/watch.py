"""The watch: every minute it asks each question, and tells what begins, stands and is over."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from eventlog.bucket import Entry
from eventlog.connection import Broker, Unavailable
from eventlog.notices import KEPT_S, Standing, alert_key
from services.notifier.answer import Doubt, Outcome, Posted, Unfit
from services.notifier.message import Message
from services.notifier.observe import QUESTIONS, Look, Question
from services.notifier.rules import Limits, broker_away
from services.notifier.standing import Finding, Note, Pace, Tell, message, step

log = structlog.get_logger(__name__)
BROKER_AWAY = "BrokerAway"


class Posts(Protocol):
    def shut(self) -> Outcome | None: ...

    async def post(self, message: Message, /) -> Outcome: ...


class Memory(Protocol):
    """The bucket, or for what is told of the bucket's own absence, this process."""

    async def get(self, key: str) -> Entry[Standing] | None: ...

    async def put(self, key: str, value: Standing, *, over: int | None, ttl_s: int | None = None) -> int | None: ...


@dataclass
class Here:
    """Standings in this process: another notifier would tell the same."""

    entries: dict[str, Entry[Standing]] = field(default_factory=dict)

    async def get(self, key: str) -> Entry[Standing] | None:
        return self.entries.get(key)

    async def put(self, key: str, value: Standing, *, over: int | None, ttl_s: int | None = None) -> int | None:  # noqa: ARG002
        revision = (over or 0) + 1
        self.entries[key] = Entry(value, revision)
        return revision


@dataclass(frozen=True)
class Watch:
    """What the watch works with."""

    broker: Broker
    poster: Posts
    standings: Memory
    limits: Limits
    every: timedelta
    clock: Callable[[], datetime]
    questions: Mapping[str, Question] = field(default_factory=lambda: QUESTIONS)
    here: Memory = field(default_factory=Here)

    @property
    def pace(self) -> Pace:
        return Pace.two_looks(self.every)


async def keep_watch(watch: Watch, stop: asyncio.Event) -> None:
    """Until `stop` is set."""
    while not stop.is_set():
        try:
            await look(watch)
        except Exception:  # a look that fails must not end the watch
            log.exception("look_failed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(watch.every.total_seconds()):
                await stop.wait()


async def look(watch: Watch) -> None:
    """One look at everything. Errors: none of the broker's."""
    if not await _is_there(watch):
        return
    for alert, question in watch.questions.items():
        try:
            finding = await question(Look(watch.broker, watch.limits, watch.clock()))
            await _bring(watch, watch.standings, alert, finding, watch.pace)
        except Unavailable as error:  # not known, so it stands as it stood
            log.warning("not_looked", alert=alert, reason=str(error))


async def _is_there(watch: Watch) -> bool:
    finding: Finding | None = None
    try:
        await watch.broker.ping()
    except Unavailable as error:
        finding = broker_away(str(error))
    pace = Pace(hold=watch.limits.away, clear=watch.pace.clear)
    await _bring(watch, watch.here, BROKER_AWAY, finding, pace)
    return finding is None


async def _bring(watch: Watch, memory: Memory, alert: str, finding: Finding | None, pace: Pace) -> None:
    """From what a look found to what people hear of it. Errors: Unavailable."""
    entry = await memory.get(alert_key(alert))
    revision = entry.revision if entry else 0
    next_ = step(entry.value if entry else None, finding, watch.clock(), pace)
    if isinstance(next_, Note):
        await _keep(memory, alert, next_.standing, revision)
    elif isinstance(next_, Tell) and not watch.poster.shut():
        await _tell(watch, memory, alert, finding, next_, revision)
    elif isinstance(next_, Tell) and entry and next_.owed != entry.value:
        await _keep(memory, alert, next_.owed, revision)


async def _tell(watch: Watch, memory: Memory, alert: str, finding: Finding | None, tell: Tell, over: int) -> None:
    revision = await _keep(memory, alert, tell.begun, over)
    if revision is None:
        return  # another notifier was first
    outcome = await watch.poster.post(message(alert, tell.kind, tell.begun, finding, watch.clock()))
    told = isinstance(outcome, Posted | Unfit)  # what the chat does not take today it will not take in an hour
    level = log.info if isinstance(outcome, Posted) else log.warning
    level("alert", alert=alert, kind=tell.kind, outcome=type(outcome).__name__.lower(), text=finding and finding.text)
    if not isinstance(outcome, Doubt):
        await _keep(memory, alert, tell.told if told else tell.owed, revision)


async def _keep(memory: Memory, alert: str, standing: Standing, over: int) -> int | None:
    ttl_s = KEPT_S if standing.over else None
    return await memory.put(alert_key(alert), standing, over=over, ttl_s=ttl_s)
