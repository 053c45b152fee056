"""The configuration we ship: taken by the server, in force, and full means refused."""

import asyncio
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.backends import reach
from contracts import subjects
from eventlog import topology
from eventlog.connection import Denied, Unavailable, connect
from eventlog.log import EventLog
from eventlog.server import find_binary
from services.settings import ROOT, Settings
from tests import keys
from tests.cluster import PASSWORDS, SHIPPED, Cluster, Node
from tests.factories import make_email_sent, make_signup

JETSTREAM_LIMITS = {"sync_always": True, "max_storage": 64 * 1024**2, "max_memory": 64 * 1024**2}
CLIENT_LIMITS = {"max_payload": 1024**2, "max_connections": 500, "max_pending": 64 * 1024**2, "write_deadline": 10**10}


def one(folder: Path, *, space: str = "64MB") -> Node:
    return Node(folder, environment={"NATS_MAX_FILE_STORE": space})


CONFIGS = sorted(path.name for path in SHIPPED.glob("*.conf"))
WHOLE = ("nats.conf", "cluster.conf")
"""Those that a server is started with; the others are included by them."""


@pytest.mark.parametrize("config", CONFIGS)
def test_the_server_takes_each_file_as_shipped(tmp_path: Path, config: str) -> None:
    assert set(WHOLE) < set(CONFIGS)
    answer = server_says(SHIPPED / config, cluster_environment(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "is valid" in answer.stderr


def test_a_mistake_in_a_file_is_seen(tmp_path: Path) -> None:
    """So that the test above is one."""
    shutil.copytree(SHIPPED, tmp_path / "nats")
    with (tmp_path / "nats" / "users.conf").open("a") as users:
        users.write("max_paylod: 1MB\n")
    assert "unknown field" in server_says(tmp_path / "nats" / "nats.conf", cluster_environment(tmp_path)).stderr


GUIDE = (ROOT / "docs" / "nats-security.md").read_text()


def with_tls(folder: Path, authority: keys.Authority) -> str:
    """The lines of the guide, with a certificate in their place."""
    [lines] = re.findall(r"```text\n(tls \{.*?)```", GUIDE, re.DOTALL)
    cert, key = authority.issue("server")
    return str(lines.replace("/etc/dripstream/server.pem", str(cert)).replace("/etc/dripstream/server.key", str(key)))


@pytest.mark.parametrize("config", WHOLE)
def test_the_server_takes_the_guides_lines_for_tls(tmp_path: Path, config: str) -> None:
    shutil.copytree(SHIPPED, tmp_path / "nats")
    with (tmp_path / "nats" / config).open("a") as file:
        file.write(with_tls(tmp_path, keys.Authority(tmp_path / "tls")))
    answer = server_says(tmp_path / "nats" / config, cluster_environment(tmp_path))
    assert answer.returncode == 0, answer.stderr


class Changed(Node):
    """As the guide changes the files."""

    def __init__(self, folder: Path, *, nkey: str, tls: str) -> None:
        super().__init__(folder)
        self.nkey, self.tls = nkey, tls

    def write_config(self) -> None:
        super().write_config()
        users = (self.folder / "users.conf").read_text()
        by_password = "user: sender\n      password: $NATS_SENDER_PASSWORD\n"
        assert users.count(by_password) == 1
        (self.folder / "users.conf").write_text(users.replace(by_password, f"nkey: {self.nkey}\n"))
        with (self.folder / "nats.conf").open("a") as file:
            file.write(self.tls)


async def test_a_service_by_nkey_and_tls_may_do_what_its_user_may(tmp_path: Path) -> None:
    """By the settings the guide names, and the rights stay those of the user it takes the place of."""
    pair, authority = keys.pair(keys.USER), keys.Authority(tmp_path / "tls")
    async with Changed(tmp_path / "nats", nkey=pair.public, tls=with_tls(tmp_path, authority)) as node:
        at = {"nats_url": f"tls://127.0.0.1:{node.port}", "nats_tls_ca": authority.ca}
        operator = Settings.load(**at, nats_user="operator", nats_password=PASSWORDS["NATS_OPERATOR_PASSWORD"])
        async with reach(operator, name="init") as broker:
            await topology.init(broker)
        async with reach(Settings.load(**at, nats_nkey_seed=pair.seed), name="sender") as broker:
            await topology.require(broker)
            assert not (await EventLog(broker).append(make_email_sent())).duplicate
            with pytest.raises(Denied, match="signup_received"):
                await EventLog(broker).append(make_signup())


@pytest.mark.parametrize("name", ["NATS_NAME", "NATS_STORE", "NATS_MAX_FILE_STORE", "NATS_ROUTES", *PASSWORDS])
def test_a_variable_that_is_not_set_is_named_and_refused(tmp_path: Path, name: str) -> None:
    given = {key: value for key, value in cluster_environment(tmp_path).items() if key != name}
    answer = server_says(SHIPPED / "cluster.conf", given)
    assert answer.returncode != 0
    assert f"'{name}'" in answer.stderr


def cluster_environment(folder: Path) -> dict[str, str]:
    return dict(Cluster(folder).nodes[0].environment)


def server_says(config: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own binary
        [str(find_binary()), "-t", "-c", str(config)], env=environment, capture_output=True, text=True,
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
    async with one(tmp_path, space="2MB") as node, connect(node.url, name="test", patience_s=20) as broker:
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
    async with one(tmp_path) as node, connect(node.url, name="test", patience_s=20) as broker:
        await topology.init(broker)
        await EventLog(broker).append(make_signup())
        node.retire()
        assert await asyncio.wait_for(node.ended(), 60) == 0
        await node.start()
        assert (await broker.js.stream_info(subjects.EVENTS)).state.messages == 1
