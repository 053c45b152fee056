"""The command line as its users run it: processes of their own, told everything by their environment."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from eventlog.server import free_port

DRIPSTREAM = Path(sys.executable).parent / "dripstream"
PASSED_ON = ("LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")
"""What an interpreter may need; nothing else is inherited."""

START_S, STOP_S = 60, 20
LAST_LINES = 15


class Answer(NamedTuple):
    """What a command that ended has said."""

    code: int
    out: str
    err: str


class Program:
    """One process; what it says is kept in files."""

    def __init__(self, args: tuple[str, ...], *, folder: Path, environment: dict[str, str], output: Path) -> None:
        self.args = args
        self._out, self._err = output.with_suffix(".out"), output.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [str(DRIPSTREAM), *args], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    async def ended(self, *, within_s: float = START_S) -> int:
        """Its exit code. Errors: subprocess.TimeoutExpired."""
        return await asyncio.to_thread(self._process.wait, within_s)

    async def stop(self, sign: signal.Signals = signal.SIGTERM, *, within_s: float = STOP_S) -> int:
        self._process.send_signal(sign)
        return await self.ended(within_s=within_s)

    async def kill(self) -> None:
        """As the kernel does it when memory runs out."""
        await self.stop(signal.SIGKILL)

    def tell_to_end(self) -> None:
        if self.is_running:
            self._process.terminate()

    def end(self) -> bool:
        """Whatever happened before, it does not outlive the test; whether it went when it was told to."""
        self.tell_to_end()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True

    def last_words(self) -> str:
        """For the report of a failed test."""
        lines = [line for line in self.err.splitlines() if '"level": "info"' not in line]
        return "\n".join([f"--- {' '.join(self.args)} [{self._process.poll()}]", *lines[-LAST_LINES:]])


class Machine:
    """A folder, an environment, and every program that was started there."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.port, self.sandbox_port = free_port(), free_port()
        self.programs: list[Program] = []
        self.environment = {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "COLUMNS": "250",
            "DRIPSTREAM_DATA_DIR": str(self.data),
            "DRIPSTREAM_PORT": str(self.port),
            "DRIPSTREAM_SANDBOX_PORT": str(self.sandbox_port),
            **environment,
        }

    @property
    def nats_url(self) -> str:
        """Of the server that `up` started, or that the services were told of."""
        return self.environment.get("NATS_URL") or embedded_url(self.data)

    def start(self, *args: str, **environment: str) -> Program:
        output = self.folder / f"{len(self.programs):02}-{args[0].strip('-')}"
        program = Program(args, folder=self.folder, environment={**self.environment, **environment}, output=output)
        self.programs.append(program)
        return program

    async def run(
        self, *args: str, within_s: float = START_S, environment: Mapping[str, str] | None = None, **more: str
    ) -> Answer:
        """A command that ends by itself."""
        program = self.start(*args, **(environment or {}), **more)
        code = await program.ended(within_s=within_s)
        return Answer(code, program.out, program.err)

    def processes(self, name: str = "") -> list[psutil.Process]:
        """Everything that works in this folder, however it was started."""
        return [each for each in psutil.process_iter() if name in _name(each) and self._is_here(each)]

    def _is_here(self, process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).is_relative_to(self.folder) and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False

    def end_all(self) -> list[str]:
        """What was still there a while after every program had been told to end; it is ended too."""
        for program in self.programs:
            program.tell_to_end()
        stubborn = [" ".join(program.args) for program in self.programs if not program.end()]
        for program in self.programs:
            print(program.last_words())
        _, alive = psutil.wait_procs(self.processes(), timeout=STOP_S)
        left = [_name(each) for each in alive]
        for each in alive:
            each.kill()
        return stubborn + left


def embedded_url(data: Path) -> str:
    """Of the nats-server that keeps its data there."""
    return f"nats://127.0.0.1:{(data / 'nats' / 'nats.port').read_text()}"


@contextlib.contextmanager
def machine(folder: Path, **environment: str) -> Iterator[Machine]:
    """Nothing that was started is left behind, whatever happens in the block."""
    here = Machine(folder, **environment)
    left: list[str] = []
    try:
        yield here
    finally:
        left = here.end_all()
    assert left == []


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""
