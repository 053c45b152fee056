"""What Resend says became of emails, over real HTTP, signed, into a real JetStream."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import ids
from eventlog.connection import Broker
from eventlog.log import EventLog
from journey.contact import fold
from services.ingest.server import ingest_server
from services.ingest.signature import BadSecret
from tests import deliveries
from tests.deliveries import SECRET, Body, bounced, clicked, raw, sign
from tests.factories import ADA, make_email_id
from tests.integration.ingest import CAMPAIGNS, configured, counted, one_ingest, problem, running, stored
from tests.unit.ingest.test_resend import guessed

ROUTE = "/webhook/resend"
BODY = raw(deliveries.body("email.delivered"))
EVERYWHERE = "0.0.0.0"  # noqa: S104
shared, broker, ingest = one_ingest(resend_webhook_secret=SECRET)


@pytest.fixture
def log(broker: Broker) -> EventLog:
    return EventLog(broker)


async def send(ingest: httpx.AsyncClient, body: Body | bytes, webhook: str = "msg_1") -> httpx.Response:
    content = body if isinstance(body, bytes) else raw(body)
    return await ingest.post(ROUTE, content=content, headers=sign(content, webhook))


async def history(log: EventLog, email: str = ADA) -> list[Any]:
    return await log.history(ids.contact_id(email))


async def test_what_became_of_an_email_is_in_the_log_when_it_is_accepted(
    ingest: httpx.AsyncClient, log: EventLog
) -> None:
    answer = await send(ingest, BODY)
    [fact] = await history(log)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "event_id": fact.id})
    assert (fact.tag, fact.email_id, fact.webhook) == ("email_delivered", make_email_id(), "msg_1")


async def test_the_same_webhook_again_is_one_fact(ingest: httpx.AsyncClient, log: EventLog) -> None:
    answers = await asyncio.gather(*(send(ingest, BODY) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sorted(answer.json().get("duplicate", False) for answer in answers) == [False] + [True] * 19
    assert len(await history(log)) == 1


async def test_each_opening_is_a_fact_of_its_own(ingest: httpx.AsyncClient, log: EventLog) -> None:
    body = deliveries.body("email.opened")
    for webhook in ("msg_1", "msg_2", "msg_1"):
        await send(ingest, body, webhook)
    assert sorted(fact.webhook for fact in await history(log)) == ["msg_1", "msg_2"]


async def test_a_bounce_suppresses_the_person_whatever_came_before_it(ingest: httpx.AsyncClient, log: EventLog) -> None:
    for number, body in enumerate([bounced(), deliveries.body("email.delivered"), deliveries.body("email.sent")]):
        assert (await send(ingest, body, f"msg_{number}")).status_code == 202
    contact = fold(ids.contact_id(ADA), await history(log))
    assert contact.suppressed_by
    assert contact.suppressed_by.tag == "email_bounced"


async def test_a_guests_complaint_is_two_facts_and_again_none(ingest: httpx.AsyncClient, log: EventLog) -> None:
    body = deliveries.body("email.complained", to=["bob@example.com"])
    first, again = await send(ingest, body), await send(ingest, body)
    assert "duplicate" not in first.json()
    assert again.json() == first.json() | {"duplicate": True}
    assert [fact.tag for fact in await history(log)] == ["email_accepted"]
    assert [fact.tag for fact in await history(log, "bob@example.com")] == ["email_complained"]


@pytest.mark.parametrize("event", ["email.received", "contact.created", "domain.updated", "inbox.something_new"])
async def test_other_types_are_answered_and_store_nothing(
    ingest: httpx.AsyncClient, log: EventLog, event: str, shared: tuple[Broker, httpx.AsyncClient]
) -> None:
    answer = await send(ingest, deliveries.body(event))
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored", "event": event})
    assert await stored(shared[0]) == 0
    assert await history(log) == []


async def test_an_email_to_nobody_is_answered_stored_nowhere_and_said_once(
    ingest: httpx.AsyncClient, shared: tuple[Broker, httpx.AsyncClient], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await send(ingest, bounced(to=["s3cret"], tags=None))
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored", "event": "email.bounced"})
    assert await stored(shared[0]) == 0
    said = capsys.readouterr().out
    assert said.count("delivery_ignored") == 1
    assert "nobody" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, {"type": "is required"}),
        ({"type": 7}, {"type": "is required"}),
        ({"type": "email.sent"}, {"data": "must be an object"}),
        ({"type": "email.sent", "data": ["s3cret"]}, {"data": "must be an object"}),
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(
    ingest: httpx.AsyncClient, shared: tuple[Broker, httpx.AsyncClient], body: Body, named: dict[str, str]
) -> None:
    answer = await send(ingest, body)
    assert problem(answer, 400) == named
    assert "s3cret" not in answer.text
    assert await stored(shared[0]) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"s3cret"', b"[" * 200_000, b'{"a":' * 40_000])
async def test_what_is_no_json_object_is_refused(ingest: httpx.AsyncClient, body: bytes) -> None:
    answer = await send(ingest, body)
    assert problem(answer, 400) == {}
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        sign(BODY, secret="whsec_" + "A" * 32),
        sign(BODY + b" "),
        sign(BODY, minutes=6),
        sign(BODY, minutes=-600),
        sign(BODY) | {"svix-id": "msg_2"},
        sign(BODY) | {"svix-signature": "v1"},
        sign(BODY) | {"svix-timestamp": "soon"},
        {name.replace("svix", "webhook"): value for name, value in sign(BODY).items()},
        *({name: value for name, value in sign(BODY).items() if name != left} for left in sign(BODY)),
    ],
    ids=["none", "secret", "body", "stale", "early", "id", "cut", "no time", "names", "-id", "-time", "-signature"],
)
async def test_what_is_not_signed_is_unauthorised(
    ingest: httpx.AsyncClient, shared: tuple[Broker, httpx.AsyncClient], headers: dict[str, str]
) -> None:
    problem(await ingest.post(ROUTE, content=BODY, headers=headers), 401)
    assert await stored(shared[0]) == 0


async def test_a_secret_in_rotation_signs_twice(ingest: httpx.AsyncClient) -> None:
    headers, old = sign(BODY), sign(BODY, secret="whsec_" + "A" * 32)["svix-signature"]
    headers["svix-signature"] = f"{old} {headers['svix-signature']}"
    assert (await ingest.post(ROUTE, content=BODY, headers=headers)).status_code == 202


async def test_a_bad_body_is_not_looked_at_before_its_signature(ingest: httpx.AsyncClient) -> None:
    for body in (b"{", b"{}", raw(deliveries.body("domain.created"))):
        problem(await ingest.post(ROUTE, content=body), 401)


async def test_a_body_of_just_the_limit_is_taken_and_a_larger_one_is_not(ingest: httpx.AsyncClient) -> None:
    assert (await send(ingest, BODY.ljust(256 * 1024))).status_code == 202
    answer = await send(ingest, BODY.ljust(256 * 1024 + 1))
    problem(answer, 413)
    assert "256 kB" in answer.json()["detail"]


async def test_log_lines_hold_ids_and_nothing_of_the_body(
    ingest: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = await send(ingest, clicked())
    await send(ingest, deliveries.body("EVE.hello"))
    said = capsys.readouterr().out
    assert ids.contact_id(ADA) in said
    assert accepted.json()["event_id"] in said
    for private in ("example.com", "s3cret", "203.0.113", "EVE", deliveries.PROVIDER_ID):
        assert private not in said


async def test_metrics_count_deliveries_and_what_is_left_alone(ingest: httpx.AsyncClient) -> None:
    before = await counted(ingest)
    for body in (deliveries.body("email.failed"), deliveries.body("email.failed"), deliveries.body("EVE.hello")):
        await send(ingest, body)
    await send(ingest, deliveries.body("email.received"))
    after = await counted(ingest)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['dripstream_facts_total{result="stored",type="email_undeliverable"}'] == 1
    assert grown['dripstream_facts_total{result="duplicate",type="email_undeliverable"}'] == 1
    assert grown['dripstream_ignored_total{event="email.received"}'] == 1
    assert grown['dripstream_ignored_total{event="other"}'] == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=guessed)
async def test_any_json_is_taken_ignored_or_refused_and_never_breaks_us(
    ingest: httpx.AsyncClient, value: object
) -> None:
    answer = await send(ingest, json.dumps(value).encode())
    if answer.status_code not in {200, 202}:
        problem(answer, 400)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
async def test_any_bytes_are_refused_and_never_break_us(ingest: httpx.AsyncClient, body: bytes) -> None:
    assert (await send(ingest, body)).status_code in {400, 401}  # 401: what is not UTF-8 is not signed by anybody


async def post_to(broker: Broker, headers: dict[str, str], **values: Any) -> httpx.Response:
    """To a server that listens as `values` say."""
    async with (
        ingest_server(broker, configured(**values), CAMPAIGNS) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        return await client.post(ROUTE, content=BODY, headers=headers)


async def test_without_a_secret_they_are_taken_on_loopback_each_body_once(broker: Broker) -> None:
    for headers in ({}, {}, sign(BODY)):
        assert (await post_to(broker, headers)).status_code == 202
    assert await stored(broker) == 2


async def test_without_a_secret_they_are_refused_beyond_loopback_and_the_setting_named(broker: Broker) -> None:
    answer = await post_to(broker, sign(BODY), host=EVERYWHERE, signup_webhook_secret=SECRET)
    problem(answer, 401)
    assert "RESEND_WEBHOOK_SECRET" in answer.json()["detail"]
    assert await stored(broker) == 0


async def test_beyond_loopback_they_are_taken_once_allowed_or_signed(broker: Broker) -> None:
    assert (await post_to(broker, {}, host=EVERYWHERE, allow_unsigned=True)).status_code == 202
    assert (await post_to(broker, sign(BODY), host=EVERYWHERE, resend_webhook_secret=SECRET)).status_code == 202


async def test_a_secret_that_cannot_be_read_stops_the_start(broker: Broker) -> None:
    with pytest.raises(BadSecret, match="RESEND_WEBHOOK_SECRET must be base64"):
        async with running(broker, configured(resend_webhook_secret="no base64!")):
            pass
