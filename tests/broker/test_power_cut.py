"""Somebody pulls the plug: what was acknowledged is there, what comes after is not skipped, nobody is mailed twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from eventlog import topology
from eventlog.connection import Broker, connect
from tests.broker.product import People, Postman, all_mailed, audit, empty, mailed, names, sign_up_many, working
from tests.cluster import Cluster, Node
from tests.disk import Disk, require_disks
from tests.rounds import ROUNDS

MAILED_S = 50
"""Below what the sweep would need to find a wake-up that was skipped: nothing here is to depend on it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("power")
    require_disks(folder)
    return folder


@pytest.fixture(scope="module")
async def powered(folder: Path) -> AsyncIterator[tuple[Cluster, Sequence[Disk]]]:
    """Three nodes, each on a disk of its own."""
    with ExitStack() as stack:
        disks = [stack.enter_context(Disk(folder / f"d{n}", megabytes=96)) for n in range(3)]
        async with Cluster(folder, stores=[disk.path / "jetstream" for disk in disks]) as cluster:
            yield cluster, disks


async def test_a_single_node_loses_power(folder: Path) -> None:
    with Disk(folder / "single", megabytes=96) as disk:
        async with Node(folder / "node", store=disk.path / "jetstream") as node, in_place(node.url, 1) as broker:
            await cut_while_working(broker, node.url, [(node, disk)])


async def test_the_leader_of_three_loses_power(powered: tuple[Cluster, Sequence[Disk]]) -> None:
    cluster, disks = powered
    async with in_place(cluster.url, 3) as broker:
        await cluster.settled()
        leader = await cluster.leader_of("EVENTS")
        await cut_while_working(broker, cluster.url, [(leader, disks[cluster.nodes.index(leader)])])


async def test_all_three_nodes_lose_power_at_once(powered: tuple[Cluster, Sequence[Disk]]) -> None:
    cluster, disks = powered
    async with in_place(cluster.url, 3) as broker:
        await cluster.settled()
        await cut_while_working(broker, cluster.url, list(zip(cluster.nodes, disks, strict=True)))


@asynccontextmanager
async def in_place(url: str, replicas: int) -> AsyncIterator[Broker]:
    async with connect(url, name="test", patience_s=20) as broker:
        await topology.init(broker, replicas=replicas)
        await empty(broker)
        yield broker


async def cut_while_working(broker: Broker, url: str, machines: Sequence[tuple[Node, Disk]]) -> None:
    """People sign up and are mailed; in the middle of it the power goes, and comes back."""
    people, postman = People(), Postman()
    async with working(url, postman):
        for n in range(ROUNDS):
            coming = asyncio.create_task(sign_up_many(broker, people, names(f"before{n}-", 150), over_s=12))
            await mailed(len(postman.accepted) + 30, postman)
            await cut_power(machines)
            await coming
            await sign_up_many(broker, people, names(f"after{n}-", 50), over_s=2)
            await all_mailed(people, postman, within_s=MAILED_S)
        await audit(broker, people, postman)


async def cut_power(machines: Sequence[tuple[Node, Disk]]) -> None:
    """All at the same moment: nobody runs on to see its disk gone."""
    for node, _ in machines:
        node.pause()
    for node, disk in machines:
        disk.cut_power()
        await node.kill()
    for _, disk in machines:
        disk.restore_power()
    await asyncio.gather(*(node.start() for node, _ in machines))
