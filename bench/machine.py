"""What the measurements run on, how idle it is, and what a process takes. Linux only: it reads /proc."""

import asyncio
import os
import platform
from importlib.metadata import version
from pathlib import Path

import msgspec

from eventlog.server import find_binary

MB = 1_000_000


class Machine(msgspec.Struct, frozen=True):
    """The class of machine, as far as it moves the figures."""

    cores: int
    cpu: str
    memory_gb: int
    system: str
    python: str
    nats_server: str
    nats_py: str


async def machine() -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_field("/proc/cpuinfo", "model name"),
        memory_gb=round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1024**2),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        nats_server=await _nats_version(),
        nats_py=version("nats-py"),
    )


async def idle_share(seconds: float = 1.0) -> float:
    """How much of all cores nobody used for so long, 0 to 1."""
    before = _cpu_times()
    await asyncio.sleep(seconds)
    spent = [now - then for now, then in zip(_cpu_times(), before, strict=True)]
    return (spent[3] + spent[4]) / max(1, sum(spent))


class Others:
    """Which share of all cores somebody else uses from now on: what is used, less ours and our ended children's."""

    def __init__(self) -> None:
        self._times, self._own = _cpu_times(), _own_s()

    def share(self) -> float:
        """0 to 1; the kernel's own threads count as others."""
        spent = [now - then for now, then in zip(_cpu_times(), self._times, strict=True)]
        all_s = sum(spent) / os.sysconf("SC_CLK_TCK")
        busy_s = all_s - (spent[3] + spent[4]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, busy_s - (_own_s() - self._own)) / max(0.01, all_s)


def rss_mb(pid: int) -> float:
    """Resident memory of a process now, in MB (10^6 bytes)."""
    return _kb(pid, "VmRSS") * 1024 / MB


def peak_rss_mb(pid: int) -> float:
    """The most it ever held, in MB."""
    return _kb(pid, "VmHWM") * 1024 / MB


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    return sum(os.times()[:4])


def _kb(pid: int, name: str) -> int:
    return int(_field(f"/proc/{pid}/status", name).split()[0])


def _field(file: str, name: str) -> str:
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "unknown")


def _cpu_times() -> list[int]:
    """User, nice, system, idle, iowait, irq, softirq, steal."""
    return [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


async def _nats_version() -> str:
    process = await asyncio.create_subprocess_exec(str(find_binary()), "--version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode().rpartition("v")[2].strip()
