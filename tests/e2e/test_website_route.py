"""The website's route as Next.js calls it, before the running ingest: what a browser is told, and what it is not."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from eventlog.connection import Broker
from tests.e2e.between import Fault, between
from tests.e2e.website import ASSESSMENT, EMAIL, EXAMPLE, SECRET, compiled, needs_node, node, visit
from tests.integration.ingest import ROUTE, configured, running, stored

pytestmark = needs_node
FORM = json.dumps(ASSESSMENT).encode()
CHECK, AGAIN = "please check the form", "please try again"


@pytest.fixture(scope="module")
def website(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("website"))


@pytest.fixture
async def ingest(broker: Broker) -> AsyncIterator[httpx.AsyncClient]:
    async with running(broker, configured(signup_webhook_secret=SECRET)) as client:
        yield client


async def test_a_good_form_is_stored(website: Path, broker: Broker, ingest: httpx.AsyncClient) -> None:
    async with between(ingest) as middle:
        said = await visit(website, middle.url, FORM)
    assert said == {"status": 202, "body": {"status": "accepted"}, "logged": []}
    assert await stored(broker) == 1


@pytest.mark.parametrize("form", [
    b"", b"{", b"null", b"[]", b'"x"', b"{}",
    json.dumps(ASSESSMENT | {"systems": []}).encode(),
    json.dumps(ASSESSMENT | {"systems": "four"}).encode(),
    json.dumps(ASSESSMENT | {"systems": [None]}).encode(),
    json.dumps(ASSESSMENT | {"systems": [{"name": "Sales", "colour": "blue", "score": 1}]}).encode(),
    json.dumps(ASSESSMENT | {"systems": [{"name": "Sales", "colour": "red", "score": "12"}]}).encode(),
    json.dumps(ASSESSMENT | {"systems": [{"name": "Sales", "colour": "red", "score": 101}]}).encode(),
    json.dumps(ASSESSMENT | {"systems": [{"name": "Sales", "colour": "red"}]}).encode(),
    json.dumps(ASSESSMENT | {"systems": [{"colour": "red", "score": 1}]}).encode(),
])  # fmt: skip
async def test_a_form_that_cannot_be_counted_is_never_posted(
    website: Path, ingest: httpx.AsyncClient, form: bytes
) -> None:
    async with between(ingest) as middle:
        said = await visit(website, middle.url, form)
    assert said == {"status": 400, "body": {"error": CHECK}, "logged": []}
    assert middle.ids == []


@pytest.mark.parametrize("wrong", [{"email": "nobody"}, {"email": 7}, {"firstName": ""}, {"revenueLeak": "much"}])
async def test_what_ingest_finds_wrong_is_asked_once_and_told_without_a_name(
    website: Path, broker: Broker, ingest: httpx.AsyncClient, wrong: dict[str, object]
) -> None:
    async with between(ingest) as middle:
        said = await visit(website, middle.url, json.dumps(ASSESSMENT | wrong).encode())
    assert (said["status"], said["body"]) == (400, {"error": CHECK})
    assert len(middle.ids) == 1
    assert said["logged"] == ["signup not taken after 1 try: HTTP 400"]
    assert await stored(broker) == 0


async def test_what_may_pass_is_another_try_for_the_visitor(website: Path, ingest: httpx.AsyncClient) -> None:
    async with between(ingest, Fault(503, {"retry-after": "3600"})) as middle:
        said = await visit(website, middle.url, FORM)
    assert (said["status"], said["body"]) == (503, {"error": AGAIN})


async def test_a_wrong_secret_is_not_the_visitors_fault(website: Path, ingest: httpx.AsyncClient) -> None:
    async with between(ingest) as middle:
        said = await visit(website, middle.url, FORM, SIGNUP_WEBHOOK_SECRET="whsec_b3RoZXI=")
    assert (said["status"], said["body"]) == (503, {"error": AGAIN})
    assert len(middle.ids) == 1


@pytest.mark.parametrize("unset", ["SIGNUP_WEBHOOK_SECRET", "DRIPSTREAM_SIGNUP_URL"])
async def test_nothing_is_posted_unsigned(website: Path, ingest: httpx.AsyncClient, unset: str) -> None:
    async with between(ingest) as middle:
        said = await visit(website, middle.url, FORM, **{unset: ""})
    assert said["status"] == 500
    assert middle.ids == []


async def test_no_answer_holds_a_secret_and_no_log_a_person(website: Path, ingest: httpx.AsyncClient) -> None:
    for faults in ([], [Fault(401)], [Fault(503, {"retry-after": "3600"})]):
        async with between(ingest, *faults) as middle:
            said = json.dumps(await visit(website, middle.url, FORM))
        assert SECRET not in said
        assert EMAIL not in said
        assert "Ada" not in said


def test_no_bundle_for_browsers_can_hold_the_secret() -> None:
    """Next puts a variable into what browsers load only by its prefix, and no browser has node:crypto."""
    sources = {name: (EXAMPLE / name).read_text() for name in ("lib/dripstream.ts", "app/api/assessment/route.ts")}
    assert not any("NEXT_PUBLIC_" in text or "use client" in text for text in sources.values())
    read = {name: set(re.findall(r"process\.env\.?(\w*)", text)) for name, text in sources.items()}
    assert read["lib/dripstream.ts"] == set()
    assert read["app/api/assessment/route.ts"] == {"DRIPSTREAM_SIGNUP_URL", "SIGNUP_WEBHOOK_SECRET"}
    assert 'from "node:crypto"' in sources["lib/dripstream.ts"]


async def test_in_a_browser_it_throws_before_it_posts(website: Path, ingest: httpx.AsyncClient, tmp_path: Path) -> None:
    browser = tmp_path / "browser.mjs"
    browser.write_text("globalThis.window = globalThis;\n")
    async with between(ingest) as middle:
        order = {"assessment": ASSESSMENT, "options": {"url": middle.url + ROUTE, "secret": SECRET}}
        said = await node("--import", browser, EXAMPLE / "try.mjs", website / "lib/dripstream.js",
                          given=json.dumps(order).encode())  # fmt: skip
    assert "must not run in a browser" in said["message"]
    assert middle.ids == []
