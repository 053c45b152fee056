"""What Cal.com says of bookings, over real HTTP, signed, into a real JetStream."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import ids
from eventlog.connection import Broker
from eventlog.log import EventLog
from tests import calcom
from tests.calcom import SECRET, SENT, START, UID, Body, raw, sign
from tests.factories import ADA
from tests.integration.ingest import counted, one_ingest, problem, stored
from tests.unit.ingest.test_calcom_anything import guessed, mangled

ROUTES = ["/webhook/calcom-booking", "/webhook/calcom"]
ROUTE = ROUTES[0]
BODY = raw(calcom.created())
TIME = "2026-12-07T15:00:00Z"
shared, broker, ingest = one_ingest(calcom_webhook_secret=SECRET)


async def send(ingest: httpx.AsyncClient, body: Body | bytes, route: str = ROUTE) -> httpx.Response:
    content = body if isinstance(body, bytes) else raw(body)
    return await ingest.post(route, content=content, headers=sign(content))


async def history(broker: Broker, email: str = ADA) -> list[Any]:
    return await EventLog(broker).history(ids.contact_id(email))


@pytest.mark.parametrize("route", ROUTES)
async def test_a_booking_is_in_the_log_when_it_is_accepted(
    ingest: httpx.AsyncClient, broker: Broker, route: str
) -> None:
    answer = await send(ingest, BODY, route)
    [fact] = await history(broker)
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "email": ADA, "meeting_time": TIME, "event_id": fact.id}
    assert (fact.tag, fact.uid, fact.start, fact.sent_at) == ("booking_created", UID, START, SENT)


@pytest.mark.parametrize(
    ("body", "tag", "time"),
    [
        (calcom.created(), "booking_created", TIME),
        (calcom.flat(calcom.created()), "booking_created", TIME),
        (calcom.with_calendar_files(calcom.created()), "booking_created", TIME),
        (calcom.nested(), "booking_created", TIME),
        (calcom.seated(), "booking_created", TIME),
        (calcom.team(), "booking_created", TIME),
        (calcom.requested(), "booking_requested", TIME),
        (calcom.rejected(), "booking_rejected", TIME),
        (calcom.rescheduled(), "booking_rescheduled", TIME),
        (calcom.cancelled(), "booking_cancelled", TIME),
        (calcom.cancelled(startTime=None), "booking_cancelled", None),
        (calcom.reschedule_requested(), "booking_cancelled", TIME),
        (calcom.ended(), "meeting_ended", TIME),
        (calcom.ended_wrapped(), "meeting_ended", TIME),
        (calcom.no_show(), "no_show_reported", None),
        (calcom.no_show(marked=False), "no_show_withdrawn", None),
    ],
)
async def test_each_trigger_and_shape_is_accepted_and_repeats_store_nothing(
    ingest: httpx.AsyncClient, broker: Broker, body: Body, tag: str, time: str | None
) -> None:
    first, again = await send(ingest, body), await send(ingest, body, ROUTES[1])
    assert (first.status_code, first.json().get("duplicate")) == (202, None)
    assert again.json() == first.json() | {"duplicate": True}
    assert (first.json()["email"], first.json()["meeting_time"]) == (ADA, time)
    assert [(fact.tag, fact.id) for fact in await history(broker)] == [(tag, first.json()["event_id"])]


async def test_many_at_once_are_one_fact(ingest: httpx.AsyncClient, broker: Broker) -> None:
    answers = await asyncio.gather(*(send(ingest, BODY) for _ in range(20)))
    assert sorted(answer.json().get("duplicate", False) for answer in answers) == [False] + [True] * 19
    assert await stored(broker) == 1


async def test_a_life_of_a_booking_is_kept_in_whatever_order_it_arrives(
    ingest: httpx.AsyncClient, broker: Broker
) -> None:
    later = [SENT + timedelta(minutes=n) for n in range(5)]
    bodies = [
        calcom.cancelled(uid="bk3", sent=later[4]),
        calcom.rescheduled(uid="bk3", old_uid="bk2", sent=later[3]),
        calcom.rescheduled(uid="bk2", old_uid="bk1", sent=later[2]),
        calcom.created(uid="bk1", sent=later[1]),
        calcom.requested(uid="bk1", sent=later[0]),
    ]
    for body in bodies:
        assert (await send(ingest, body)).status_code == 202
    facts = await history(broker)
    assert [fact.uid for fact in sorted(facts, key=lambda fact: fact.sent_at)] == ["bk1", "bk1", "bk2", "bk3", "bk3"]


async def test_a_mark_can_be_set_taken_back_and_set_again(ingest: httpx.AsyncClient, broker: Broker) -> None:
    for seconds, marked in enumerate([True, False, True]):
        body = calcom.no_show("never-seen", SENT + timedelta(seconds=seconds), marked=marked)
        assert (await send(ingest, body)).status_code == 202
    tags = [fact.tag for fact in await history(broker)]
    assert sorted(tags) == ["no_show_reported", "no_show_reported", "no_show_withdrawn"]


async def test_a_meeting_ends_once_however_it_is_told(ingest: httpx.AsyncClient, broker: Broker) -> None:
    await send(ingest, calcom.ended())
    assert (await send(ingest, calcom.ended_wrapped())).json()["duplicate"]
    assert await stored(broker) == 1


async def test_without_a_sending_time_the_same_bytes_are_one_fact(ingest: httpx.AsyncClient, broker: Broker) -> None:
    await send(ingest, calcom.nested())
    assert (await send(ingest, calcom.nested())).json()["duplicate"]
    assert "duplicate" not in (await send(ingest, calcom.nested(title="Other"))).json()
    assert await stored(broker) == 2


async def test_every_seat_of_a_cancelled_meeting_has_its_fact(ingest: httpx.AsyncClient, broker: Broker) -> None:
    people = [calcom.attendee(), calcom.attendee("bob@example.com", "Bob")]
    body = calcom.cancelled(attendees=people, seatsPerTimeSlot=5)
    assert (await send(ingest, body)).json()["email"] == ADA
    assert (await send(ingest, body)).json()["duplicate"]
    assert len(await history(broker)) == len(await history(broker, "bob@example.com")) == 1


@pytest.mark.parametrize("trigger", ["PING", "BOOKING_CREATED", "MEETING_ENDED", "BOOKING_NO_SHOW_UPDATED"])
async def test_tests_are_answered_and_store_nothing(ingest: httpx.AsyncClient, broker: Broker, trigger: str) -> None:
    answer = await send(ingest, calcom.ping(trigger))
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored", "event": trigger})
    assert await stored(broker) == 0


@pytest.mark.parametrize(
    "body",
    [
        calcom.form_submitted(),
        calcom.instant_meeting(),
        calcom.recording_ready(),
        calcom.out_of_office(),
        calcom.video_no_show(),
        calcom.meeting("MEETING_STARTED"),
        calcom.envelope("BOOKING_PAID", calcom.booking()),
        calcom.envelope("BOOKING_PAYMENT_INITIATED", calcom.booking()),
        calcom.envelope("SOMETHING_NEW", {"uid": UID}),
    ],
    ids=lambda body: body["triggerEvent"],
)
async def test_other_triggers_are_answered_and_store_nothing(
    ingest: httpx.AsyncClient, broker: Broker, body: Body
) -> None:
    answer = await send(ingest, body)
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored", "event": body["triggerEvent"]})
    assert await stored(broker) == 0


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (calcom.created(attendees=[]), {"attendees": "must hold somebody with an email address"}),
        (calcom.created(attendees=[{"email": "s3cret"}]), {"attendees": "must hold somebody with an email address"}),
        (calcom.created(startTime=None), {"startTime": "is required"}),
        (calcom.created(startTime="s3cret"), {"startTime": "must be a time in ISO 8601"}),
        (calcom.created(startTime="2026-12-07T15:00:00"), {"startTime": "must name its offset from UTC"}),
        (calcom.nested(startTime=None), {"startTime": "is required"}),
        (calcom.created(uid="s3cret" * 40), {"uid": "must be text of at most 200 characters"}),
        (calcom.envelope("BOOKING_CREATED", "s3cret"), {"payload": "must be an object"}),  # type: ignore[arg-type]
        ({"payload": calcom.booking()}, {"triggerEvent": "is required"}),
        ({}, {"triggerEvent": "is required"}),
    ],
)
async def test_a_booking_that_cannot_be_one_is_refused(
    ingest: httpx.AsyncClient, broker: Broker, body: Body, named: dict[str, str]
) -> None:
    answer = await send(ingest, body)
    assert problem(answer, 400) == named
    assert "s3cret" not in answer.text
    assert await stored(broker) == 0


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'"s3cret"', b"[" * 200_000, b'{"a":' * 40_000, b"payload=%7B%7D", b"null"]
)
async def test_what_is_no_json_object_is_refused(ingest: httpx.AsyncClient, broker: Broker, body: bytes) -> None:
    answer = await send(ingest, body)
    assert problem(answer, 400) == {}
    assert "s3cret" not in answer.text
    assert await stored(broker) == 0


GOOD = sign(BODY)["X-Cal-Signature-256"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Cal-Signature-256": ""},
        {"X-Cal-Signature-256": "no-secret-provided"},
        {"X-Cal-Signature-256": "0" * 64},
        {"X-Cal-Signature-256": GOOD.upper()},
        {"X-Cal-Signature-256": f"sha256={GOOD}"},
        {"X-Cal-Signature-256": "é".encode()},
        {"X-Cal-Signature": GOOD},
        sign(BODY, secret="another"),
        sign(raw(calcom.created(uid="other"))),
        sign(json.dumps(calcom.created()).encode()),
    ],
    ids=["none", "empty", "no secret", "zeros", "upper", "prefix", "bytes", "name", "secret", "body", "spaces"],
)
@pytest.mark.parametrize("route", ROUTES)
async def test_what_is_not_signed_is_unauthorised(
    ingest: httpx.AsyncClient, broker: Broker, route: str, headers: Any
) -> None:
    problem(await ingest.post(route, content=BODY, headers=headers), 401)
    assert await stored(broker) == 0


async def test_a_bad_body_is_not_looked_at_before_its_signature(ingest: httpx.AsyncClient) -> None:
    for body in (b"{", raw(calcom.ping()), raw(calcom.created(attendees=[]))):
        problem(await ingest.post(ROUTE, content=body), 401)


@pytest.mark.parametrize("version", [None, "", "2021-10-20", "2026-07-27", "2031-01-01", "x" * 4_000])
async def test_any_version_is_taken_and_a_new_one_said(
    ingest: httpx.AsyncClient, version: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"X-Cal-Signature-256": GOOD} | ({} if version is None else {"X-Cal-Webhook-Version": version})
    assert (await ingest.post(ROUTE, content=BODY, headers=headers)).status_code == 202
    said = capsys.readouterr().out
    assert ("unknown_calcom_version" in said) == (version not in {None, "2021-10-20", "2026-07-27"})
    assert "x" * 100 not in said


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
async def test_json_is_taken_under_any_content_type(ingest: httpx.AsyncClient, content_type: str) -> None:
    answer = await ingest.post(ROUTE, content=BODY, headers=sign(BODY) | {"content-type": content_type})
    assert answer.status_code == 202


async def test_a_body_of_just_the_limit_is_taken(ingest: httpx.AsyncClient) -> None:
    assert (await send(ingest, BODY.ljust(256 * 1024))).status_code == 202


async def test_a_body_over_the_limit_is_refused(ingest: httpx.AsyncClient, broker: Broker) -> None:
    for size in (256 * 1024 + 1, 2_000_000):
        answer = await send(ingest, BODY.ljust(size))
        problem(answer, 413)
        assert "256 kB" in answer.json()["detail"]
    assert await stored(broker) == 0


async def test_log_lines_hold_ids_and_nothing_of_the_body(
    ingest: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = await send(ingest, BODY)
    for body in (calcom.created(attendees=[]), calcom.ping(), calcom.envelope("HELLO EVE", {})):
        await send(ingest, body)
    await ingest.post(ROUTE, content=BODY, headers={"X-Cal-Signature-256": "no-secret-provided"})
    said = capsys.readouterr().out
    assert ids.contact_id(ADA) in said
    assert accepted.json()["event_id"] in said
    for private in ("example.com", "Ada", "s3cret", "Intro", "EVE", "provided", UID, GOOD):
        assert private not in said


async def test_metrics_count_bookings_and_what_is_left_alone(ingest: httpx.AsyncClient) -> None:
    before = await counted(ingest)
    for body in (calcom.created(), calcom.created(), calcom.ping(), calcom.envelope("SOMETHING_NEW", {})):
        await send(ingest, body)
    after = await counted(ingest)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown['dripstream_facts_total{result="stored",type="booking_created"}'] == 1
    assert grown['dripstream_facts_total{result="duplicate",type="booking_created"}'] == 1
    assert grown['dripstream_ignored_total{event="PING"}'] == 1
    assert grown['dripstream_ignored_total{event="other"}'] == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=mangled | guessed)
async def test_any_json_is_taken_ignored_or_refused_and_never_breaks_us(
    ingest: httpx.AsyncClient, value: object
) -> None:
    answer = await send(ingest, json.dumps(value).encode())
    if answer.status_code not in {200, 202}:
        problem(answer, 400)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
async def test_any_bytes_are_refused_and_never_break_us(ingest: httpx.AsyncClient, body: bytes) -> None:
    problem(await send(ingest, body), 400)
