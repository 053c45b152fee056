"""Containers of the image as it is in this tree, and of the pinned broker. A Docker engine that is missing fails."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.containers.docker import IMAGE, Stack, build_image, docker, stack
from tests.e2e.processes import Machine
from tests.e2e.site import Site

MINUTE_S = 10
"""A testing minute. A reminder that comes too late for its call is not sent, so this is how long the machine may stand
still.
"""

SLOW = {"TESTING_MODE": "true", "DRIPSTREAM_SPEEDUP": f"{60 / MINUTE_S:g}"}
"""An email every ten seconds: time enough to take things away in between."""

ANSWER_S = 60
"""How long an answer may take where the machine stands still for a while."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder needs Docker, which not everybody has: `make test` leaves it out by this mark."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.container)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Whoever runs `make test` should know what it has not shown."""
    if config.getoption("markexpr") == "container":
        return
    left_out = [item for item in terminalreporter.stats.get("deselected", []) if item.get_closest_marker("container")]
    if left_out:
        terminalreporter.write_line(
            f"{len(left_out)} tests on containers are not among these: `make compose-test` and `make systemd-test` run "
            "them, and `make test-containers` runs the tests of the broker on its image. All need Docker."
        )


@pytest.fixture(scope="session")
def image() -> str:
    """Built once, by compose."""
    found = docker("version", "--format", "{{.Server.Version}}")
    assert found.code == 0, f"these tests need a Docker engine: {found.err.strip()}"
    build_image()
    return IMAGE


@asynccontextmanager
async def site_of(of: Stack, folder: Path) -> AsyncIterator[Site]:
    """Its webhooks and its sandbox, through the ports it publishes."""
    machine = Machine(folder)
    machine.port, machine.sandbox_port = of.ingest_port, of.sandbox_port
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{of.ingest_port}", timeout=ANSWER_S) as webhooks,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{of.sandbox_port}", timeout=ANSWER_S) as sandbox,
    ):
        yield Site(machine, webhooks, sandbox)


@pytest.fixture(scope="module")
def dev(image: str) -> Iterator[Stack]:
    """The stack of profile dev, up and healthy, with time compressed."""
    with stack(name="dev", settings=SLOW) as up:
        up.up()
        yield up
