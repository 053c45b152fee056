"""A real nats-server for every test that asks for one: it starts in milliseconds, and a missing one fails the test.

With NATS_URL set, that server is used by every test that does not need to stop or start its own. It must hold nothing
of ours: tests delete what they make.
"""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
from hypothesis import settings
from nats.js.errors import NotFoundError

from eventlog import server, topology
from eventlog.connection import Broker, connect
from eventlog.server import NatsServer
from tests import ports

server.free_port = ports.free_port  # before any test takes it from there

settings.register_profile("here", deadline=None)  # how long an example takes depends on who else is at work
settings.register_profile("ci", parent=settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

MAY_SKIP = set(os.environ.get("MAY_SKIP", "").split()) if os.environ.get("CI") else None
"""What this machine lacks, by the first word of the reason. None: outside of CI any test may be skipped."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing is skipped quietly: a skipped test has failed, unless .ci/run has said what it could not get."""
    report = yield
    if report.skipped and MAY_SKIP is not None and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.split(" ", 1)[0].rstrip(":") not in MAY_SKIP:
            report.outcome, report.longrepr = "failed", f"skipped, and must not be in CI: {reason}"
    return report


EXTERNAL = os.environ.pop("NATS_URL", None)  # processes that tests start are told theirs
_checked: set[str] = set()


@pytest.fixture
async def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[NatsServer | None]:
    if EXTERNAL and "nats_server" not in request.fixturenames:
        yield None
        return
    async with NatsServer(tmp_path / "nats", options={"sync_interval": "2m"}) as own:
        yield own


@pytest.fixture
def nats_server(own_server: NatsServer | None) -> NatsServer:
    """A server of the test's own, to stop and start."""
    assert own_server
    return own_server


@pytest.fixture
async def bare_broker(own_server: NatsServer | None) -> AsyncIterator[Broker]:
    """A connection to a server without any stream of ours."""
    url = own_server.url if own_server else str(EXTERNAL)
    async with connect(url, name="test", patience_s=20) as broker:
        if own_server is None:
            await _require_empty(broker)
        yield broker
        if own_server is None:
            await _clean(broker)


@pytest.fixture
async def broker(bare_broker: Broker) -> Broker:
    """A connection to a server with everything in place."""
    await topology.init(bare_broker)
    return bare_broker


async def _require_empty(broker: Broker) -> None:
    """Never delete what somebody needs."""
    if "checked" in _checked:
        return
    _checked.add("checked")
    for config in topology.streams():
        try:
            await broker.js.stream_info(str(config.name))
        except NotFoundError:
            continue
        pytest.exit(f"NATS_URL names a server that holds {config.name}; tests would delete it", returncode=3)


async def _clean(broker: Broker) -> None:
    for config in topology.streams():
        try:
            await broker.js.delete_stream(str(config.name))
        except NotFoundError:
            continue
