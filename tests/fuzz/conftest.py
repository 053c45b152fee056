"""One nats-server and one ingest for all that is thrown at them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from eventlog.connection import Broker
from tests.integration.ingest import empty, shared_ingest


@pytest.fixture(scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Broker, httpx.AsyncClient]]:
    async with shared_ingest(tmp_path_factory.mktemp("fuzz")) as both:
        yield both


@pytest.fixture
async def broker(shared: tuple[Broker, httpx.AsyncClient]) -> Broker:
    await empty(shared[0])
    return shared[0]


@pytest.fixture
def ingest(shared: tuple[Broker, httpx.AsyncClient], broker: Broker) -> httpx.AsyncClient:
    return shared[1]
