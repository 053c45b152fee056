"""A workbench: a real nats-server, the strict stand-in for Notion, and one clock for all."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
from notion_client import AsyncClient

from eventlog.connection import Broker
from journey.plan import Pace
from services.notion_sync.handlers import Shell, shell_for
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from tests.factories import NOW
from tests.integration.notion_sync.kit import Clock, Configure, Make, campaigns, settings_for


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[Sandbox, Clock]]:
    clock = Clock()
    async with Sandbox(clock=clock) as running:
        yield running, clock


@pytest.fixture
def clock(served: tuple[Sandbox, Clock]) -> Clock:
    served[1].now = NOW
    return served[1]


@pytest.fixture
def sandbox(served: tuple[Sandbox, Clock], clock: Clock) -> Sandbox:
    sandbox, _ = served
    sandbox.options = UNLIMITED
    sandbox.reset()
    return sandbox


@pytest.fixture
async def notion(sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    """A person at Notion."""
    async with AsyncClient(auth="ntn_test", base_url=sandbox.url, retry=False) as client:
        yield client


@pytest.fixture
def configure(sandbox: Sandbox) -> Configure:
    return partial(settings_for, sandbox)


@pytest.fixture
async def make_shell(broker: Broker, configure: Configure, clock: Clock) -> AsyncIterator[Make]:
    made: list[Shell] = []

    def make(**overrides: object) -> Shell:
        made.append(shell_for(broker, configure(**overrides), campaigns(), Pace(), clock=clock))
        return made[-1]

    yield make
    for shell in made:
        await shell.notion.close()


@pytest.fixture
def shell(make_shell: Make) -> Shell:
    return make_shell()
