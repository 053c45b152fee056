"""Three nodes lose a leader, freeze, or lose a node for good: nothing acknowledged is lost, nobody is mailed twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from contracts import subjects
from eventlog import topology
from eventlog.connection import TRIES, Broker, connect
from eventlog.log import EventLog
from eventlog.timers import STREAM
from tests.broker.product import (
    People,
    Postman,
    all_mailed,
    append_for_certain,
    audit,
    caught_up,
    empty,
    facts,
    names,
    sign_up_many,
    working,
)
from tests.cluster import Cluster
from tests.factories import at, make_signup
from tests.rounds import ROUNDS

CAUGHT_UP_S = 4 * topology.ACK_WAIT_S
"""A leader's death is noticed and another chosen in 5-10 s; what was on its way to the sender then is delivered again
after ack_wait. How late that makes an email is printed: how busy the machine is decides it as well."""

USUAL_ACK_S = 0.004
PAUSE_S = 15


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def broker(cluster: Cluster) -> AsyncIterator[Broker]:
    """All nodes up, everything in place and empty."""
    await cluster.start()
    async with connect(cluster.url, name="test", patience_s=20) as broker:
        await topology.init(broker, replicas=3)
        await cluster.settled()
        await empty(broker)
        yield broker


async def test_a_leader_that_dies_hands_over_or_freezes_loses_nothing_and_doubles_nothing(
    cluster: Cluster, broker: Broker
) -> None:
    people, postman = People(), Postman()
    async with working(cluster.url, postman), asyncio.TaskGroup() as tasks:
        coming = tasks.create_task(sign_up_many(broker, people, names("p", 200 * ROUNDS), over_s=35 * ROUNDS))
        for stream in [subjects.EVENTS, STREAM] * ROUNDS:
            await cluster.step_down(stream)
        for _ in range(ROUNDS):
            await kill_the_leader_of(cluster, STREAM)
            await caught_up(people, postman, within_s=CAUGHT_UP_S)
            await freeze_the_leader_of(cluster, STREAM)
            await caught_up(people, postman, within_s=CAUGHT_UP_S)
        await coming
        await all_mailed(people, postman, within_s=CAUGHT_UP_S)
        await audit(broker, people, postman)
    late = people.lateness(postman)
    print(f"late: 99 of 100 within {late[len(late) * 99 // 100]:.1f} s, all within {late[-1]:.1f} s")


async def kill_the_leader_of(cluster: Cluster, stream: str) -> None:
    dead = await cluster.leader_of(stream)
    await dead.kill()
    await cluster.leader_of(stream)
    await dead.start()
    await cluster.settled()


async def freeze_the_leader_of(cluster: Cluster, stream: str) -> None:
    frozen = await cluster.leader_of(stream)
    frozen.pause()
    await asyncio.sleep(PAUSE_S)  # the fault itself: long enough that the others choose a new leader
    frozen.resume()
    await cluster.settled()


async def test_a_node_lost_for_good_is_replaced_under_its_name(cluster: Cluster, broker: Broker) -> None:
    people, postman = People(), Postman()
    async with working(cluster.url, postman), asyncio.TaskGroup() as tasks:
        coming = tasks.create_task(sign_up_many(broker, people, names("w", 200 * ROUNDS), over_s=10 * ROUNDS))
        for _ in range(ROUNDS):
            lost = await cluster.leader_of(STREAM)
            await cluster.wipe(cluster.nodes.index(lost))
            await coming
            await cluster.settled()
        await all_mailed(people, postman, within_s=CAUGHT_UP_S)
        await audit(broker, people, postman)


async def test_a_leader_whose_replica_is_moved_elsewhere_loses_nothing(tmp_path: Path) -> None:
    """What `nats stream cluster peer-remove` does; it needs a fourth node to move to."""
    people, postman = People(), Postman()
    async with Cluster(tmp_path, nodes=4) as cluster, connect(cluster.url, name="test", patience_s=20) as broker:
        await topology.init(broker, replicas=3)
        async with working(cluster.url, postman), asyncio.TaskGroup() as tasks:
            coming = tasks.create_task(sign_up_many(broker, people, names("m", 100), over_s=6))
            for stream in (subjects.EVENTS, STREAM):
                await cluster.move_away_from(await cluster.leader_of(stream), stream)
            await coming
            await all_mailed(people, postman, within_s=CAUGHT_UP_S)
            await cluster.settled()
            await audit(broker, people, postman)


async def test_a_storm_of_facts_across_dying_leaders_is_stored_once_each(cluster: Cluster, broker: Broker) -> None:
    """Twenty writers, each repeating until it is acknowledged. Every other one often does not hear that it was."""
    taken, over = set[str](), asyncio.Event()
    impatient = replace(broker, timeout_s=TRIES * USUAL_ACK_S)

    async def write(writer: int) -> None:
        n, log = 0, EventLog(impatient if writer % 2 else broker)
        while not over.is_set():
            person = f"s{writer}-{n}@example.com"
            await append_for_certain(log, make_signup(person, at=at(days=1)))
            taken.add(person)
            n += 1

    async with asyncio.TaskGroup() as writers:
        for each in range(20):
            writers.create_task(write(each))
        for _ in range(ROUNDS):
            await kill_the_leader_of(cluster, subjects.EVENTS)
        over.set()
    stored = await facts(broker)
    assert max(stored.values()) == 1
    assert len(stored) == len(taken)
