"""What operators see of a whole journey: one line a delivery, a page of metrics, and nobody's address in either."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from contracts import subjects
from eventlog.connection import Broker
from eventlog.direct import DirectReader, StoredMessage
from eventlog.trace import TRACEPARENT, parse
from services.settings import ROOT
from tests.e2e.people import MARIA, PEOPLE, TOM
from tests.e2e.site import Site, has_handled_all, is_at_rest
from tests.waiting import eventually

MONITORING = ROOT / "deploy" / "monitoring"
GUIDE = ROOT / "docs" / "monitoring.md"
Line = dict[str, Any]


@dataclass(frozen=True)
class Journey:
    log: str
    page: str
    facts: list[StoredMessage]

    @property
    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def said(self, event: str, service: str) -> list[Line]:
        return [line for line in self.lines if (line["event"], line.get("service")) == (event, service)]


@pytest.fixture(scope="module")
async def journey(up: Site, broker_of_up: Broker) -> Journey:
    """Two people have got all their emails; a third form was refused; another came twice."""
    await up.sign_up(MARIA)
    await up.sign_up(TOM)
    await up.sign_up(TOM)
    refused = await up.webhooks.post("/webhook/christmas-signup", json={"email": "not an address", "first_name": "Eve"})
    assert refused.status_code == 400
    await up.has_finished(MARIA, TOM)
    await eventually(lambda: is_at_rest(broker_of_up))
    await eventually(lambda: has_handled_all(broker_of_up))
    page = (await up.webhooks.get("/metrics")).text
    facts = [
        each async for some in DirectReader(broker_of_up).pages(subjects.EVENTS, subjects.ALL_FACTS) for each in some
    ]
    return Journey(up.machine.programs[0].err, page, facts)


async def test_every_fact_is_one_line_of_each_service_that_reads_it(journey: Journey) -> None:
    stored = sorted((subjects.about(fact.subject), _trace_id(fact)) for fact in journey.facts)
    assert len(stored) == 16
    for service in ("scheduler", "notion_sync"):
        lines = journey.said("done", service)
        assert sorted(((line["contact"], line["event_id"]), line["trace_id"]) for line in lines) == stored


async def test_every_wake_up_is_one_line_of_the_sender(journey: Journey) -> None:
    lines = journey.said("done", "sender")
    assert sorted(line["event_id"] for line in lines) == sorted(
        person.email_id(f"email-{number}") for person in (MARIA, TOM) for number in range(1, 8)
    )


async def test_every_webhook_is_one_line_with_what_came_of_it(journey: Journey) -> None:
    lines = [line for line in journey.lines if "route" in line]
    assert [(line["event"], line["status"], line.get("result"), line.get("contact")) for line in lines] == [
        ("signup", 202, "stored", MARIA.contact),
        ("signup", 202, "stored", TOM.contact),
        ("signup", 202, "duplicate", TOM.contact),
        ("refused", 400, None, None),
    ]
    assert {line["service"] for line in lines} == {"ingest"}
    assert all(re.fullmatch("[0-9a-f]{32}", line["trace_id"]) for line in lines)


async def test_one_trace_goes_from_the_webhook_to_the_last_email_and_to_notion(journey: Journey) -> None:
    (maria, *_) = (line for line in journey.lines if "route" in line)
    of_maria = [line for line in journey.lines if line.get("contact") == MARIA.contact]
    assert {line["trace_id"] for line in of_maria} == {maria["trace_id"]}
    assert {line["service"] for line in of_maria} == {"ingest", "scheduler", "sender", "notion_sync"}
    assert len([line for line in of_maria if line["service"] == "sender"]) == 7


async def test_every_line_says_which_service_it_is_from(journey: Journey) -> None:
    services = {"up", "ingest", "scheduler", "sender", "notion_sync"}
    assert [line for line in journey.lines if line.get("service") not in services] == []


async def test_nobodys_address_name_subject_or_secret_is_in_the_log(journey: Journey, up: Site) -> None:
    private = {"not an address", "Eve", "re_sandbox", "ntn_sandbox", "@example.com"}
    for person in (MARIA, TOM):
        private |= {person.email, person.first_name, person.business_name or person.email}
        private |= {mail.subject for mail in await up.mails(person)}
    assert [each for each in sorted(private) if each in journey.log] == []
    assert MARIA.contact in journey.log


async def test_nobodys_id_is_in_the_metrics(journey: Journey) -> None:
    for person in PEOPLE:
        assert person.contact not in journey.page
        assert person.email not in journey.page


async def test_the_metrics_tell_the_journey(journey: Journey) -> None:
    assert values(journey.page) >= {
        ('dripstream_facts_total{result="stored",type="signup_received"}', 2.0),
        ('dripstream_facts_total{result="duplicate",type="signup_received"}', 1.0),
        ('dripstream_emails_total{outcome="sent",reason=""}', 14.0),
        ('dripstream_provider_answers_total{answer="accepted"}', 14.0),
        ('dripstream_send_lateness_seconds_count{campaign="christmas-2025"}', 14.0),
        ('dripstream_deliveries_total{outcome="done",reason="sent",service="sender"}', 14.0),
        ('dripstream_deliveries_total{outcome="done",reason="in_line",service="scheduler"}', 16.0),
        ('dripstream_deliveries_total{outcome="done",reason="notion",service="notion_sync"}', 16.0),
        ('dripstream_refused_total{reason="invalid"}', 1.0),
        ('dripstream_nats_connected{service="up"}', 1.0),
        ('dripstream_nats_reconnects_total{service="up"}', 0.0),
        ('dripstream_consumer_paused{consumer="sender"}', 0.0),
        ("dripstream_oldest_overdue_seconds", 0.0),
        ("dripstream_parked_messages", 0.0),
        ("dripstream_resend_calls_per_second_limit", 100.0),
        ("dripstream_notion_calls_per_second_limit", 100.0),
    }


def values(page: str) -> set[tuple[str, float]]:
    pairs = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {(name, float(value)) for name, _, value in pairs}


def _trace_id(message: StoredMessage) -> str:
    found = parse(message.headers.get(TRACEPARENT))
    assert found
    return found.trace_id


def exposed(page: str) -> set[str]:
    """Names as they are queried: those of counters with `_total`."""
    return {name for name in re.findall(r"^# TYPE (\S+)", page, re.MULTILINE) if name.startswith("dripstream_")}


SERIES = re.compile(r"\bdripstream_[a-z_]+")


def family(name: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", name)


@cache
def alerts() -> dict[str, str]:
    """The expression of each, by name."""
    blocks = (MONITORING / "alerts.yml").read_text().split("- alert: ")[1:]
    return {block.split()[0]: block.split("expr: >-")[1].split("for:")[0] for block in blocks}


def expressions() -> Iterator[str]:
    yield from alerts().values()
    board = json.loads((MONITORING / "grafana" / "dashboards" / "dripstream.json").read_text())
    yield from (target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))


async def test_alerts_and_dashboard_ask_for_nothing_that_is_not_there(journey: Journey) -> None:
    asked = {family(name) for expression in expressions() for name in SERIES.findall(expression)}
    assert len(asked) > 15
    assert asked - exposed(journey.page) == set()


GIVEN_BY_PROMETHEUS = {"job", "instance", "le"}
CHOSEN = re.compile(r"\b(dripstream_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)(=~|=)"([^"]*)"')
NOT_SEEN = {"5.."}
"""What alerts wait for, and a journey that goes well does not show."""


async def test_alerts_and_dashboard_choose_by_labels_and_values_that_are_there(journey: Journey) -> None:
    wrong = []
    for name, chosen in (found for each in expressions() for found in CHOSEN.findall(each)):
        for label, how, value in MATCHER.findall(chosen):
            seen = set(re.findall(rf'^{name}\{{.*?\b{label}="([^"]*)"', journey.page, re.MULTILINE))
            fits = any(re.fullmatch(value, each) if how == "=~" else each == value for each in seen)
            if label not in GIVEN_BY_PROMETHEUS and value not in NOT_SEEN and not fits:
                wrong.append((name, label, value))
    assert wrong == []


async def test_alerts_and_dashboard_group_by_labels_that_are_there(journey: Journey) -> None:
    shown = set(re.findall(r'[{,]([a-z_]+)="', journey.page)) | GIVEN_BY_PROMETHEUS | UNTOLD
    grouped = {label.strip() for each in expressions() for found in BY.findall(each) for label in found.split(",")}
    assert len(grouped) > 5
    assert grouped - shown == set()


UNTOLD = {"event", "period"}
"""Of webhooks that are left alone, and of quotas: the sandbox has none."""

BY = re.compile(r"\bby \(([^)]*)\)")
JOBS = re.compile(r'\bjob=~?"([^"]*)"')


def test_alerts_and_dashboard_ask_for_jobs_that_prometheus_has() -> None:
    has = set(re.findall(r"job_name: (\S+)", (MONITORING / "prometheus.yml").read_text()))
    asked = {job for each in expressions() for found in JOBS.findall(each) for job in found.split("|")}
    assert {"ingest", "scheduler", "sender", "notion-sync"} <= asked <= has


async def test_the_guide_names_every_metric_and_no_other(journey: Journey) -> None:
    named = set(re.findall(r"^\| `(dripstream_[a-z_]+)", GUIDE.read_text(), re.MULTILINE))
    assert named == exposed(journey.page)


def test_the_guide_says_of_every_alert_what_to_do_and_of_no_other() -> None:
    sections = re.findall(r"^### (\w+)$", GUIDE.read_text(), re.MULTILINE)
    assert sections == list(alerts())
    for name in sections:
        assert f"runbook_url: docs/monitoring.md#{name.lower()}\n" in (MONITORING / "alerts.yml").read_text()
