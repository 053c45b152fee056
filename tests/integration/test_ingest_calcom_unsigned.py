"""Without CALCOM_WEBHOOK_SECRET, bookings are taken from this machine only, whatever else is signed."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from eventlog.connection import Broker
from eventlog.server import NatsServer
from services.ingest.server import ingest_server
from services.ingest.signature import BadSecret
from tests import calcom
from tests.calcom import raw, sign
from tests.integration.ingest import CAMPAIGNS, configured, problem, running, stored
from tests.unit.ingest.forms import FORM

ROUTE = "/webhook/calcom"
SIGNUP = "/webhook/christmas-signup"
SIGNUP_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = raw(calcom.created())
EVERYWHERE = "0.0.0.0"  # noqa: S104

NO_SECRET = {"X-Cal-Signature-256": "no-secret-provided"}


async def post_to(broker: Broker, route: str, headers: dict[str, str], **values: Any) -> httpx.Response:
    """To a server that listens as `values` say."""
    async with (
        ingest_server(broker, configured(**values), CAMPAIGNS) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client,
    ):
        if route == SIGNUP:
            return await client.post(route, json=FORM, headers=headers)
        return await client.post(route, content=BODY, headers=headers)


@pytest.mark.parametrize("headers", [{}, NO_SECRET, sign(BODY)], ids=["none", "no secret", "signed"])
async def test_on_loopback_unsigned_bookings_are_taken(broker: Broker, headers: dict[str, str]) -> None:
    assert (await post_to(broker, ROUTE, headers)).status_code == 202


@pytest.mark.parametrize("headers", [{}, NO_SECRET, sign(BODY)], ids=["none", "no secret", "signed"])
async def test_beyond_loopback_they_are_refused_and_the_setting_named(broker: Broker, headers: dict[str, str]) -> None:
    answer = await post_to(broker, ROUTE, headers, host=EVERYWHERE, signup_webhook_secret=SIGNUP_SECRET)
    problem(answer, 401)
    assert "CALCOM_WEBHOOK_SECRET" in answer.json()["detail"]
    assert await stored(broker) == 0


async def test_beyond_loopback_they_are_taken_once_allowed(broker: Broker) -> None:
    values = {"host": EVERYWHERE, "signup_webhook_secret": SIGNUP_SECRET, "allow_unsigned": True}
    assert (await post_to(broker, ROUTE, NO_SECRET, **values)).status_code == 202


async def test_a_secret_counts_even_where_unsigned_ones_are_allowed(broker: Broker) -> None:
    for host in (EVERYWHERE, "127.0.0.1"):
        values = {"host": host, "calcom_webhook_secret": calcom.SECRET, "allow_unsigned": True}
        problem(await post_to(broker, ROUTE, NO_SECRET, **values), 401)
        assert (await post_to(broker, ROUTE, sign(BODY), **values)).status_code == 202


async def test_the_calendars_secret_does_not_open_signups(broker: Broker) -> None:
    values = {"host": EVERYWHERE, "calcom_webhook_secret": calcom.SECRET}
    answer = await post_to(broker, SIGNUP, {}, **values)
    problem(answer, 401)
    assert "SIGNUP_WEBHOOK_SECRET" in answer.json()["detail"]
    assert (await post_to(broker, ROUTE, sign(BODY), **values)).status_code == 202


async def test_one_line_at_the_start_for_each_unsigned_family(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(broker, configured(signup_webhook_secret=SIGNUP_SECRET)):
        said = capsys.readouterr().out
    assert said.count("unsigned_webhooks") == 2
    assert "CALCOM_WEBHOOK_SECRET is not set" in said


async def test_a_blank_secret_stops_the_start(broker: Broker) -> None:
    with pytest.raises(BadSecret, match="CALCOM_WEBHOOK_SECRET"):
        async with running(broker, configured(calcom_webhook_secret="  ")):
            pass


@pytest.fixture
def stop(nats_server: NatsServer) -> Callable[[], Any]:
    return nats_server.stop


async def test_a_booking_that_cannot_be_stored_is_asked_for_again(broker: Broker, stop: Callable[[], Any]) -> None:
    async with running(broker) as client:
        await broker.js.delete_stream("EVENTS")
        answer = await client.post(ROUTE, content=BODY)
        problem(answer, 503)
        assert "Bookings" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "5"
        await stop()
        problem(await client.post(ROUTE, content=BODY), 503)
        assert (await client.post(ROUTE, content=raw(calcom.ping()))).status_code == 200
