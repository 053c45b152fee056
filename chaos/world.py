"""The real processes: brokers, the sandbox, and the services, each reaching both through ways that can be cut."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from chaos.proxy import Proxy
from eventlog.server import ServerFailed, free_port
from tests.cluster import Cluster, Node, as_user
from tests.disk import Disk
from tests.e2e.processes import Machine, Program

Say = Callable[[str], None]

ACK_WAIT_S = 6.0
"""On the broker, so that a pause can outlast it; production has 60 s."""

LOOK_S, AGAIN_S, STOP_S, READY_S, ASK_S = 0.2, 0.5, 15, 90, 10
UNHEARD = (NatsError, OSError, TimeoutError)
CONSUMERS = (("EVENTS", "scheduler"), ("EVENTS", "notion_sync"), ("KV_timers", "sender"))


@dataclass
class Broker:
    """A node, and whether somebody is at it already."""

    name: str
    node: Node
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_gone: bool = False

    async def start(self) -> None:
        """However often it takes: the disk may be full."""
        while True:
            try:
                await self.node.start()
            except (ServerFailed, OSError):
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def signal(self, sign: signal.Signals) -> None:
        if self.node.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.node.pid, sign)


class Instance:
    """One process of a service, kept up as a supervisor would, and its ways to the others."""

    def __init__(self, name: str, machine: Machine, ways: Mapping[str, Sequence[Proxy]], port: int) -> None:
        self.name, self.service, self.port = name, name.rpartition("-")[0], port
        self.ways = ways
        self.busy = asyncio.Lock()
        self.restarts = 0
        self._machine = machine
        self._environment = {
            "NATS_URL": ",".join(f"nats://127.0.0.1:{proxy.port}" for proxy in ways["nats"]),
            **as_user(self.service.replace("-", "_")),
            "DRIPSTREAM_SANDBOX_PORT": str(ways["sandbox"][0].port),
            "DRIPSTREAM_PORT": str(port),
        }
        self._program: Program | None = None

    def start(self) -> None:
        self._program = self._machine.start(self.service, **self._environment)

    def signal(self, sign: signal.Signals) -> None:
        if self._program and self._program.is_running:
            os.kill(self._program.pid, sign)

    async def kill(self) -> None:
        if self._program:
            await self._program.kill()

    async def stop(self) -> bool:
        """Politely; whether it went."""
        if self._program is None:
            return True
        try:
            await self._program.stop(within_s=STOP_S)
        except subprocess.TimeoutExpired:
            await self._program.kill()
            return False
        return True

    async def keep_up(self, say: Say) -> None:
        """Start it again when it ended and nobody is at it: the broker was away when it started, or it failed."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self.busy.locked() or self._program is None or self._program.is_running:
                continue
            self.restarts += 1
            say(f"{self.name} ended by itself: {self._last_line()}")
            await asyncio.sleep(AGAIN_S)
            if not self.busy.locked():
                self.start()

    def _last_line(self) -> str:
        lines = self._program.err.splitlines() if self._program else []
        return lines[-1][:300] if lines else ""


@dataclass
class World:
    """Everything that runs."""

    machine: Machine
    url: str
    brokers: list[Broker]
    instances: dict[str, Instance]
    sandbox: httpx.AsyncClient
    say: Say
    disk: Disk | None = None
    disk_busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something a person should look at, though it is no fault of the emails."""
        self.notes.append(text)
        self.say(text)

    @property
    def ingest_ports(self) -> list[int]:
        return [each.port for each in self.instances.values() if each.service == "ingest"]

    async def options(self, **options: object) -> None:
        (await self.sandbox.post("/_control/options", json=options)).raise_for_status()

    async def trouble(self, **fault: object) -> None:
        (await self.sandbox.post("/_control/faults", json=fault)).raise_for_status()

    async def calm(self) -> None:
        """No more trouble from the providers."""
        (await self.sandbox.delete("/_control/faults")).raise_for_status()
        await self.options(resend_rate=None, notion_rate=None, notion_query_lag_s=0)

    async def ready(self) -> None:
        """Every ingest stores webhooks. Errors: TimeoutError."""
        async with asyncio.timeout(READY_S), httpx.AsyncClient() as client:
            for port in self.ingest_ports:
                while not await _is_ready(client, port):
                    await asyncio.sleep(LOOK_S)


async def _is_ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/ready")).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def world(
    machine: Machine, url: str, brokers: list[Broker], names: Sequence[str], say: Say, disk: Disk | None
) -> AsyncIterator[World]:
    """Everything started and ready; everything stopped, politely if it can be, after the block."""
    async with contextlib.AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{machine.sandbox_port}", timeout=60)
        )
        instances = {name: await _instance(stack, name, machine, brokers) for name in names}
        made = World(machine, url, brokers, instances, sandbox, say, disk)
        answer = await machine.run("init", NATS_URL=url)
        if answer.code:
            raise RuntimeError(f"dripstream init: {answer.err}")
        await redeliver_soon(url)
        stack.push_async_callback(_end, made)
        await _start_sandbox(made)
        for instance in instances.values():
            instance.start()
        keepers = [asyncio.create_task(each.keep_up(made.note)) for each in instances.values()]
        try:
            await made.ready()
            yield made
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)


async def _instance(stack: contextlib.AsyncExitStack, name: str, machine: Machine, brokers: list[Broker]) -> Instance:
    ports = [broker.node.port for broker in brokers]
    ways = {
        "nats": [await stack.enter_async_context(Proxy(port).running()) for port in ports],
        "sandbox": [await stack.enter_async_context(Proxy(machine.sandbox_port).running())],
    }
    return Instance(name, machine, ways, free_port())


async def redeliver_soon(url: str) -> None:
    """What a process had in hand when it was killed or froze comes again after seconds instead of a minute."""
    nc = await nats.connect(url.split(","))
    try:
        js = nc.jetstream(timeout=10)
        for stream, name in CONSUMERS:
            config = (await js.consumer_info(stream, name)).config
            await js.add_consumer(stream, replace(config, ack_wait=ACK_WAIT_S, backoff=None))
    finally:
        await nc.close()


async def _start_sandbox(made: World) -> None:
    made.machine.start("sandbox")
    async with asyncio.timeout(READY_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                return await made.calm()
            await asyncio.sleep(LOOK_S)


async def _end(made: World) -> None:
    """Politely, all at once; what does not go is noted, and killed."""
    for instance in made.instances.values():
        instance.signal(signal.SIGCONT)
    for broker in made.brokers:
        broker.signal(signal.SIGCONT)
    went = await asyncio.gather(*(each.stop() for each in made.instances.values()))
    for instance, has_gone in zip(made.instances.values(), went, strict=True):
        if not has_gone:
            made.note(f"{instance.name} did not stop within {STOP_S} s")


@asynccontextmanager
async def asked(url: str) -> AsyncIterator[JetStreamContext]:
    """A short connection, to ask how things stand. Errors: UNHEARD, while nobody answers."""
    async with asyncio.timeout(ASK_S):
        nc = await nats.connect(url.split(","), connect_timeout=2, max_reconnect_attempts=1, reconnect_time_wait=0.2)
        try:
            yield nc.jetstream(timeout=2)
        finally:
            await nc.close()


@asynccontextmanager
async def brokers_of(folder: Path, nodes: int, disk: Disk | None) -> AsyncIterator[tuple[str, list[Broker]]]:
    """One nats-server as shipped, with its store on the small disk where there is one; or a cluster as shipped."""
    if nodes > 1:
        async with Cluster(folder, nodes=nodes) as cluster:
            yield cluster.url, [Broker(node.name, node) for node in cluster.nodes]
        return
    store = disk.path / "jetstream" if disk else None
    async with Node(folder / "nats", store=store) as node:
        yield node.url, [Broker(node.name, node)]
