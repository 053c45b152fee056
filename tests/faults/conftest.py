"""The nats-server as it runs in production: every acknowledged write is on disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eventlog.server import NatsServer


@pytest.fixture
async def durable_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats", options={"sync_interval": "always"}) as server:
        yield server
