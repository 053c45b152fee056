"""Triggers over real HTTP, signed like signups, facts in a real JetStream."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from contracts import ids
from eventlog.connection import Broker
from eventlog.log import EventLog
from tests.factories import ADA, CAMPAIGN
from tests.integration.ingest import TRIGGERS, one_ingest, problem, running, stored
from tests.unit.ingest.test_calcom_anything import anything

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ROUTE = f"/webhook/trigger/{CAMPAIGN}/paid"
BODY: dict[str, Any] = {"email": ADA, "first_name": "Ada", "id": "invoice-1042", "amount": 950}
shared, broker, ingest = one_ingest(signup_webhook_secret=SECRET)


def sign(body: bytes, *, secret: str = SECRET, **ago: float) -> dict[str, str]:
    made = datetime.now(UTC) - timedelta(**ago)
    stamp = str(int(made.timestamp()))
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": Webhook(secret).sign("msg_1", made, body.decode()),
    }


async def send(ingest: httpx.AsyncClient, body: object, route: str = ROUTE) -> httpx.Response:
    content = json.dumps(body).encode()
    return await ingest.post(route, content=content, headers=sign(content))


async def test_a_trigger_is_in_the_log_when_it_is_accepted(ingest: httpx.AsyncClient, broker: Broker) -> None:
    answer = await send(ingest, BODY | {"occurred_at": "2026-01-12T16:30:00Z"})
    [fact] = await EventLog(broker).history(ids.contact_id(ADA))
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "email": ADA, "event_id": fact.id}
    assert (fact.tag, fact.name, fact.values) == ("triggered", "paid", {"amount": 950})  # type: ignore[union-attr]
    assert fact.at == datetime(2026, 1, 12, 16, 30, tzinfo=UTC)


async def test_repeats_store_nothing(ingest: httpx.AsyncClient, broker: Broker) -> None:
    await send(ingest, BODY)
    answers = await asyncio.gather(*(send(ingest, BODY | {"amount": n}) for n in range(5)))
    assert [answer.json()["duplicate"] for answer in answers] == [True] * 5
    assert await stored(broker) == 1


async def test_another_name_is_another_fact(ingest: httpx.AsyncClient, broker: Broker) -> None:
    for name in TRIGGERS:
        assert (await send(ingest, BODY, f"/webhook/trigger/{CAMPAIGN}/{name}")).status_code == 202
    assert await stored(broker) == len(TRIGGERS)


@pytest.mark.parametrize("name", ["nope", "PAID", "paid.x", "*", ">", "%00", "x" * 5_000])
async def test_an_unknown_name_is_answered_with_the_known_ones(
    ingest: httpx.AsyncClient, broker: Broker, name: str
) -> None:
    answer = await send(ingest, BODY, f"/webhook/trigger/{CAMPAIGN}/{name}")
    problem(answer, 404)
    assert "Known triggers: call_done, paid." in answer.json()["detail"]
    assert "nope" not in answer.text
    assert await stored(broker) == 0


async def test_a_campaign_without_triggers_says_so(ingest: httpx.AsyncClient) -> None:
    answer = await send(ingest, BODY, "/webhook/trigger/spring-2026/paid")
    problem(answer, 404)
    assert "Known triggers: none." in answer.json()["detail"]


async def test_an_unknown_campaign_is_answered_with_the_known_ones(ingest: httpx.AsyncClient) -> None:
    answer = await send(ingest, BODY, "/webhook/trigger/nope/paid")
    problem(answer, 404)
    assert f"Known campaigns: {CAMPAIGN}, spring-2026." in answer.json()["detail"]


async def test_bad_fields_are_named_without_their_values(ingest: httpx.AsyncClient, broker: Broker) -> None:
    answer = await send(ingest, {"email": "s3cret", "occurred_at": "s3cret"})
    assert problem(answer, 400) == {
        "email": "must be a valid email address",
        "occurred_at": "must be a time in ISO 8601",
    }
    assert "s3cret" not in answer.text
    assert await stored(broker) == 0


RAW = json.dumps(BODY).encode()


@pytest.mark.parametrize(
    "headers",
    [{}, sign(RAW, secret="whsec_" + "A" * 32), sign(b"{}"), sign(RAW, minutes=6), sign(RAW, minutes=-600)],
    ids=["none", "wrong secret", "other body", "stale", "early"],
)
async def test_what_is_not_signed_is_unauthorised(
    ingest: httpx.AsyncClient, broker: Broker, headers: dict[str, str]
) -> None:
    problem(await ingest.post(ROUTE, content=RAW, headers=headers), 401)
    problem(await ingest.post("/webhook/trigger/nope/nope", content=RAW, headers=headers), 401)
    assert await stored(broker) == 0


async def test_a_body_over_the_limit_is_refused(ingest: httpx.AsyncClient) -> None:
    body = RAW.ljust(65_537)
    problem(await ingest.post(ROUTE, content=body, headers=sign(body)), 413)


async def test_without_a_secret_triggers_are_taken_on_loopback(broker: Broker) -> None:
    async with running(broker) as client:
        assert (await client.post(ROUTE, json=BODY)).status_code == 202


async def test_log_lines_hold_ids_and_no_personal_data(
    ingest: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = await send(ingest, BODY | {"amount": 31_415_926_535})  # shorter, an id may hold it by chance
    said = capsys.readouterr().out
    assert accepted.json()["event_id"] in said
    for private in ("example.com", "Ada", "invoice-1042", "31415926535"):
        assert private not in said


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=anything
    | st.fixed_dictionaries(
        {"email": st.just(ADA) | anything}, optional=dict.fromkeys(["first_name", "occurred_at", "id", "x"], anything)
    )
)
async def test_any_json_is_accepted_or_refused_and_never_breaks_us(ingest: httpx.AsyncClient, value: object) -> None:
    answer = await send(ingest, value)
    if answer.status_code != 202:
        problem(answer, 400)
