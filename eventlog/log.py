"""The event log: append a fact once, read one contact's whole history."""

from contracts import subjects
from contracts.base import Fact
from contracts.codec import encode, fact_at
from contracts.facts import AnyFact
from contracts.operations import OPERATIONS
from eventlog import trace
from eventlog.connection import Broker, Stored
from eventlog.direct import DirectReader
from eventlog.index import subjects_in
from eventlog.metrics import count


class EventLog:
    """EVENTS, the source of truth."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._direct = DirectReader(broker)

    async def append(self, fact: Fact) -> Stored:
        """Store a fact, once and for ever: the same fact again is answered `duplicate` and changes nothing.

        The subject is the identity, and it must be empty; this holds without any dedupe window. No Nats-Msg-Id: the
        server would remember it for two minutes beyond an erasure, and answer for a fact that is not there any more.
        Errors: Unavailable.
        """
        with trace.span("append", "producer", type=fact.tag):
            stored = await self._broker.publish(subjects.fact_subject(fact), encode(fact), last_sequence=0)
        count(fact, stored)
        return stored

    async def history(self, contact: str) -> list[AnyFact]:
        """Every fact of one contact, in the order stored. Errors: Unavailable, Undecodable."""
        messages = await self._direct.last_of_each(subjects.EVENTS, [subjects.history_of(contact)])
        return [fact_at(message.subject, message.payload) for message in messages]

    async def contacts(self, *tags: str) -> list[str]:
        """Who has a fact of one of these tags, or any fact at all; from the index alone. Errors: Unavailable.

        Nobody has what is said of operations.
        """
        found: set[str] = set()
        for tag in tags or ("*",):
            names = await subjects_in(self._broker, subjects.EVENTS, subjects.facts_of(tag))
            found |= {subjects.contact_of(name) for name in names}
        return sorted(found - {OPERATIONS})
