"""What a container or a load balancer hears from a service without pages of its own."""

import httpx

from eventlog import topology
from eventlog.connection import Broker
from eventlog.pause import pause, resume
from services.health import health_server
from tests.waiting import eventually


async def test_a_paused_service_is_alive_and_not_ready_and_says_why(broker: Broker) -> None:
    async with health_server(broker, topology.SENDER) as server, httpx.AsyncClient(base_url=server.url) as client:
        await eventually(lambda: says(client, 200))
        assert (await client.get("/ready")).json() == {"status": "ready", "detail": ""}
        await pause(broker, topology.SENDER, for_s=3_600, reason="daily_quota_exceeded")
        await eventually(lambda: says(client, 503, "daily_quota_exceeded"))
        assert (await client.get("/health")).status_code == 200
        await resume(broker, topology.SENDER)
        await eventually(lambda: says(client, 200))


async def says(client: httpx.AsyncClient, status: int, why: str = "") -> bool:
    answer = await client.get("/ready")
    return answer.status_code == status and why in answer.json()["detail"]
