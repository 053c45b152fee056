"""`/health`, `/ready` and `/metrics` for a service that has no pages of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State

from eventlog.connection import Broker
from eventlog.topology import Durable
from services.http import HttpServer
from services.metrics import metrics
from services.ready import Readiness


class Health(msgspec.Struct):
    """`detail`: what stands in the way."""

    status: str
    detail: str = ""


@get("/health")
async def alive() -> Health:
    return Health("alive")


@get("/ready")
async def ready(request: Request[Any, Any, State]) -> Response[Health]:
    readiness: Readiness = request.app.state.readiness
    obstacle = await readiness.obstacle()
    return Response(
        Health("not ready", obstacle) if obstacle else Health("ready"), status_code=503 if obstacle else 200
    )


@asynccontextmanager
async def health_server(
    broker: Broker, durable: Durable, *, replicas: int = 1, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[HttpServer]:
    """A running server. Errors: OSError where the address is taken."""
    readiness = Readiness(broker, replicas, durable)
    state = State({"readiness": readiness})
    app = Litestar([alive, ready, metrics], state=state, openapi_config=None, logging_config=None)
    async with HttpServer(app, host=host, port=port) as server:
        yield server
