"""What operators see of services in processes of their own: logs without people, each its page, and one trace."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.ids import contact_id
from eventlog.server import NatsServer, free_port
from tests import calcom, deliveries
from tests.e2e.conftest import FASTER
from tests.e2e.otlp import Collector, collector
from tests.e2e.people import MARIA, Person
from tests.e2e.processes import Machine, machine
from tests.e2e.site import SIGNUP, Site, broker_of, has_handled_all, is_at_rest, site
from tests.factories import CAMPAIGN
from tests.waiting import eventually

SERVICES = ("ingest", "scheduler", "sender", "notion-sync")
THEIRS, THEIR_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{THEIRS}-{THEIR_SPAN}-01"}

NORA = Person(
    "quillfeather@example.com",
    "Quillfeather",
    "CRITICAL",
    MARIA.scores,
    business_name="Brambleworth",
    more={"weakest_system_1": "Zanzibar plumbing", "phone": "+44 7700 900123", "notes": "Marmalade on toast"},
)
NO_FORM = {"email": "Wrenfield has no address", "first_name": "Tansy\u2028Oakhollow", "assessment_score": "Sorrel"}
MARKS = (
    "quillfeather", "brambleworth", "zanzibar", "44 7700", "marmalade", "thistledown", "periwinkle", "juniper",
    "foxglove", "wrenfield", "oakhollow", "sorrel", "larkspur", "@example", "example.com/", "s3cret", "re_sandbox",
    "ntn_sandbox",
)  # fmt: skip
"""Each stands somewhere in what strangers sent, or is a secret."""

STEPS = {
    ("", "ingest:webhook"),
    ("ingest:webhook", "ingest:append"),
    ("ingest:append", "scheduler:handle"),
    ("scheduler:handle", "sender:handle"),
    ("sender:handle", "sender:resend"),
    ("sender:handle", "sender:append"),
    ("sender:append", "scheduler:handle"),
    ("sender:append", "notion-sync:handle"),
    ("notion-sync:handle", "notion-sync:notion create"),
}
"""What is handled is below what stored or armed it, in whichever process; nothing but the webhook begins by itself."""

MAY_BE = {
    ("ingest:append", "notion-sync:handle"),  # not if it was handled together with something newer
    ("notion-sync:handle", "notion-sync:notion update"),
}


@dataclass(frozen=True)
class Watched:
    """A journey that is over, and all that can be seen of it."""

    site: Site
    pages: dict[str, str]
    traces: Collector

    @property
    def machine(self) -> Machine:
        return self.site.machine

    @property
    def logs(self) -> str:
        return "".join(program.err + program.out for program in self.machine.programs if program.args[0] in SERVICES)


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    async with NatsServer(folder / "nats") as nats:
        with collector() as traces, machine(folder, **FASTER, NATS_URL=nats.url, **traces.environment) as here:
            assert (await here.run("init")).code == 0
            ports = {name: here.port if name == "ingest" else free_port() for name in SERVICES}
            here.start("sandbox")
            for name, port in ports.items():
                here.start(name, **({} if name == "ingest" else {"DRIPSTREAM_HEALTH_PORT": str(port)}))
            async with site(here) as outside:
                await outside.ready()
                await outside.lift_limits()
                await _whole_journey(outside)
                yield Watched(outside, {name: await _page(port) for name, port in ports.items()}, traces)


async def _whole_journey(outside: Site) -> None:
    """A signup, a booking, its end, a bounce, and what is refused."""
    answer = await outside.webhooks.post(SIGNUP, json=NORA.form(), headers=TRACEPARENT)
    assert answer.status_code == 202
    for path, body, status in _webhooks():
        answer = await outside.webhooks.post(path, json=body)
        assert answer.status_code == status, (path, answer.text)
    async with broker_of(outside.machine) as broker:
        await eventually(lambda: is_at_rest(broker), timeout=60)
        await eventually(lambda: has_handled_all(broker))


def _webhooks() -> list[tuple[str, dict[str, Any], int]]:
    now = datetime.now(UTC)
    start = now + timedelta(days=400)
    about: dict[str, Any] = {
        "attendees": [calcom.attendee("thistledown@example.com", "Periwinkle Foxglove")],
        "responses": calcom.answers("thistledown@example.com", "Periwinkle Foxglove"),
        "additionalNotes": "Juniper",
    }
    cancelled = calcom.cancelled("u1", start, now, by="thistledown@example.com", cancellationReason="Larkspur", **about)
    bounced = deliveries.bounced(to=["thistledown@example.com"], tags=None, bounce={"message": "Larkspur", "type": "x"})
    paid = {"email": "thistledown@example.com", "first_name": "Periwinkle", "id": "Juniper 1", "card": "Larkspur"}
    return [
        ("/webhook/calcom", calcom.created("u1", start, now, **about), 202),
        ("/webhook/calcom", cancelled, 202),
        ("/webhook/calcom", calcom.created("u2", start, now, attendees=[{"name": "Foxglove"}], responses={}), 400),
        ("/webhook/resend", bounced, 202),
        (f"/webhook/trigger/{CAMPAIGN}/paid", paid, 202),
        (f"/webhook/trigger/{CAMPAIGN}/larkspur", paid, 404),
        (SIGNUP, NO_FORM, 400),
        ("/webhook/signup/larkspur", NORA.form(), 404),
        ("/webhook/larkspur@example.com?email=larkspur@example.com", NORA.form(), 404),
    ]


async def _page(port: int) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status().text


async def test_nothing_of_a_person_is_in_any_log_but_the_contacts_id(watched: Watched) -> None:
    said = watched.logs.lower()
    assert {mark: said[max(0, said.find(mark) - 200) :][:300] for mark in MARKS if mark in said} == {}
    assert said.count(NORA.contact) > 20
    assert contact_id("thistledown@example.com") in said


async def test_nothing_of_a_person_is_in_any_page_of_metrics_or_trace(watched: Watched) -> None:
    shown = " ".join([*watched.pages.values(), *(span.about for span in watched.traces.spans)]).lower()
    assert [mark for mark in (*MARKS, NORA.contact) if mark in shown] == []


async def test_one_trace_goes_through_every_process(watched: Watched) -> None:
    async def complete() -> bool:
        return watched.traces.steps(THEIRS) - MAY_BE == STEPS

    await eventually(complete)
    (first,) = [span for span in watched.traces.spans if span.trace_id == THEIRS and span.name == "webhook"]
    assert first.parent == THEIR_SPAN
    assert len([span for span in watched.traces.spans if span.trace_id == THEIRS and span.name == "resend"]) == 7


async def test_who_talks_to_a_provider_names_it_and_nobody_else_does(watched: Watched) -> None:
    """A service that is given no key says nothing of keys that are missing."""
    lines = [json.loads(line) for line in watched.logs.splitlines() if line.startswith("{")]
    named = {(line["service"], line["name"]) for line in lines if line["event"] == "backend" and line["name"] != "NATS"}
    assert named == {("sender", "Resend"), ("notion_sync", "Notion")}


async def test_lines_of_every_process_name_that_trace(watched: Watched) -> None:
    lines = [json.loads(line) for line in watched.logs.splitlines() if line.startswith("{")]
    of_nora = [line for line in lines if line.get("contact") == NORA.contact]
    assert {line["service"] for line in of_nora} == {"ingest", "scheduler", "sender", "notion_sync"}
    assert {line["trace_id"] for line in of_nora} == {THEIRS}


@pytest.mark.parametrize(
    ("service", "series", "value"),
    [
        ("ingest", r'dripstream_http_requests_total\{.*path="/webhook/christmas-signup".*status_code="202"\}', 1),
        ("ingest", r'dripstream_http_requests_total\{.*path="/webhook/christmas-signup".*status_code="400"\}', 1),
        ("ingest", r'dripstream_http_request_duration_seconds_count\{.*"/webhook/calcom",status_code="202"\}', 2),
        ("ingest", r'dripstream_facts_total\{result="stored",type="signup_received"\}', 1),
        ("ingest", r'dripstream_facts_total\{result="stored",type="booking_cancelled"\}', 1),
        ("sender", r'dripstream_facts_total\{result="stored",type="email_sent"\}', 7),
        ("sender", r'dripstream_emails_total\{outcome="sent",reason=""\}', 7),
        ("sender", r'dripstream_emails_total\{outcome="failed",reason="validation_error"\}', 0),
        ("sender", r'dripstream_emails_total\{outcome="unknown",reason="in_doubt"\}', 0),
        ("sender", r'dripstream_send_lateness_seconds_count\{campaign="christmas-2025"\}', 7),
        ("sender", r'dripstream_provider_answers_total\{answer="accepted"\}', 7),
        ("sender", "dripstream_resend_calls_per_second_limit", 100),
        ("notion-sync", r'dripstream_notion_calls_total\{result="closed"\}', 0),
        ("notion-sync", r'dripstream_notion_calls_total\{result="wrong"\}', 0),
        ("notion-sync", "dripstream_notion_calls_per_second_limit", 100),
        ("notion-sync", r'dripstream_deliveries_total\{outcome="done",reason="notion",service="notion_sync"\}', None),
        ("scheduler", r'dripstream_pending_emails\{campaign="christmas-2025",sequence="nurture",step="email-7"\}', 0),
        ("scheduler", r'dripstream_consumer_pending\{consumer="notion_sync"\}', 0),
        ("scheduler", r'dripstream_consumer_ack_pending\{consumer="sender"\}', 0),
        ("scheduler", r'dripstream_consumer_oldest_seconds\{consumer="scheduler"\}', 0),
        ("scheduler", "dripstream_parked_messages", 0),
        ("scheduler", "dripstream_oldest_overdue_seconds", 0),
        *((name, rf'dripstream_nats_connected\{{service="{name.replace("-", "[-_]")}"\}}', 1) for name in SERVICES),
    ],
)
async def test_each_service_tells_its_part(watched: Watched, service: str, series: str, value: float | None) -> None:
    found = re.findall(rf"^{series} (\S+)$", watched.pages[service], re.MULTILINE)
    assert len(found) == 1
    assert float(found[0]) == value if value is not None else float(found[0]) > 0


BASE = ("_seconds", "_bytes", "_total", "_info", "_messages", "_emails")
"""How a name may end that says what is counted; the others are listed below with their reason."""

BESIDE = {
    "dripstream_http_requests_in_progress": "of the web framework",
    "dripstream_resend_calls_left": "calls in the second that runs",
    "dripstream_resend_calls_per_second_limit": "a rate",
    "dripstream_notion_calls_per_second_limit": "a rate",
    "dripstream_resend_quota_used": "emails of a quota",
    "dripstream_consumer_pending": "as NATS calls it",
    "dripstream_consumer_ack_pending": "as NATS calls it",
    "dripstream_consumer_paused": "yes or no",
    "dripstream_nats_connected": "yes or no",
}


async def test_names_follow_the_conventions_of_prometheus(watched: Watched) -> None:
    for page in watched.pages.values():
        kinds = dict(re.findall(r"^# TYPE (dripstream_\S+) (\S+)$", page, re.MULTILINE))
        helps = dict(re.findall(r"^# HELP (dripstream_\S+) (.+)$", page, re.MULTILINE))
        assert kinds.keys() == helps.keys()
        assert {name for name, kind in kinds.items() if (kind == "counter") != name.endswith("_total")} == set()
        assert {name for name in kinds if not name.endswith(BASE)} <= BESIDE.keys()
        assert {name for name in kinds if not re.fullmatch("[a-z_]+", name)} == set()


async def test_no_series_is_there_for_each_person_or_request(watched: Watched) -> None:
    """Some hundred on a page; of one name at most a few dozen beside the buckets of a histogram."""
    for page in watched.pages.values():
        names = [
            line.partition("{")[0].partition(" ")[0] for line in page.splitlines() if line.startswith("dripstream")
        ]
        assert max(names.count(name) for name in set(names) if not name.endswith("_bucket")) < 60
        paths = set(re.findall(r'path="([^"]*)"', page))
        assert not any("larkspur" in path or CAMPAIGN in path for path in paths)
