"""Facts on a real nats-server: appended once, read back whole."""

import asyncio

from contracts import subjects
from contracts.facts import AnyFact
from contracts.ids import contact_id
from eventlog.connection import Broker
from eventlog.log import EventLog
from tests.factories import ADA, at, make_email_sent, make_signup


async def test_the_same_fact_twice_is_stored_once(broker: Broker) -> None:
    log = EventLog(broker)
    first = await log.append(make_signup())
    again = await log.append(make_signup())
    assert not first.duplicate
    assert again.duplicate
    assert await log.history(contact_id(ADA)) == [make_signup()]


async def test_the_same_fact_seen_at_another_time_is_still_the_same(broker: Broker) -> None:
    log = EventLog(broker)
    fact = make_signup(content="same")
    await log.append(fact)
    assert (await log.append(make_signup(content="same", at=at(hours=1)))).duplicate
    assert await log.history(fact.contact) == [fact]


async def test_history_holds_one_contact_and_keeps_the_order(broker: Broker) -> None:
    log = EventLog(broker)
    facts: list[AnyFact] = [make_signup(), make_email_sent("email-1"), make_email_sent("email-2")]
    for fact in facts:
        await log.append(fact)
    await log.append(make_signup("bob@example.com"))
    assert await log.history(contact_id(ADA)) == facts


async def test_history_of_a_stranger_is_empty(broker: Broker) -> None:
    assert await EventLog(broker).history(contact_id("nobody@example.com")) == []


async def test_a_history_longer_than_one_answer_is_read_whole(broker: Broker) -> None:
    log = EventLog(broker)
    facts = [make_signup(content=f"c{n:04}", at=at(seconds=n)) for n in range(1_100)]
    for fact in facts:
        await log.append(fact)
    assert await log.history(contact_id(ADA)) == facts


async def test_an_erased_contact_who_signs_up_again_is_stored_again(broker: Broker) -> None:
    log, fact = EventLog(broker), make_signup()
    await log.append(fact)
    await broker.js.purge_stream(subjects.EVENTS, subject=subjects.history_of(fact.contact))
    assert not (await log.append(fact)).duplicate
    assert await log.history(fact.contact) == [fact]


async def test_many_writers_of_one_fact_store_it_once(broker: Broker) -> None:
    log = EventLog(broker)
    results = await asyncio.gather(*(log.append(make_signup(content="same")) for _ in range(50)))
    assert [each.duplicate for each in results].count(False) == 1
