"""The product in processes of its own, with days made seconds."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from eventlog.connection import Broker
from tests.e2e.processes import Machine, machine
from tests.e2e.site import Site, broker_of, started

STEP_S = 1
FAST = {
    "TESTING_MODE": "true",
    "DRIPSTREAM_SPEEDUP": f"{60 / STEP_S:g}",
    "RESEND_RATE_LIMIT": "100",
    "NOTION_RATE_LIMIT": "100",
}
"""A step a second, and as fast as the providers take it."""

FASTER = {**FAST, "DRIPSTREAM_SPEEDUP": "90"}
"""Timers fire at whole seconds, so now and then two emails are due at once, and go out in any order."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Machine]:
    """A machine with nothing running and production's delays."""
    with machine(tmp_path) as made:
        yield made


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Machine]:
    """A machine with nothing running and compressed time."""
    with machine(tmp_path, **FASTER) as made:
        yield made


@pytest.fixture(scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """`dripstream up` in compressed time, for tests of one module that do not stop it."""
    with machine(tmp_path_factory.mktemp("up"), **FAST) as made:
        async with started(made) as running:
            await running.lift_limits()
            yield running


@pytest.fixture(scope="module")
async def broker_of_up(up: Site) -> AsyncIterator[Broker]:
    async with broker_of(up.machine) as broker:
        yield broker
