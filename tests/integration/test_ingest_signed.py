"""Where SIGNUP_WEBHOOK_SECRET is set, only signed webhooks count, and each of them once."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks import Webhook

from eventlog.connection import Broker
from services.ingest.signature import BadSecret
from tests.integration.ingest import ROUTE, ROUTES, configured, one_ingest, padded, problem, running, stored
from tests.unit.ingest.forms import FORM

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = json.dumps(FORM).encode()
shared, broker, ingest = one_ingest(signup_webhook_secret=SECRET)


def sign(body: bytes = BODY, *, secret: str = SECRET, **ago: float) -> dict[str, str]:
    made = datetime.now(UTC) - timedelta(**ago)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(made.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", made, body.decode()),
    }


async def test_a_signed_webhook_is_taken_on_every_route(ingest: httpx.AsyncClient) -> None:
    for route in ROUTES:
        assert (await ingest.post(route, content=BODY, headers=sign())).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        sign(secret="whsec_" + "A" * 32),
        sign(b"{}"),
        sign(minutes=6),
        sign(minutes=-600),
        sign() | {"webhook-signature": "v1"},
        sign() | {"webhook-signature": "v1,\u00e9"},
        sign() | {"webhook-timestamp": "soon"},
        {name: value for name, value in sign().items() if name != "webhook-id"},
    ],
    ids=["none", "wrong secret", "other body", "stale", "early", "cut", "not base64", "no time", "no id"],
)
async def test_anything_else_is_unauthorised(
    ingest: httpx.AsyncClient, broker: Broker, headers: dict[str, str]
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    for body in (BODY, b"\xff", b""):
        problem(await ingest.post(ROUTE, content=body, headers=encoded), 401)  # type: ignore[arg-type]
    assert await stored(broker) == 0


async def test_a_body_changed_on_the_way_is_unauthorised(ingest: httpx.AsyncClient, broker: Broker) -> None:
    problem(await ingest.post(ROUTE, content=BODY + b" ", headers=sign()), 401)
    assert await stored(broker) == 0


async def test_a_bad_form_is_not_looked_at_before_its_signature(ingest: httpx.AsyncClient) -> None:
    problem(await ingest.post(ROUTE, content=b"{}"), 401)
    assert problem(await ingest.post(ROUTE, content=b"{}", headers=sign(b"{}")), 400)


async def test_a_body_over_the_limit_is_refused_before_its_signature(ingest: httpx.AsyncClient) -> None:
    problem(await ingest.post(ROUTE, content=padded(65_537)), 413)


async def test_a_replay_inside_the_window_stores_nothing(ingest: httpx.AsyncClient, broker: Broker) -> None:
    headers = sign(minutes=4)
    await ingest.post(ROUTE, content=BODY, headers=headers)
    replay = await ingest.post(ROUTE, content=BODY, headers=headers)
    assert (replay.status_code, replay.json()["duplicate"]) == (202, True)
    assert await stored(broker) == 1


async def test_an_old_form_replayed_does_not_undo_a_newer_one(ingest: httpx.AsyncClient, broker: Broker) -> None:
    newer = json.dumps(FORM | {"red_systems": 0}).encode()
    for body in (BODY, newer, BODY):
        answer = await ingest.post(ROUTE, content=body, headers=sign(body))
    assert answer.json()["duplicate"]
    assert await stored(broker) == 2


async def test_a_replay_outside_the_window_is_unauthorised(ingest: httpx.AsyncClient, broker: Broker) -> None:
    await ingest.post(ROUTE, content=BODY, headers=sign())
    problem(await ingest.post(ROUTE, content=BODY, headers=sign(minutes=6)), 401)
    assert await stored(broker) == 1


async def test_health_and_readiness_need_no_signature(ingest: httpx.AsyncClient) -> None:
    assert (await ingest.get("/health")).status_code == 200
    assert (await ingest.get("/ready")).status_code == 200


async def test_a_secret_that_cannot_be_read_stops_the_start(broker: Broker) -> None:
    with pytest.raises(BadSecret, match="SIGNUP_WEBHOOK_SECRET must be base64"):
        async with running(broker, configured(signup_webhook_secret="no base64!")):
            pass
