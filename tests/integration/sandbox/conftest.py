"""The strict stand-in for Notion on a clock that stands still, and the real client."""

from collections.abc import AsyncIterator

import pytest
from notion_client import AsyncClient

from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from tests.integration.sandbox.kit import START, Clock


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def served(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox, clock: Clock) -> Sandbox:
    clock.now = START
    served.options = UNLIMITED
    served.reset()
    return served


@pytest.fixture
async def notion(sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(auth="ntn_test", base_url=sandbox.url, retry=False) as client:
        yield client
