"""The examples for nginx and Caddy with TLS, in front of a running ingest."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.params import FromPath
from standardwebhooks import Webhook

from eventlog.connection import Broker
from eventlog.server import free_port
from services.http import HttpServer
from tests.deploy.programs import program, ran
from tests.deploy.proxies import Proxy, proxy
from tests.integration.ingest import ROUTE, configured, running, stored
from tests.unit.ingest.forms import SMALLEST

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KINDS = ("nginx", "caddy")
ODD = '{ "first_name":"Ünï\\u00e9",\r\n\t"email" : "ada@example.com" ,"assessment_score" : 34}\n\n'.encode()
EVENTS = "/webhook/resend"
PRIVATE = [
    "/", "/metrics", "/ready", "/schema", "/schema/openapi.json", "/_control/counts", "/v1/pages", "/emails",
    "/webhook", "/webhook/..%2fmetrics", "/webhook/../metrics", "/health/../metrics",
]  # fmt: skip


@pytest.fixture(params=KINDS)
async def before_ingest(request: pytest.FixtureRequest, broker: Broker, tmp_path: Path) -> AsyncIterator[Proxy]:
    async with (
        running(broker, configured(signup_webhook_secret=SECRET)) as ingest,
        proxy(request.param, f"127.0.0.1:{ingest.base_url.port}", tmp_path) as running_proxy,
    ):
        yield running_proxy


@dataclass
class Echo:
    """What arrives behind a proxy."""

    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    came = Echo()

    @post("/{path:path}")
    async def take(request: Request[object, object, State], path: FromPath[str]) -> Response[bytes]:
        came.headers.append(dict(request.headers))
        came.bodies.append(await request.body())
        return Response(b"", status_code=202)

    async with HttpServer(Litestar([take], request_max_body_size=None), port=0) as server:
        yield came, f"127.0.0.1:{server.port}"


def signed(body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body.decode()),
    }


async def test_a_signed_signup_is_stored(before_ingest: Proxy, broker: Broker) -> None:
    answer = await before_ingest.secure.post(ROUTE, content=ODD, headers=signed(ODD))
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "accepted"
    assert await stored(broker) == 1


async def test_what_comes_without_a_signature_is_refused_although_the_proxy_is_on_this_machine(
    before_ingest: Proxy, broker: Broker
) -> None:
    answer = await before_ingest.secure.post(ROUTE, json=SMALLEST)
    assert answer.status_code == 401
    assert await stored(broker) == 0


async def test_plain_http_is_refused_and_not_redirected(before_ingest: Proxy, broker: Broker) -> None:
    answer = await before_ingest.plain.post(ROUTE, content=ODD, headers=signed(ODD))
    assert answer.status_code == 403
    assert await stored(broker) == 0


@pytest.mark.parametrize("path", PRIVATE)
async def test_nothing_but_webhooks_is_public(before_ingest: Proxy, path: str) -> None:
    answer = await before_ingest.secure.get(path)
    assert answer.status_code == 404


async def test_health_is_public(before_ingest: Proxy) -> None:
    assert (await before_ingest.secure.get("/health")).status_code == 200
    assert (await before_ingest.secure.post("/health")).status_code in {403, 404}


@pytest.mark.parametrize("length", [64 * 1024 + 1, 99_999])
async def test_who_is_over_ingests_limit_is_told_so(before_ingest: Proxy, broker: Broker, length: int) -> None:
    body = json.dumps(SMALLEST).encode().ljust(length)
    answer = await before_ingest.secure.post(ROUTE, content=body, headers=signed(body))
    assert answer.status_code == 413
    assert await stored(broker) == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_far_too_large_goes_no_further_than_the_proxy(
    kind: str, echo: tuple[Echo, str], tmp_path: Path
) -> None:
    came, upstream = echo
    async with proxy(kind, upstream, tmp_path) as before:
        assert (await before.secure.post(ROUTE, content=bytes(2_000_000))).status_code == 413
    assert came.bodies == []


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_and_signatures_pass_unchanged_and_claims_of_an_address_do_not(
    kind: str, echo: tuple[Echo, str], tmp_path: Path
) -> None:
    came, upstream = echo
    signature = signed(ODD)
    bodies = [ODD, gzip.compress(ODD), bytes(range(256)) * 100]
    claims = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http"}
    async with proxy(kind, upstream, tmp_path) as before:
        for body in bodies:
            headers = {**signature, "svix-id": "1", "x-cal-signature-256": "2", **claims}
            assert (await before.secure.post(EVENTS, content=body, headers=headers)).status_code == 202
    assert came.bodies == bodies
    for headers in came.headers:
        assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "https")
        assert (headers["svix-id"], headers["x-cal-signature-256"]) == ("1", "2")
        assert headers["webhook-signature"] == signature["webhook-signature"]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_ingest_that_is_away_is_an_error_that_senders_try_again_after(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, f"127.0.0.1:{free_port()}", tmp_path) as before:
        answer = await before.secure.post(ROUTE, json=SMALLEST)
    assert answer.status_code in {502, 503}
    if kind == "nginx":
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_flood_is_told_to_come_back(echo: tuple[Echo, str], tmp_path: Path) -> None:
    came, upstream = echo
    async with proxy("nginx", upstream, tmp_path) as before:
        at_once = asyncio.Semaphore(50)

        async def one() -> httpx.Response:
            async with at_once:
                return await before.secure.post(ROUTE, json=SMALLEST)

        answers = await asyncio.gather(*(one() for _ in range(700)))
    over = [answer for answer in answers if answer.status_code == 429]
    assert over
    assert {answer.headers["retry-after"] for answer in over} == {"1"}
    assert len(came.bodies) == len(answers) - len(over) >= 200


async def test_nginx_finds_no_fault_in_its_example(tmp_path: Path) -> None:
    async with proxy("nginx", f"127.0.0.1:{free_port()}", tmp_path):
        pass
    done = ran(program("nginx", "nginx-light"), "-t", "-c", tmp_path / "nginx.conf", "-e", tmp_path / "first.log")
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
