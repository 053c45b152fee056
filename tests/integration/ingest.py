"""A running ingest for the tests of its routes."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from contracts import subjects
from contracts.operations import OPERATIONS
from eventlog import topology
from eventlog.connection import Broker, connect
from eventlog.index import subjects_in
from eventlog.server import NatsServer
from services.ingest.server import ingest_server
from services.settings import Settings
from tests.factories import CAMPAIGN
from tests.unit.ingest.forms import SMALLEST

ROUTES = ["/webhook/christmas-signup", "/webhook/christmas-campaign-signup", f"/webhook/signup/{CAMPAIGN}"]
ROUTE = ROUTES[0]
TRIGGERS = ("call_done", "paid")
CAMPAIGNS: Mapping[str, Collection[str]] = {CAMPAIGN: TRIGGERS, "spring-2026": ()}
"""What each knows, by id."""


def configured(**values: object) -> Settings:
    """Settings of this test, whatever the environment says."""
    names = ("signup_webhook_secret", "calcom_webhook_secret", "resend_webhook_secret")
    secrets = dict.fromkeys(names) | {"allow_unsigned": False}
    quiet = {"port": 0, "host": "127.0.0.1", "cors_origins": ()} | secrets
    return Settings.load(**(quiet | values))


@asynccontextmanager
async def running(
    broker: Broker, settings: Settings | None = None, campaigns: Mapping[str, Collection[str]] = CAMPAIGNS
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an ingest on a free port."""
    async with (
        ingest_server(broker, settings or configured(), campaigns) as server,
        httpx.AsyncClient(base_url=server.url, timeout=30) as client,
    ):
        yield client


@asynccontextmanager
async def _beside_a_broker(folder: Path, settings: Settings) -> AsyncIterator[tuple[Broker, httpx.AsyncClient]]:
    async with (
        NatsServer(folder / "nats", options={"sync_interval": "2m"}) as server,
        connect(server.url, name="test", patience_s=20) as broker,
    ):
        await topology.init(broker)
        async with running(broker, settings) as client:
            yield broker, client


def one_ingest(scope: Literal["module", "package"] = "module", **values: object) -> tuple[Any, Any, Any]:
    """Fixtures `shared, broker, ingest`: one ingest with a nats-server of its own, emptied before each test.

    By a purge; a stream deleted and made again at once was seen, on a busy machine, with its old messages.
    """

    @pytest.fixture(scope=scope)
    async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Broker, httpx.AsyncClient]]:
        async with _beside_a_broker(tmp_path_factory.mktemp("ingest"), configured(**values)) as both:
            yield both

    @pytest.fixture
    async def broker(shared: tuple[Broker, httpx.AsyncClient]) -> Broker:
        await shared[0].js.purge_stream(subjects.EVENTS)
        return shared[0]

    @pytest.fixture
    def ingest(shared: tuple[Broker, httpx.AsyncClient], broker: Broker) -> httpx.AsyncClient:
        return shared[1]

    return shared, broker, ingest


async def stored(broker: Broker) -> int:
    """Facts about people; how webhooks were answered is told when an ingest stops."""
    counts = await subjects_in(broker, subjects.EVENTS, subjects.history_of(OPERATIONS))
    return int((await broker.js.stream_info(subjects.EVENTS)).state.messages) - len(counts)


async def counted(ingest: httpx.AsyncClient) -> dict[str, float]:
    """What the page of metrics says now, by name and labels."""
    lines = (await ingest.get("/metrics")).text.splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def padded(size: int) -> bytes:
    """A good form in so many bytes."""
    return json.dumps(SMALLEST).encode().ljust(size)


def problem(answer: httpx.Response, status: int) -> dict[str, str]:
    """Problem by field, of an answer that must be problem+json."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status
    assert body["detail"]
    return {each["field"]: each["problem"] for each in body["errors"]}
