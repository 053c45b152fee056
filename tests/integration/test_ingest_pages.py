"""What browsers, scrapers and readers of the documentation rely on, and what no body may break."""

import json
import re
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.connection import Broker
from tests.factories import CAMPAIGN
from tests.integration.ingest import ROUTE, TRIGGERS, configured, one_ingest, problem, running
from tests.unit.ingest.forms import FORM

OURS = "https://www.example.com"
shared, broker, ingest = one_ingest(cors_origins=(OURS,))


async def test_metrics_count_facts_and_refusals_by_route(ingest: httpx.AsyncClient) -> None:
    before = await counted(ingest)
    for form in (FORM, FORM, {}):
        await ingest.post(f"/webhook/signup/{CAMPAIGN}", json=form)
    await ingest.post("/webhook/signup/nope", json=FORM)
    after = await counted(ingest)
    grown = {name: value - before.get(name, 0) for name, value in after.items() if "created" not in name}
    assert grown['dripstream_facts_total{result="stored",type="signup_received"}'] == 1
    assert grown['dripstream_facts_total{result="duplicate",type="signup_received"}'] == 1
    assert grown['dripstream_refused_total{reason="invalid"}'] == 1
    assert grown['dripstream_refused_total{reason="unknown_campaign"}'] == 1
    by_status = {
        name.partition('status_code="')[2][:3]: value
        for name, value in grown.items()
        if name.startswith("dripstream_http_requests_total") and "/webhook/signup/{campaign}" in name and value
    }
    assert by_status == {"202": 2, "400": 1, "404": 1}


async def counted(ingest: httpx.AsyncClient) -> dict[str, float]:
    lines = (await ingest.get("/metrics")).text.splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


async def test_browsers_of_our_website_may_post(ingest: httpx.AsyncClient) -> None:
    asked = {"origin": OURS, "access-control-request-method": "POST"}
    preflight = await ingest.options(ROUTE, headers=asked | {"access-control-request-headers": "content-type"})
    assert preflight.is_success
    assert preflight.headers["access-control-allow-origin"] == OURS
    assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
    for form in (FORM, {}):
        answer = await ingest.post(ROUTE, json=form, headers={"origin": OURS})
        assert answer.headers["access-control-allow-origin"] == OURS


async def test_browsers_of_other_websites_may_not(ingest: httpx.AsyncClient) -> None:
    headers = {"origin": "https://www.example.com.evil.example.com", "access-control-request-method": "POST"}
    preflight = await ingest.options(ROUTE, headers=headers)
    answer = await ingest.post(ROUTE, json=FORM, headers=headers)
    assert "access-control-allow-origin" not in {*preflight.headers, *answer.headers}


async def test_without_origins_there_are_no_cors_headers(broker: Broker) -> None:
    async with running(broker, configured(cors_origins=())) as client:
        answer = await client.post(ROUTE, json=FORM, headers={"origin": OURS})
    assert answer.status_code == 202
    assert not [name for name in answer.headers if name.startswith("access-control")]


REFUSALS = {"400", "401", "408", "413", "500", "503"}
ANSWERS = {
    "/webhook/christmas-signup": {"202", "404", *REFUSALS},
    "/webhook/christmas-campaign-signup": {"202", "404", *REFUSALS},
    "/webhook/signup/{campaign}": {"202", "404", *REFUSALS},
    "/webhook/trigger/{campaign}/{name}": {"202", "404", *REFUSALS},
    "/webhook/calcom": {"200", "202", *REFUSALS},
    "/webhook/calcom-booking": {"200", "202", *REFUSALS},
    "/webhook/resend": {"200", "202", *REFUSALS},
}
"""Every webhook, and what it may answer."""


async def described(ingest: httpx.AsyncClient) -> dict[str, Any]:
    api: dict[str, Any] = (await ingest.get("/schema/openapi.json")).json()
    return api


async def test_the_description_is_complete(ingest: httpx.AsyncClient) -> None:
    api = await described(ingest)
    assert api["openapi"].startswith("3.1")
    assert api["paths"].keys() == {"/health", "/ready", *ANSWERS}
    for path, statuses in ANSWERS.items():
        post = api["paths"][path]["post"]
        assert post["responses"].keys() == statuses
        assert all(
            response["content"].keys() == {"application/json" if status < "300" else "application/problem+json"}
            for status, response in post["responses"].items()
        )
        assert "Retry-After" in post["responses"]["503"]["headers"]
        assert post["requestBody"]["content"]["application/json"]["schema"]["description"]


async def test_the_answers_are_described(ingest: httpx.AsyncClient) -> None:
    api = await described(ingest)
    for path, names in {
        "/webhook/calcom": {"202": "BookingAccepted", "200": "BookingIgnored"},
        "/webhook/resend": {"202": "DeliveryAccepted", "200": "DeliveryIgnored"},
        "/webhook/trigger/{campaign}/{name}": {"202": "TriggerAccepted"},
        "/webhook/christmas-signup": {"202": "Accepted"},
    }.items():
        for status, name in names.items():
            schema = api["paths"][path]["post"]["responses"][status]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith(f"/{name}")


async def test_the_form_is_described_in_both_nestings(ingest: httpx.AsyncClient) -> None:
    api = await described(ingest)
    for route in ANSWERS:
        if "signup" in route:
            schema = api["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"]
            flat, nested = schema["anyOf"]
            assert flat["properties"].keys() == FORM.keys()
            assert flat["properties"]["assessment_score"]["maximum"] == 100
            assert nested["properties"]["assessment_data"]["required"] == ["assessment_score"]


async def test_the_examples_in_the_description_are_accepted(ingest: httpx.AsyncClient) -> None:
    api = await described(ingest)
    for route in ANSWERS:
        path = route.replace("{campaign}", CAMPAIGN).replace("{name}", TRIGGERS[0])
        examples = api["paths"][route]["post"]["requestBody"]["content"]["application/json"]["examples"]
        for name, example in examples.items():
            answer = await ingest.post(path, json=example["value"])
            assert answer.status_code == (200 if name == "ping" else 202), answer.text


async def test_the_page_needs_nothing_from_the_internet(ingest: httpx.AsyncClient) -> None:
    page = await ingest.get("/schema")
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 4
    for link in links:
        assert link.startswith("/schema/assets/")
        assert (await ingest.get(link)).status_code == 200
    assert '"openapi":"3.0.3"' in page.text  # this Swagger UI reads no newer one
    assert '"type":"null"' not in page.text


async def test_files_beside_the_assets_stay_private(ingest: httpx.AsyncClient) -> None:
    for path in ("../__init__.py", "..%2f__init__.py", "%2e%2e/%2e%2e/__init__.py", "//etc/passwd"):
        assert (await ingest.get(f"/schema/assets/{path}")).status_code == 404


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
forms = st.fixed_dictionaries(
    {}, optional=dict.fromkeys([*FORM, "assessment_data"], anything) | {"email": st.emails() | anything}
)
almost = st.dictionaries(st.sampled_from([*FORM, "assessment_data", "x"]), anything, max_size=2).map(
    lambda changes: FORM | changes
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=anything | forms | almost)
async def test_any_json_is_accepted_or_refused_and_never_breaks_us(ingest: httpx.AsyncClient, value: object) -> None:
    answer = await ingest.post(ROUTE, content=json.dumps(value))
    if answer.status_code != 202:
        problem(answer, 400)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
async def test_any_bytes_are_refused_and_never_break_us(ingest: httpx.AsyncClient, body: bytes) -> None:
    problem(await ingest.post(ROUTE, content=body), 400)
