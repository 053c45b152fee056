"""The configuration we ship: taken by the server, in force, and full means refused."""

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts import subjects
from eventlog import topology
from eventlog.connection import Unavailable, connect
from eventlog.log import EventLog
from eventlog.server import find_binary
from tests.cluster import PASSWORDS, SHIPPED, Cluster, Node
from tests.factories import make_signup

JETSTREAM_LIMITS = {"sync_always": True, "max_storage": 64 * 1024**2, "max_memory": 64 * 1024**2}
CLIENT_LIMITS = {"max_payload": 1024**2, "max_connections": 500, "max_pending": 64 * 1024**2, "write_deadline": 10**10}


def one(folder: Path, *, space: str = "64MB") -> Node:
    return Node(folder, environment={"NATS_MAX_FILE_STORE": space})


@pytest.mark.parametrize("config", ["nats.conf", "cluster.conf"])
def test_the_server_takes_the_file_as_shipped(tmp_path: Path, config: str) -> None:
    answer = server_says(config, cluster_environment(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "is valid" in answer.stderr


@pytest.mark.parametrize("name", ["NATS_NAME", "NATS_STORE", "NATS_MAX_FILE_STORE", "NATS_ROUTES", *PASSWORDS])
def test_a_variable_that_is_not_set_is_named_and_refused(tmp_path: Path, name: str) -> None:
    given = {key: value for key, value in cluster_environment(tmp_path).items() if key != name}
    answer = server_says("cluster.conf", given)
    assert answer.returncode != 0
    assert f"'{name}'" in answer.stderr


def cluster_environment(folder: Path) -> dict[str, str]:
    return dict(Cluster(folder).nodes[0].environment)


def server_says(config: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own binary
        [str(find_binary()), "-t", "-c", str(SHIPPED / config)], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


async def test_every_write_is_synced_and_the_limits_are_in_force(tmp_path: Path) -> None:
    async with one(tmp_path) as node:
        seen = await monitored(node)
    jetstream = seen["jetstream"]["config"]
    assert {key: jetstream.get(key) for key in JETSTREAM_LIMITS} == JETSTREAM_LIMITS
    assert {key: seen.get(key) for key in CLIENT_LIMITS} == CLIENT_LIMITS


async def monitored(node: Node) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=node.monitor) as client:
        return dict((await client.get("/varz")).raise_for_status().json())


@pytest.mark.parametrize("max_bytes", [-1, 1024**2], ids=["of the broker", "of the stream"])
async def test_at_its_limit_it_refuses_new_facts_and_forgets_none(tmp_path: Path, max_bytes: int) -> None:
    """The limit of a stream is not ours: somebody may set one by hand."""
    async with one(tmp_path, space="2MB") as node, connect(node.url, name="test", patience_s=5) as broker:
        await topology.init(broker)
        config = (await broker.js.stream_info(subjects.EVENTS)).config
        await broker.js.update_stream(replace(config, max_bytes=max_bytes))
        stored = await fill(EventLog(broker))
        state = (await broker.js.stream_info(subjects.EVENTS)).state
    assert stored > 3
    assert (state.first_seq, state.messages) == (1, stored)


async def fill(log: EventLog) -> int:
    """Until a fact is refused; how many were not."""
    for stored in range(100):
        try:
            await log.append(make_signup(f"p{stored}@example.com", business_name="x" * 100_000))
        except Unavailable:
            return stored
    raise AssertionError("never full")


async def test_a_stop_for_maintenance_lets_everything_end(tmp_path: Path) -> None:
    """SIGUSR2, lame duck: the node takes no more clients, lets those it has go, and ends by itself."""
    async with one(tmp_path) as node, connect(node.url, name="test", patience_s=5) as broker:
        await topology.init(broker)
        await EventLog(broker).append(make_signup())
        node.retire()
        assert await asyncio.wait_for(node.ended(), 60) == 0
        await node.start()
        assert (await broker.js.stream_info(subjects.EVENTS)).state.messages == 1
