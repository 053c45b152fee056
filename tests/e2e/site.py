"""The product from outside: its webhooks, what reached the providers, and what the log says."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec

from contracts import subjects
from contracts.facts import AnyFact
from contracts.operations import OPERATIONS
from contracts.subjects import contact_of
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.log import EventLog
from services.sandbox.mailbox import Mail
from tests.e2e.people import STEPS, Person
from tests.e2e.processes import START_S, Machine, embedded_url
from tests.e2e.tables import expected_contact, expected_sequence
from tests.waiting import eventually, is_idle

SIGNUP = "/webhook/christmas-signup"
SEQUENCES, CONTACTS = "Email Sequence", "BusinessX Canada"
JOURNEY_S = 90

Row = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A running product. `close` it: use `site`."""

    machine: Machine
    webhooks: httpx.AsyncClient
    sandbox: httpx.AsyncClient

    async def ready(self) -> None:
        """Signups are stored from now on, and the providers answer."""
        await eventually(lambda: _answers(self.webhooks, "/ready"), timeout=START_S)
        await eventually(lambda: _answers(self.sandbox, "/_control/counts"), timeout=START_S)

    async def sign_up(self, person: Person) -> bool:
        """Whether the form was new."""
        answer = await self.webhooks.post(SIGNUP, json=person.form())
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == "accepted"
        return not answer.json().get("duplicate", False)

    async def mails(self, person: Person | None = None) -> list[Mail]:
        """Everything the provider accepted, in that order."""
        content = (await self.sandbox.get("/_control/mails")).content
        mails = msgspec.json.decode(content, type=list[Mail])
        return [mail for mail in mails if person is None or person.email in mail.to]

    async def count(self) -> int:
        """How many emails the provider accepted; 0 while it is away."""
        try:
            return int((await self.sandbox.get("/_control/counts")).json()["mails"])
        except httpx.TransportError:
            return 0

    async def rows(self, table: str) -> list[Row]:
        rows: list[Row] = (await self.sandbox.get("/_control/notion")).json()[table]
        return [row for row in rows if not row["in_trash"]]

    async def row(self, table: str, person: Person) -> Row:
        """The only one of that person, without what Notion itself adds."""
        (row,) = [row for row in await self.rows(table) if row["Email"] == person.email]
        return {name: value for name, value in row.items() if name not in {"id", "in_trash"}}

    async def lift_limits(self) -> None:
        """The providers' own limits are not what is tested, and would take most of the time."""
        answer = await self.sandbox.post("/_control/options", json={"resend_rate": None, "notion_rate": None})
        answer.raise_for_status()

    async def add_fault(self, **fault: Any) -> None:
        (await self.sandbox.post("/_control/faults", json=fault)).raise_for_status()

    async def begins(self, person: Person, sent: int = 3) -> list[str]:
        """Somebody signs up and gets the first so many emails, but not all, however long that takes here.

        Until then the provider has no time for the last one. What is given back: the other faults that struck
        meanwhile, which are over with that.
        """
        first, last = {person.email_id(step) for step in STEPS[:sent]}, person.email_id(STEPS[-1])

        async def are_there() -> bool:
            return first <= {mail.idempotency_key for mail in await self.mails(person)}

        busy = {"action": "status", "status": 429, "name": "rate_limit_exceeded", "times": 100_000}
        await self.add_fault(api="resend", match={"contains": last}, **busy)
        await self.sign_up(person)
        await self.has_rows(person)
        await eventually(are_there, timeout=JOURNEY_S)
        struck = [each for each in (await self.sandbox.get("/_control/faults")).json() if each["used"]]
        assert len(await self.mails(person)) < 7
        (await self.sandbox.delete("/_control/faults")).raise_for_status()
        return [each["match"]["contains"] for each in struck if each["match"]["contains"] != last]

    async def has_sent(self, number: int) -> None:
        async def sent() -> bool:
            return await self.count() >= number

        await eventually(sent, timeout=JOURNEY_S)

    async def has_rows(self, *people: Person) -> None:
        async def shown() -> bool:
            addresses = {person.email for person in people}
            tables = [await self.rows(SEQUENCES), await self.rows(CONTACTS)]
            return all(addresses <= {row["Email"] for row in rows} for rows in tables)

        await eventually(shown, timeout=JOURNEY_S)

    async def has_finished(self, *people: Person, timeout: float = JOURNEY_S) -> None:  # noqa: ASYNC109
        """Seven emails each, and the tables say so."""

        async def finished() -> bool:
            try:
                rows = await self.rows(SEQUENCES)
            except httpx.TransportError:
                return False
            ended = {row["Email"] for row in rows if row["Sequence Completed"]}
            return ended >= {person.email for person in people} and await self.count() >= 7 * len(people)

        await eventually(finished, timeout=timeout)


async def _answers(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def site(machine: Machine) -> AsyncIterator[Site]:
    """For programs that are running on the machine, or are about to."""
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{machine.port}", timeout=15) as webhooks,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{machine.sandbox_port}", timeout=15) as sandbox,
    ):
        yield Site(machine, webhooks, sandbox)


@asynccontextmanager
async def started(machine: Machine, **environment: str) -> AsyncIterator[Site]:
    """`dripstream up`, ready for signups."""
    machine.start("up", **environment)
    async with site(machine) as running:
        await running.ready()
        yield running


@asynccontextmanager
async def broker_of(machine: Machine, data: Path | None = None) -> AsyncIterator[Broker]:
    """The one the machine's programs talk to, or the one that keeps its data in another folder."""
    async with connect(machine.nats_url if data is None else embedded_url(data), name="test", patience_s=20) as broker:
        yield broker


async def subjects_in(broker: Broker, stream: str) -> list[str]:
    state = (await broker.js.stream_info(stream, subjects_filter=">")).state
    assert state.messages == sum((state.subjects or {}).values())
    return [name for name, count in (state.subjects or {}).items() for _ in range(count)]


async def facts_of(broker: Broker) -> dict[str, Counter[str]]:
    """By contact: how many facts of each kind the log holds. How webhooks were answered concerns nobody."""
    found: dict[str, Counter[str]] = {}
    for subject in await subjects_in(broker, subjects.EVENTS):
        found.setdefault(contact_of(subject), Counter())[subject.split(".")[2]] += 1
    found.pop(OPERATIONS, None)
    return found


async def history(broker: Broker, person: Person) -> list[AnyFact]:
    return list(await EventLog(broker).history(person.contact))


async def is_at_rest(broker: Broker) -> bool:
    """No timer, no wake-up, nothing parked, and every consumer has finished everything."""
    for stream in (subjects.stream_of(subjects.TIMERS), subjects.PARKED):
        if (await broker.js.stream_info(stream)).state.messages:
            return False
    return await has_handled_all(broker)


async def has_handled_all(broker: Broker) -> bool:
    return all([await is_idle(broker, each) for each in topology.DURABLES])


async def redeliver_soon(broker: Broker) -> None:
    """What a killed process had in hand comes again after seconds instead of a minute."""
    for durable in topology.DURABLES:
        await broker.js.add_consumer(durable.stream, replace(durable.config, ack_wait=4.0))


async def each_email_was_sent_once(site: Site, broker: Broker, *people: Person) -> None:
    """The outcome every interruption must come to."""
    await eventually(lambda: is_at_rest(broker), timeout=JOURNEY_S)
    found = await facts_of(broker)
    for person in people:
        keys = [mail.idempotency_key for mail in await site.mails(person)]
        assert sorted(map(str, keys)) == [person.email_id(step) for step in STEPS]
        facts = found[person.contact]
        assert (facts["signup_received"], facts["email_sent"]) == (1, 7)
        assert not facts.keys() - {"signup_received", "email_sent", "email_attempt_failed"}
        written = await history(broker, person)
        assert await site.row(SEQUENCES, person) == expected_sequence(person, written)
        assert await site.row(CONTACTS, person) == expected_contact(person, written)
