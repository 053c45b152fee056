"""The product on a broker in trouble: scheduler and sender as they run, people who sign up, and what reached them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts import subjects
from contracts.base import Fact
from contracts.ids import contact_id
from contracts.subjects import fact_subject
from eventlog import topology
from eventlog.connection import Broker, Unavailable, connect
from eventlog.consume import Consumer
from eventlog.index import info
from eventlog.log import EventLog
from journey.plan import Pace
from services.scheduler import service as scheduler
from services.sender.handlers import shell_for, work
from services.sender.outcome import Answer
from services.settings import Settings
from tests.factories import CAMPAIGN, make_email_id, make_email_sent, make_signup
from tests.fakes import Provider
from tests.unit.journey.test_plan import campaign
from tests.waiting import eventually

STORED_S = 90.0
AGAIN_S = 0.3


class Postman(Provider):
    """A provider that knows when it took each email."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, datetime] = {}

    async def send(self, body: str, *, key: str) -> Answer:
        answer = await super().send(body, key=key)
        self.at.setdefault(key, datetime.now(UTC))
        return answer


@dataclass
class People:
    """Who signed up, when their first email is due, and which facts the broker took."""

    due: dict[str, datetime] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)

    @property
    def emails(self) -> set[str]:
        return {make_email_id(email=person) for person in self.due}

    async def sign_up(self, log: EventLog, person: str, due: datetime) -> None:
        """Until it is taken, as every webhook sender does."""
        fact = make_signup(person, at=due)
        await append_for_certain(log, fact)
        self.due[person] = due
        self.acknowledged.append(fact_subject(fact))

    def taken(self, person: str, name: str) -> None:
        """A form that ingest took just now, as the fact of this name."""
        self.due[person] = datetime.now(UTC)
        self.acknowledged.append(f"events.{contact_id(person)}.signup_received.{name}")

    def lateness(self, postman: Postman) -> list[float]:
        """Seconds of each email, the latest at the end."""
        return sorted((postman.at[make_email_id(email=who)] - due).total_seconds() for who, due in self.due.items())


async def append_for_certain(log: EventLog, fact: Fact) -> None:
    async with asyncio.timeout(STORED_S):
        while True:
            try:
                await log.append(fact)
            except Unavailable:
                await asyncio.sleep(AGAIN_S)
            else:
                return


@asynccontextmanager
async def working(url: str, postman: Postman) -> AsyncIterator[None]:
    """A scheduler with its sweep and a sender, each on a connection of its own."""
    stop, campaigns = asyncio.Event(), {CAMPAIGN: campaign()}
    async with connect(url, name="scheduler", patience_s=20) as one, connect(url, name="sender", patience_s=20) as two:
        sender = work(shell_for(two, postman, campaigns, Pace()))
        tasks = [
            asyncio.create_task(scheduler.run(one, Settings.load(speedup=1, testing_mode=False), campaigns, stop)),
            asyncio.create_task(Consumer(two, sender, stop=stop).run()),
        ]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)


async def sign_up_many(broker: Broker, people: People, names: Iterable[str], *, over_s: float, in_s: float = 3) -> None:
    """One after the other; their emails come due from `in_s` from now on, spread over `over_s`."""
    log, each = EventLog(broker), list(names)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=in_s)
    for n, name in enumerate(each):
        due = start + timedelta(seconds=int(over_s * n / len(each)))
        await people.sign_up(log, f"{name}@example.com", due)


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


async def caught_up(people: People, postman: Postman, *, within_s: float = 120) -> None:
    """Until whatever is due by now is mailed: what a fault cost is over."""
    now = datetime.now(UTC) - timedelta(seconds=1)
    due = {make_email_id(email=person) for person, when in people.due.items() if when <= now}

    async def all_of_them() -> bool:
        return due <= postman.accepted.keys()

    await eventually(all_of_them, timeout=within_s)


async def mailed(count: int, postman: Postman, *, within_s: float = 60) -> None:
    async def so_many() -> bool:
        return len(postman.accepted) >= count

    await eventually(so_many, timeout=within_s)


async def all_mailed(people: People, postman: Postman, *, within_s: float) -> None:
    async def nobody_is_left() -> bool:
        return people.emails <= postman.accepted.keys()

    await eventually(nobody_is_left, timeout=within_s)


async def audit(broker: Broker, people: People, postman: Postman) -> None:
    """Mails per email id are 1; every acknowledged fact is there, once; each email has ended as one fact."""
    assert {email: count for email, count in postman.accepted.items() if count != 1} == {}
    assert set(postman.accepted) == people.emails
    await eventually(lambda: _sent(broker, people), timeout=60)
    stored = await facts(broker)
    assert [subject for subject in people.acknowledged if stored[subject] != 1] == []
    assert sum(stored.values()) == len(stored) == 2 * len(people.due)


async def _sent(broker: Broker, people: People) -> bool:
    """What was accepted is also written down; the sender may be a moment behind its provider."""
    wanted = {fact_subject(make_email_sent(email=person)) for person in people.due}
    return wanted <= (await facts(broker)).keys()


async def facts(broker: Broker) -> Counter[str]:
    """Messages by subject, as the leader of EVENTS has them."""
    found = await info(broker, subjects.EVENTS, wanted=subjects.ALL_FACTS)
    return Counter(found.state.subjects or {})


async def empty(broker: Broker) -> None:
    for config in topology.streams():
        await broker.js.purge_stream(str(config.name))
