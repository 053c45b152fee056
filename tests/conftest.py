"""A real nats-server for every test that asks for one: it starts in milliseconds, and a missing one fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.server import NatsServer


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats", options={"sync_interval": "2m"}) as server:
        yield server


@pytest.fixture
async def bare_broker(nats_server: NatsServer) -> AsyncIterator[Broker]:
    """A connection to a server without any stream."""
    async with connect(nats_server.url, name="test", patience_s=5) as broker:
        yield broker


@pytest.fixture
async def broker(bare_broker: Broker) -> Broker:
    """A connection to a server with everything in place."""
    await topology.init(bare_broker)
    return bare_broker
