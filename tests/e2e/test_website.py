"""The website's function, compiled from examples/website and run by Node, against the running ingest."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts import ids
from contracts.facts import SignupReceived
from eventlog.connection import Broker
from eventlog.log import EventLog
from services.settings import ROOT
from tests.e2e.between import Fault, between
from tests.integration.ingest import ROUTE, configured, running, stored

EXAMPLE = ROOT / "examples" / "website"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
WITHIN_S = 60
EMAIL = "ada@example.com"
ASSESSMENT = {
    "email": EMAIL,
    "firstName": "Ada",
    "businessName": "Ada's Bakery",
    "revenueLeak": 4200,
    "systems": [
        {"name": "Invoicing", "colour": "red", "score": 12},
        {"name": "Hiring", "colour": "red", "score": 20},
        {"name": "Stock", "colour": "yellow", "score": 55},
        {"name": "Sales", "colour": "green", "score": 91},
    ],
}

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed: the website's function is not tried")


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function as JavaScript, made by the compiler that package-lock.json pins."""
    compiler = EXAMPLE / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        pytest.fail("Node is here and the compiler is not: run `make website`")
    built = tmp_path_factory.mktemp("website")
    (built / "package.json").write_text('{"type": "module"}')
    done = subprocess.run([compiler, "--outDir", built], cwd=EXAMPLE, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout
    return built / "lib" / "dripstream.js"


@pytest.fixture
async def ingest(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    async with running(broker, configured(signup_webhook_secret=SECRET)) as client:
        yield client


async def send(module: Path, url: str, **options: Any) -> dict[str, Any]:
    """What `sendSignup` returned or threw, in a Node of its own that knows nothing of this environment."""
    order = {"assessment": ASSESSMENT, "options": {"url": url + ROUTE, "secret": SECRET, "firstWaitMs": 20, **options}}
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(EXAMPLE / "try.mjs"), str(module),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(json.dumps(order).encode()), WITHIN_S)
    said: dict[str, Any] = json.loads(out)
    return said


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
