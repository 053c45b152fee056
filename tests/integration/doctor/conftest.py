"""A broker with everything in place, somebody who listens, and the stand-ins."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.checks.finding import Patient
from eventlog.connection import Broker
from eventlog.server import NatsServer
from services.sandbox.app import Sandbox
from services.sandbox.options import UNLIMITED
from tests.conftest import EXTERNAL
from tests.integration.doctor.kit import SENDER_DOMAIN, listening, name_server, settings


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(options=UNLIMITED) as running:
        yield running


@pytest.fixture
async def patient(
    broker: Broker, own_server: NatsServer | None, sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[Patient]:
    """In good health."""
    url = own_server.url if own_server else str(EXTERNAL)
    async with listening(broker), name_server({f"_dmarc.{SENDER_DOMAIN}": "v=DMARC1; p=none"}) as resolver:
        yield Patient(settings(url, sandbox, tmp_path), broker, url, resolver=resolver)
