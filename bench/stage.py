"""What a measurement plays on: a real nats-server in a folder of its own, and services as processes of their own."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nats.js.api import AckPolicy, ConsumerConfig

from bench.figures import SYNC_INTERVAL, Fsync
from bench.machine import cpu_seconds, peak_rss_mb, rss_mb
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.server import NatsServer, free_port
from services.settings import ROOT

BIN = Path(sys.executable).parent
SERVICE = str(BIN / "dripstream")
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Process:
    """A running service."""

    name: str
    popen: subprocess.Popen[bytes]
    output: Path

    @property
    def rss_mb(self) -> float:
        return rss_mb(self.popen.pid)

    @property
    def peak_rss_mb(self) -> float:
        return peak_rss_mb(self.popen.pid)

    @property
    def cpu_s(self) -> float:
        return cpu_seconds(self.popen.pid)

    async def says(self, text: str) -> None:
        """Wait until its output holds `text`. Errors: RuntimeError, with its last words, when it ended instead."""
        while text not in (said := self.output.read_text(errors="replace")):
            if self.popen.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{said[-2_000:]}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """SIGTERM, as a supervisor would; SIGKILL after 10 s."""
        self.popen.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.popen.wait, 10)
        finally:
            self.popen.kill()


@dataclass(frozen=True)
class Stage:
    """A broker with every stream in place, and a connection to it."""

    folder: Path
    server: NatsServer
    broker: Broker

    @asynccontextmanager
    async def process(self, name: str, *command: str, ready: str, **env: str) -> AsyncIterator[Process]:
        """A process of its own, from the moment its output says `ready` to the end of the block."""
        output = self.folder / f"{name}-{time.monotonic_ns()}.log"
        settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "NATS_URL": self.server.url, **env}
        with output.open("wb") as log:
            popen = subprocess.Popen(  # noqa: S603, ASYNC220 - our own programs; a fork of milliseconds
                [*command],
                cwd=self.folder,
                env=settings,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one C call
            )
        process = Process(name, popen, output)
        try:
            await process.says(ready)
            yield process
        finally:
            await process.stop()

    @asynccontextmanager
    async def service(self, name: str, *, ready: str = '"started"', **env: str) -> AsyncIterator[Process]:
        """`dripstream <name>`."""
        async with self.process(name, SERVICE, name, ready=ready, **env) as process:
            yield process

    @asynccontextmanager
    async def sandbox(self) -> AsyncIterator[dict[str, str]]:
        """`dripstream sandbox` without rate limits; the settings with which services use it, without limits too."""
        port = str(free_port())
        env = {"DRIPSTREAM_SANDBOX_PORT": port, "DRIPSTREAM_DATA_DIR": str(self.folder / "sandbox")}
        async with self.service("sandbox", ready="sandbox   http", **env):
            await _without_limits(int(port))
            yield env | {"RESEND_RATE_LIMIT": "10000", "NOTION_RATE_LIMIT": "10000"}


@asynccontextmanager
async def stage(fsync: Fsync) -> AsyncIterator[Stage]:
    """A fresh broker on a free port; everything is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="dripstream-bench-", ignore_cleanup_errors=True) as folder:
        options = {"sync_interval": SYNC_INTERVAL[fsync]}
        async with (
            NatsServer(Path(folder) / "nats", options=options) as server,
            connect(server.url, name="bench", patience_s=5) as broker,
        ):
            await topology.init(broker)
            yield Stage(Path(folder), server, broker)


async def until(condition: Callable[[], Awaitable[bool]], *, patience_s: float, pause_s: float = 0.02) -> float:
    """Wall-clock time (epoch seconds) at which the condition was first seen to hold. Errors: TimeoutError."""
    async with asyncio.timeout(patience_s):
        while not await condition():  # noqa: ASYNC110 - the broker does not tell, it is asked
            await asyncio.sleep(pause_s)
    return time.time()


async def in_flight(calls: Iterable[Callable[[], Awaitable[object]]], most: int) -> None:
    """Make all calls, at most so many at the same time, in their order."""
    left = iter(calls)

    async def caller() -> None:
        for call in left:
            await call()

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(caller())


async def messages_in(broker: Broker, stream: str) -> int:
    return int((await broker.js.stream_info(stream)).state.messages)


async def stored_at(broker: Broker, stream: str, subject: str) -> list[tuple[str, float]]:
    """Subject and time stamp (epoch seconds, the broker's) of every message there is, in their order."""
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, headers_only=True)
    consumer = await broker.js.pull_subscribe(subject, stream=stream, config=config)
    left = int((await consumer.consumer_info()).num_pending or 0)
    found: list[tuple[str, float]] = []
    while len(found) < left:
        messages = await consumer.fetch(min(1_000, left - len(found)), timeout=5)
        found += [(msg.subject, msg.metadata.timestamp.timestamp()) for msg in messages]
    return found


async def is_finished(broker: Broker, durable: topology.Durable) -> bool:
    """Whether a consumer has settled everything that is in its stream."""
    info = await broker.js.consumer_info(durable.stream, durable.name)
    return not (info.num_pending or info.num_ack_pending)


async def _without_limits(port: int) -> None:
    body = b'{"resend_rate": null, "notion_rate": null, "notion_query_limit": null}'
    head = f"POST /_control/options HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + body)
    status = await reader.readline()
    writer.close()
    if b" 200 " not in status:
        raise RuntimeError(f"the sandbox refused its options: {status.decode()}")


def _die_with_parent() -> None:
    """The child gets SIGTERM when its parent is gone, so an interrupted run leaves nothing behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
