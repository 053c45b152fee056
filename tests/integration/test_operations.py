"""What a person does to a service is done, and is in the diary with who and why."""

from datetime import UTC, datetime, timedelta

from contracts.operations import OPERATIONS, ServicePaused, ServiceResumed
from eventlog import topology
from eventlog.connection import Broker
from eventlog.log import EventLog
from eventlog.operations import pause_service, resume_service
from eventlog.pause import paused
from tests.factories import make_signup

NOW = datetime.now(UTC)


async def test_a_pause_holds_and_is_in_the_diary_with_who_and_why(broker: Broker) -> None:
    before = await pause_service(broker, topology.SENDER, for_=timedelta(hours=1), by="ada", why="moving", now=NOW)
    assert before is None
    found = await paused(broker, topology.SENDER)
    assert found
    assert found.reason == "by ada: moving"
    [fact] = await EventLog(broker).history(OPERATIONS)
    assert isinstance(fact, ServicePaused)
    assert (fact.service, fact.by, fact.why, fact.until) == ("sender", "ada", "moving", NOW + timedelta(hours=1))


async def test_a_resume_ends_the_pause_and_one_of_what_runs_says_nothing(broker: Broker) -> None:
    await pause_service(broker, topology.SENDER, for_=timedelta(hours=1), by="ada", why="", now=NOW)
    before = await resume_service(broker, topology.SENDER, by="bob", why="moved", now=NOW)
    assert before
    assert before.reason == "by ada"
    assert await paused(broker, topology.SENDER) is None
    assert await resume_service(broker, topology.SENDER, by="bob", why="moved", now=NOW) is None
    last = (await EventLog(broker).history(OPERATIONS))[-1]
    assert isinstance(last, ServiceResumed)
    assert len(await EventLog(broker).history(OPERATIONS)) == 2


async def test_the_diary_is_nobody_s_history(broker: Broker) -> None:
    await pause_service(broker, topology.SENDER, for_=timedelta(hours=1), by="ada", why="", now=NOW)
    await EventLog(broker).append(make_signup("ada@example.com"))
    assert await EventLog(broker).contacts() == [make_signup("ada@example.com").contact]
