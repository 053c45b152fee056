"""The broker goes away, or freezes, for longer than anybody likes: nobody has to be restarted, and nothing is lost.

DRIPSTREAM_OUTAGE_S makes the outage longer: 600 was run for docs/reliability.md.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from eventlog import topology
from eventlog.server import NatsServer, free_port
from tests.e2e.conftest import FASTER
from tests.e2e.people import MARIA
from tests.e2e.processes import Program, machine
from tests.e2e.site import Site, broker_of, each_email_was_sent_once, is_at_rest, site
from tests.frozen import frozen, frozen_processes
from tests.waiting import eventually

OUTAGE_S = float(os.environ.get("DRIPSTREAM_OUTAGE_S", "12"))
NOTICED_S = 30
WORKERS = ("scheduler", "sender", "notion-sync")
SAID = re.compile("nats_disconnected|did not answer|not connected")
WATCHED_S = 5
SPIN = 0.25
"""The share of a core that waiting may cost; what it costs is printed."""


@dataclass(frozen=True)
class Plant:
    """Every service in a process of its own."""

    site: Site
    nats: NatsServer
    programs: dict[str, Program]
    health: dict[str, str]

    async def unready(self) -> dict[str, str]:
        """What each says stands in its way."""
        async with httpx.AsyncClient(timeout=10) as client:
            answers = {name: await client.get(f"{url}/ready") for name, url in self.health.items()}
        return {name: answer.text for name, answer in answers.items() if answer.status_code == 503}

    async def all_are_unready(self) -> bool:
        return (await self.unready()).keys() == self.health.keys()

    async def all_are_ready(self) -> bool:
        return not await self.unready()

    def cpu_s(self) -> dict[str, float]:
        times = {name: psutil.Process(each.pid).cpu_times() for name, each in self.programs.items()}
        return {name: each.user + each.system for name, each in times.items()}


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with NatsServer(tmp_path / "nats") as nats:
        with machine(tmp_path, **FASTER, NATS_URL=nats.url) as here:
            assert (await here.run("init")).code == 0
            ports = {name: free_port() for name in WORKERS}
            programs = {name: here.start(name, DRIPSTREAM_HEALTH_PORT=str(port)) for name, port in ports.items()}
            programs |= {name: here.start(name) for name in ("ingest", "sandbox")}
            async with site(here) as outside:
                await outside.ready()
                await outside.lift_limits()
                health = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
                yield Plant(outside, nats, programs, health | {"ingest": f"http://127.0.0.1:{here.port}"})


@pytest.mark.parametrize("kind", ["down", "frozen"])
async def test_an_outage_is_outlived_without_a_restart_a_loss_or_a_double(plant: Plant, kind: str) -> None:
    await plant.site.begins(MARIA)
    pids, outage_s = {name: each.pid for name, each in plant.programs.items()}, max(OUTAGE_S, 1)

    async with down(plant.nats) if kind == "down" else frozen(plant.nats):
        began = time.monotonic()
        await eventually(plant.all_are_unready, timeout=NOTICED_S)
        noticed_s = time.monotonic() - began
        before, at = plant.cpu_s(), time.monotonic()
        refused = await plant.site.webhooks.post(
            "/webhook/christmas-signup", json=MARIA.again(email="b@example.com").form()
        )
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        await asyncio.sleep(max(WATCHED_S, outage_s - noticed_s))
        waited = time.monotonic() - at
        shares = {name: (spent - before[name]) / waited for name, spent in plant.cpu_s().items()}
        sent = await plant.site.count()
    back = time.monotonic()
    await plant.site.has_sent(min(sent + 1, 7))  # all, where this machine stood still before the outage
    first_s = time.monotonic() - back
    print(f"{kind} {outage_s:g} s: noticed in {noticed_s:.1f} s, mail {first_s:.1f} s after the return, cpu {shares}")

    await plant.site.has_finished(MARIA, timeout=120)
    await eventually(plant.all_are_ready, timeout=NOTICED_S)
    async with broker_of(plant.site.machine) as broker:
        await eventually(lambda: is_at_rest(broker), timeout=2 * topology.ACK_WAIT_S)
        await each_email_was_sent_once(plant.site, broker, MARIA)
    assert {name: each.pid for name, each in plant.programs.items() if each.is_running} == pids
    assert max(shares.values()) < SPIN, shares
    silent = [name for name in plant.health if not SAID.search(plant.programs[name].err)]
    assert not silent, "nothing in the log of the outage"


async def test_a_machine_that_slept_sends_what_came_due_meanwhile_once(plant: Plant) -> None:
    """Everything stops in the middle of what it was doing, and the broker is the last to wake."""
    assert await plant.site.sign_up(MARIA)
    await plant.site.has_sent(2)
    async with frozen_processes(plant.nats.pid or 0, *(each.pid for each in plant.programs.values())):
        await asyncio.sleep(min(OUTAGE_S, 12))
    await plant.site.has_finished(MARIA, timeout=120)
    async with broker_of(plant.site.machine) as broker:
        await eventually(lambda: is_at_rest(broker), timeout=2 * topology.ACK_WAIT_S)
        await each_email_was_sent_once(plant.site, broker, MARIA)


@asynccontextmanager
async def down(nats: NatsServer) -> AsyncIterator[None]:
    await nats.stop(signal.SIGKILL)
    yield
    await nats.start()
