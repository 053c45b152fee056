from collections.abc import AsyncIterator

import pytest

from eventlog.connection import Broker
from services.notifier import answer
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from tests.integration.notifier.kit import Room


@pytest.fixture
async def room(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    monkeypatch.setattr(answer, "BACKOFF_S", (0.05,))
    async with Sandbox(options=UNLIMITED) as sandbox:
        room = Room(broker, sandbox)
        await room.prepare()
        yield room
        await room.close()
