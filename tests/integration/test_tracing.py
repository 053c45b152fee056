"""One trace from the webhook to Notion, through a real broker that fires the timer, as OpenTelemetry records it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from cli.runtime import running
from eventlog.server import free_port
from eventlog.trace import recording
from services import tracing
from services.settings import Settings
from services.tracing import recorded, spans
from tests.unit.ingest.forms import FORM
from tests.waiting import eventually

THEIRS, THEIR_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{THEIRS}-{THEIR_SPAN}-01"}
STORED = ("webhook", "append signup_received")
DUE = (*STORED, "handle scheduler", "handle sender")
EXPECTED = {
    STORED[:1],
    STORED,
    (*STORED, "handle scheduler"),
    DUE,
    (*DUE, "resend"),
    (*DUE, "append email_sent"),
}
"""From the webhook down: a handler is below what stored its message, and the sender below whoever armed the timer."""

SHOWN = ("handle notion_sync", "notion create Email Sequence")
"""Below the signup, or below the email that was sent meanwhile: of what is handled together the newest counts."""


@pytest.fixture
async def recorded_spans(tmp_path: Path) -> AsyncIterator[tuple[InMemorySpanExporter, str]]:
    """What a whole `dripstream up` in this process recorded, and where it takes webhooks."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = Settings.load(
        data_dir=tmp_path,
        port=free_port(),
        sandbox_port=0,
        testing_mode=True,
        host="127.0.0.1",
        resend_rate_limit=100,
        notion_rate_limit=20,
    )
    stop = asyncio.Event()
    with recording(spans(provider)):
        async with running(settings, stop):
            yield exporter, f"http://127.0.0.1:{settings.port}"
            stop.set()


async def test_one_trace_goes_from_the_webhook_to_notion(
    recorded_spans: tuple[InMemorySpanExporter, str],
) -> None:
    exporter, url = recorded_spans

    async def complete() -> bool:
        found = {span.context.span_id: span for span in exporter.get_finished_spans() if trace_of(span) == THEIRS}
        lines = {line(span, found) for span in found.values()}
        return lines >= EXPECTED and any(each[-2:] == SHOWN and each[:2] == STORED for each in lines)

    async with httpx.AsyncClient(base_url=url) as client:
        await eventually(lambda: answers(client))
        answer = await client.post("/webhook/christmas-signup", json=FORM, headers=TRACEPARENT)
    assert answer.status_code == 202
    await eventually(complete, timeout=30)


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


def trace_of(span: ReadableSpan) -> str:
    assert span.context
    return f"{span.context.trace_id:032x}"


def line(span: ReadableSpan, known: dict[int, ReadableSpan]) -> tuple[str, ...]:
    """From the webhook down to this one."""
    about = "".join(f" {value!s}" for name, value in (span.attributes or {}).items() if name != "route")
    above = known.get(span.parent.span_id) if span.parent else None
    return (*(line(above, known) if above else ()), span.name + about)


def test_nothing_of_opentelemetry_is_imported_without_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tracing, "_provider", lambda _: pytest.fail("made a provider"))
    with recorded("ingest"):
        pass


def test_a_missing_extra_is_said_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracing.ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with capture_logs() as said, recorded("ingest"):
        pass
    assert [each["event"] for each in said] == ["traces_not_sent"]
