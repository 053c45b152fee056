"""Real nats-servers on the configuration we ship: one alone, or three as a cluster on loopback."""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
from nats.js.errors import APIError

from eventlog import topology
from eventlog.connection import TRIES, UNREACHABLE, Broker, Unavailable, connect
from eventlog.server import NatsServer, free_port
from services.settings import ROOT
from tests.waiting import eventually

SHIPPED = ROOT / "deploy" / "nats"
USERS = ("ingest", "scheduler", "sender", "notion_sync", "notifier", "operator")
PASSWORDS = {f"NATS_{user.upper()}_PASSWORD": f"of-{user}-in-tests" for user in USERS}
TESTS, TESTS_PASSWORD = "tests", "of-tests-in-tests"
UNLIMITED = f'    {{ user: {TESTS}, password: "{TESTS_PASSWORD}" }}\n'
"""In the copy a node runs, and never in what we ship: a user for what no user of ours may do, as filling the disk."""


def as_user(user: str) -> dict[str, str]:
    """The settings of a process that is this user at a node of ours."""
    return {"NATS_USER": user, "NATS_PASSWORD": PASSWORDS[f"NATS_{user.upper()}_PASSWORD"]}


ELECTION_S = 60.0
"""Far above the 5-10 s a cluster needs to choose a leader, on a machine with other things to do."""

PROBE_S = 2.0
"""How long we wait for an answer before we ask again: while there is no leader, nobody answers at all."""


class Node(NatsServer):
    """A nats-server started from `deploy/nats/<config>`, as shipped but for a user of the tests' own.

    `options` replaces values in it.
    """

    def __init__(
        self,
        folder: Path,
        config: str = "nats.conf",
        *,
        name: str = "n1",
        options: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        store: Path | None = None,
    ) -> None:
        super().__init__(folder, options=options)
        self.config, self.name = config, name
        self.store = store or folder / "jetstream"
        self.monitor_port = free_port()
        self.more = dict(environment or {})

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "NATS_NAME": self.name,
            "NATS_LISTEN": f"127.0.0.1:{self.port}",
            "NATS_MONITOR": f"127.0.0.1:{self.monitor_port}",
            "NATS_STORE": f'"{self.store}"',
            "NATS_MAX_FILE_STORE": "1GB",
            **PASSWORDS,
        } | self.more

    @property
    def url(self) -> str:
        """As the tests' own user, who may do everything."""
        return f"nats://{TESTS}:{TESTS_PASSWORD}@127.0.0.1:{self.port}"

    def url_of(self, user: str) -> str:
        return f"nats://{user}:{self.environment[f'NATS_{user.upper()}_PASSWORD']}@127.0.0.1:{self.port}"

    @property
    def monitor(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}"

    def write_config(self) -> None:
        shared = (SHIPPED / "common.conf").read_text()
        for key, value in self.options.items():
            shared, replaced = re.subn(rf"^(\s*{key}:).*", rf"\g<1> {value}", shared, flags=re.MULTILINE)
            assert replaced == 1, f"{key} is not in common.conf"
        (self.folder / "common.conf").write_text(shared)
        users = (SHIPPED / "users.conf").read_text()
        assert users.count("users = [\n") == 1
        (self.folder / "users.conf").write_text(users.replace("users = [\n", f"users = [\n{UNLIMITED}"))
        shutil.copy(SHIPPED / self.config, self.folder / "nats.conf")

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    def pause(self) -> None:
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def retire(self) -> None:
        """Lame duck: hand over, let clients go, end."""
        self._send(signal.SIGUSR2)

    async def holds(self) -> dict[str, tuple[int, int]]:
        """Messages and last sequence of each stream, as it is on this node."""
        try:
            async with httpx.AsyncClient(base_url=self.monitor, timeout=PROBE_S) as client:
                answer = (await client.get("/jsz", params={"streams": "true"})).json()
        except (httpx.HTTPError, ValueError):
            return {}
        streams = [each for account in answer.get("account_details", []) for each in account.get("stream_detail", [])]
        return {each["name"]: (each["state"]["messages"], each["state"]["last_seq"]) for each in streams}

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _send(self, sign: signal.Signals) -> None:
        assert self.pid
        assert self.is_running
        os.kill(self.pid, sign)

    async def wipe(self) -> None:
        """As a new machine in its place: the same name, an empty disk."""
        await self.kill()
        for each in self.store.iterdir():
            shutil.rmtree(each)


class Cluster:
    """Three nodes, or as many as asked for; up, with a leader, inside the `async with`."""

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 3,
        options: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        stores: Sequence[Path] | None = None,
    ) -> None:
        ports = [free_port() for _ in range(nodes)]
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in ports)
        self.nodes = [
            Node(
                folder / f"n{n}",
                "cluster.conf",
                name=f"n{n}",
                options=options,
                environment={
                    "NATS_CLUSTER_LISTEN": f"127.0.0.1:{port}",
                    "NATS_ROUTES": f"[{routes}]",
                    **(environment or {}),
                },
                store=stores[n - 1] if stores else None,
            )
            for n, port in enumerate(ports, start=1)
        ]
        self._stack = AsyncExitStack()
        self._broker: Broker | None = None

    @property
    def url(self) -> str:
        return ",".join(node.url for node in self.nodes)

    @property
    def broker(self) -> Broker:
        """The cluster's own connection, to ask how things stand."""
        assert self._broker
        return self._broker

    async def __aenter__(self) -> Self:
        try:
            await self.start()
            broker = await self._stack.enter_async_context(connect(self.url, name="cluster", patience_s=ELECTION_S))
            self._broker = replace(broker, timeout_s=PROBE_S * TRIES)
            await eventually(self._has_a_leader, timeout=ELECTION_S)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        for node in self.nodes:
            await node.kill()

    async def start(self) -> None:
        """Every node that does not run."""
        await asyncio.gather(*(node.start() for node in self.nodes if not node.is_running))

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    async def leader_of(self, stream: str) -> Node:
        """Waits for an election that is under way."""
        found: list[str] = []

        async def has_a_leader() -> bool:
            info = await self._info(stream)
            found[:] = filter(None, [info.get("cluster", {}).get("leader")])
            return bool(found)

        await eventually(has_a_leader, timeout=ELECTION_S)
        return self.node(found[0])

    async def step_down(self, stream: str) -> None:
        """The leader hands over, as before maintenance; asked again while there is none to hear it."""

        async def heard() -> bool:
            try:
                answer = msgspec.json.decode(await self.broker.request(f"STREAM.LEADER.STEPDOWN.{stream}"))
            except Unavailable:
                return False
            return bool(answer.get("success"))

        await eventually(heard, timeout=ELECTION_S)

    async def move_away_from(self, node: Node, stream: str) -> None:
        """Take the stream's replica from this node and build one on another: there has to be a fourth."""
        answer = await self.broker.request(f"STREAM.PEER.REMOVE.{stream}", msgspec.json.encode({"peer": node.name}))
        assert msgspec.json.decode(answer).get("success"), answer

    async def wipe(self, index: int) -> Node:
        """A node is lost for good, and a new machine comes under its name with an empty disk."""
        node = self.nodes[index]
        await node.wipe()
        await node.start()
        return node

    async def settled(self, *, within_s: float = ELECTION_S) -> None:
        """Until every stream of ours has a leader, three replicas, and the same on each of them."""
        await eventually(self._is_settled, timeout=within_s)

    async def _is_settled(self) -> bool:
        """By the leaders' word, and by what each node says it holds: a leader learns late that a replica is gone."""
        names = [str(config.name) for config in topology.streams()]
        if not all([_is_whole(await self._info(name)) for name in names]):
            return False
        held = await asyncio.gather(*(node.holds() for node in self.nodes))
        copies = {name: [each[name] for each in held if name in each] for name in names}
        return all(len(found) == min(3, len(held)) and len(set(found)) == 1 for found in copies.values())

    async def _info(self, stream: str) -> dict[str, Any]:
        """Nothing while nobody can answer for it."""
        try:
            return dict(msgspec.json.decode(await self.broker.request(f"STREAM.INFO.{stream}")))
        except Unavailable:
            return {}

    async def _has_a_leader(self) -> bool:
        try:
            await self.broker.js.account_info()
        except (*UNREACHABLE, APIError):
            return False
        return True


def _is_whole(info: dict[str, Any]) -> bool:
    wanted = info.get("config", {}).get("num_replicas")
    cluster = info.get("cluster", {})
    replicas = cluster.get("replicas", [])
    current = [each for each in replicas if each["current"] and not each.get("offline") and not each.get("lag")]
    return bool(wanted and cluster.get("leader")) and len(current) == len(replicas) == wanted - 1
