"""Webhooks over real HTTP, facts in a real JetStream."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts import ids
from eventlog.connection import Broker
from eventlog.log import EventLog
from tests.factories import ADA, CAMPAIGN
from tests.integration.ingest import ROUTE, ROUTES, one_ingest, padded, problem, running, stored
from tests.unit.ingest.forms import FORM, NESTED, PERSON
from tests.waiting import SOON_S

shared, broker, ingest = one_ingest()


async def test_a_signup_is_in_the_log_when_it_is_accepted(ingest: httpx.AsyncClient, broker: Broker) -> None:
    answer = await ingest.post(ROUTE, json=FORM | {"email": "Ada@Example.com", "utm": "mail"})
    [fact] = await EventLog(broker).history(ids.contact_id(ADA))
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "accepted",
        "email": ADA,
        "message": "Signup queued for processing",
        "event_id": fact.id,
    }
    assert (fact.tag, fact.email, fact.extra) == ("signup_received", ADA, {"utm": "mail"})  # type: ignore[union-attr]


async def test_all_routes_and_both_nesting_forms_are_one_fact(ingest: httpx.AsyncClient, broker: Broker) -> None:
    answers = [await ingest.post(route, json=form) for route in ROUTES for form in (FORM, NESTED)]
    assert [answer.status_code for answer in answers] == [202] * 6
    assert [answer.json().get("duplicate") for answer in answers] == [None] + [True] * 5
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    assert await stored(broker) == 1


async def test_many_at_once_are_one_fact(ingest: httpx.AsyncClient, broker: Broker) -> None:
    answers = await asyncio.gather(*(ingest.post(ROUTE, json=FORM) for _ in range(20)))
    assert sorted(answer.json().get("duplicate", False) for answer in answers) == [False] + [True] * 19
    assert await stored(broker) == 1


async def test_a_changed_repeat_and_another_campaign_are_new_facts(ingest: httpx.AsyncClient, broker: Broker) -> None:
    await ingest.post(ROUTE, json=FORM)
    changed = await ingest.post(ROUTE, json=FORM | {"red_systems": 0})
    other = await ingest.post("/webhook/signup/spring-2026", json=FORM)
    assert "duplicate" not in changed.json() | other.json()
    assert len(await EventLog(broker).history(ids.contact_id(ADA))) == 3


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", None])
async def test_json_is_taken_under_any_content_type(ingest: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await ingest.post(ROUTE, content=json.dumps(FORM), headers=headers)
    assert answer.status_code == 202


async def test_bad_fields_are_named_without_their_values(ingest: httpx.AsyncClient, broker: Broker) -> None:
    form = PERSON | {"email": "s3cret", "assessment_data": {"assessment_score": "s3cret", "gps_score": 101}}
    answer = await ingest.post(ROUTE, json=form)
    assert problem(answer, 400) == {
        "email": "must be a valid email address",
        "assessment_data.assessment_score": "must be a number",
        "assessment_data.gps_score": "must be at most 100",
    }
    assert "s3cret" not in answer.text
    assert await stored(broker) == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'"s3cret"', b"[" * 60_000, b'{"a":' * 10_000, b"9" * 60_000]
)
async def test_what_is_no_form_is_refused(ingest: httpx.AsyncClient, broker: Broker, body: bytes) -> None:
    answer = await ingest.post(ROUTE, content=body)
    assert problem(answer, 400) == {}
    assert "s3cret" not in answer.text
    assert await stored(broker) == 0


async def test_an_unknown_campaign_names_the_known_ones(ingest: httpx.AsyncClient, broker: Broker) -> None:
    for name in ("nope", "*", ">", "a.b", "%00", "x" * 5_000):
        answer = await ingest.post(f"/webhook/signup/{name}", json=FORM)
        problem(answer, 404)
        assert CAMPAIGN in answer.json()["detail"]
        assert "spring-2026" in answer.json()["detail"]
        assert "nope" not in answer.text
    assert await stored(broker) == 0


async def test_the_christmas_routes_need_their_campaign(broker: Broker) -> None:
    async with running(broker, campaigns={"spring-2026": ()}) as client:
        for route in ROUTES:
            problem(await client.post(route, json=FORM), 404)


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 4_096):
        yield body[start : start + 4_096]


async def test_a_body_of_just_the_limit_is_taken(ingest: httpx.AsyncClient) -> None:
    assert (await ingest.post(ROUTE, content=padded(65_536))).status_code == 202
    assert (await ingest.post(ROUTE, content=chunks(padded(65_536)))).json()["duplicate"]


async def test_a_body_over_the_limit_is_refused_however_it_is_sent(ingest: httpx.AsyncClient, broker: Broker) -> None:
    for size in (65_537, 2_000_000):
        problem(await ingest.post(ROUTE, content=padded(size)), 413)
        problem(await ingest.post(ROUTE, content=chunks(padded(size))), 413)
    assert await stored(broker) == 0


async def test_an_endless_body_is_not_read_beyond_the_limit(ingest: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(ingest.base_url.host, ingest.base_url.port)
    writer.write(f"POST {ROUTE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    writer.write((b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 5)  # and never the last chunk
    async with asyncio.timeout(SOON_S):
        assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_sender_that_hangs_up_does_no_harm(ingest: httpx.AsyncClient, broker: Broker) -> None:
    _, writer = await asyncio.open_connection(ingest.base_url.host, ingest.base_url.port)
    writer.write(f"POST {ROUTE} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await ingest.post(ROUTE, json=FORM)).status_code == 202
    assert await stored(broker) == 1


async def test_unknown_paths_and_methods_are_problems(ingest: httpx.AsyncClient) -> None:
    problem(await ingest.get("/nope"), 404)
    answer = await ingest.get(ROUTE)
    problem(answer, 405)
    assert "POST" in answer.headers["allow"]


async def test_a_bug_is_answered_without_details(
    ingest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError(ADA)

    monkeypatch.setattr("services.ingest.routes.translate", fail)
    answer = await ingest.post(ROUTE, json=FORM)
    problem(answer, 500)
    said = capsys.readouterr().out
    assert "ZeroDivisionError" in said
    assert "test_ingest.py" in said
    assert "ada@" not in answer.text + said


async def test_log_lines_hold_ids_and_no_personal_data(
    ingest: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = await ingest.post(ROUTE, json=FORM)
    await ingest.post(ROUTE, json=FORM | {"email": "eve@"})
    said = capsys.readouterr().out
    assert ids.contact_id(ADA) in said
    assert accepted.json()["event_id"] in said
    assert "invalid" in said
    for private in ("example.com", "eve@", "Ada", "Bakery", "Invoicing"):
        assert private not in said
