"""The website's function, compiled from examples/website and run by Node, against the running ingest."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts import ids
from contracts.facts import SignupReceived
from eventlog.connection import Broker
from eventlog.log import EventLog
from tests.e2e.between import Fault, between
from tests.e2e.website import ASSESSMENT, EMAIL, SECRET, compiled, needs_node, send
from tests.integration.ingest import configured, running, stored

pytestmark = needs_node


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("website"))


@pytest.fixture
async def ingest(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    async with running(broker, configured(signup_webhook_secret=SECRET)) as client:
        yield client


async def test_a_signup_is_stored_with_counts_and_average(
    module: Path, broker: Broker, ingest: httpx.AsyncClient
) -> None:
    said = await send(module, str(ingest.base_url).rstrip("/"))
    (fact,) = await EventLog(broker).history(ids.contact_id(EMAIL))
    assert isinstance(fact, SignupReceived)
    assert said == {"eventId": fact.id, "duplicate": False}
    scores = fact.assessment
    assert (scores.red_systems, scores.orange_systems, scores.yellow_systems, scores.green_systems) == (2, 0, 1, 1)
    assert scores.assessment_score == 45  # of 12, 20, 55 and 91; half is rounded up
    assert (scores.weakest_system_1, scores.weakest_system_2) == ("Invoicing", "Hiring")
    assert (scores.revenue_leak_total, fact.first_name, fact.business_name) == (4200, "Ada", "Ada's Bakery")


async def test_what_was_refused_for_now_is_sent_again_under_the_same_id(
    module: Path, broker: Broker, ingest: httpx.AsyncClient
) -> None:
    async with between(ingest, Fault(503), Fault(408), Fault(500)) as middle:
        said = await send(module, middle.url)
    assert said["duplicate"] is False
    assert len(middle.ids) == 4
    assert re.fullmatch(r"msg_[0-9a-f-]{36}", middle.ids[0])
    assert len(set(middle.ids)) == len(set(middle.bodies)) == 1
    assert await stored(broker) == 1


async def test_a_lost_answer_makes_no_second_signup(module: Path, broker: Broker, ingest: httpx.AsyncClient) -> None:
    async with between(ingest, Fault(502, is_stored=True)) as middle:
        said = await send(module, middle.url)
    assert said["duplicate"] is True
    assert len(set(middle.ids)) == 1
    assert await stored(broker) == 1


async def test_a_202_that_is_not_ours_is_no_success(module: Path, broker: Broker, ingest: httpx.AsyncClient) -> None:
    async with between(ingest, Fault(202)) as middle:
        assert (await send(module, middle.url))["duplicate"] is False
    assert len(middle.ids) == 2
    assert await stored(broker) == 1


async def test_who_is_told_when_to_come_back_waits_so_long(module: Path, ingest: httpx.AsyncClient) -> None:
    async with between(ingest, Fault(429, {"retry-after": "2"})) as middle:
        assert "eventId" in await send(module, middle.url)
    first, second = middle.came
    assert second - first >= 1.9


async def test_a_wait_beyond_the_budget_is_an_error_at_once(
    module: Path, broker: Broker, ingest: httpx.AsyncClient
) -> None:
    async with between(ingest, Fault(429, {"retry-after": "3600"})) as middle:
        said = await send(module, middle.url)
    assert (said["name"], said["status"], said["tries"]) == ("SignupFailed", 429, 1)
    assert await stored(broker) == 0


async def test_what_was_changed_on_its_way_is_refused_and_not_sent_again(
    module: Path, broker: Broker, ingest: httpx.AsyncClient
) -> None:
    async with between(ingest, change=lambda body: body.replace(b"Ada", b"Eve")) as middle:
        said = await send(module, middle.url)
    assert (said["name"], said["status"], said["tries"]) == ("SignupFailed", 401, 1)
    assert EMAIL not in said["message"]
    assert await stored(broker) == 0


async def test_tries_have_an_end(module: Path, broker: Broker, ingest: httpx.AsyncClient) -> None:
    async with between(ingest, *[Fault(503)] * 9) as middle:
        said = await send(module, middle.url, tries=3)
    assert (said["name"], said["status"], said["tries"]) == ("SignupFailed", 503, 3)
    assert len(middle.ids) == 3
    assert await stored(broker) == 0


async def test_nobody_listening_is_an_error_without_a_status(module: Path) -> None:
    said = await send(module, "http://127.0.0.1:9", tries=2)
    assert (said["name"], said["status"], said["tries"]) == ("SignupFailed", 0, 2)


async def test_an_answer_that_does_not_come_is_not_waited_for(
    module: Path, broker: Broker, ingest: httpx.AsyncClient
) -> None:
    async with between(ingest, Fault(0, is_silent=True), Fault(0, is_silent=True, is_stored=True)) as middle:
        said = await send(module, middle.url, timeoutMs=4000)
    assert said["duplicate"] is True
    assert len(middle.ids) == 3
    assert len(set(middle.ids)) == 1
    assert await stored(broker) == 1


async def test_the_whole_has_an_end_as_well(module: Path, ingest: httpx.AsyncClient) -> None:
    async with between(ingest, *[Fault(0, is_silent=True)] * 9) as middle:
        said = await send(module, middle.url, timeoutMs=60_000, budgetMs=500)
    assert (said["name"], said["status"], said["tries"]) == ("SignupFailed", 0, 1)
    assert len(middle.ids) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
async def test_what_is_refused_for_good_is_asked_once(module: Path, ingest: httpx.AsyncClient, status: int) -> None:
    async with between(ingest, *[Fault(status)] * 9) as middle:
        said = await send(module, middle.url)
    assert (said["name"], said["status"], said["tries"]) == ("SignupFailed", status, 1)
    assert len(middle.ids) == 1


async def test_what_cannot_be_counted_is_refused_before_it_is_posted(module: Path, ingest: httpx.AsyncClient) -> None:
    async with between(ingest) as middle:
        said = await send(module, middle.url, ASSESSMENT | {"systems": []})
    assert said["name"] == "BadAssessment"
    assert middle.ids == []
