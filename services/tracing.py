"""Traces by OpenTelemetry: an extra (`pip install dripstream[otel]`), at work where an endpoint is set.

Which trace something belongs to travels with every message in any case (eventlog/trace.py); this keeps the spans and
sends them. Without the setting nothing of OpenTelemetry is imported.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from eventlog.trace import Kind, Recorder, Trace, recording

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = structlog.get_logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own names, as are all of its OTEL_ variables: sampling, headers, timeouts."""


@contextlib.contextmanager
def recorded(service: str) -> Iterator[None]:
    """Send the spans of this process during the block, if it is set where to.

    Emails do not wait for this: without the extra it is said in the log, and nothing is sent.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield
        return
    try:
        provider = _provider(service)
    except ImportError:
        log.error("traces_not_sent", hint="pip install 'dripstream[otel]', or unset OTEL_EXPORTER_OTLP_ENDPOINT")  # noqa: TRY400
        yield
        return
    try:
        with recording(spans(provider)):
            yield
    finally:
        provider.shutdown()  # what waits is sent first


def _provider(service: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"dripstream-{service}"}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def spans(provider: "TracerProvider") -> Recorder:
    """A recorder that keeps its spans there."""
    from opentelemetry import trace as otel
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

    kinds: dict[Kind, SpanKind] = {
        "server": SpanKind.SERVER,
        "producer": SpanKind.PRODUCER,
        "consumer": SpanKind.CONSUMER,
        "client": SpanKind.CLIENT,
    }
    tracer = provider.get_tracer("dripstream")

    def place(trace: Trace) -> SpanContext:
        return SpanContext(int(trace.trace_id, 16), int(trace.span_id, 16), True, TraceFlags(trace.flags))

    class Spans:
        @contextlib.contextmanager
        def span(
            self,
            name: str,
            kind: Kind,
            parent: Trace | None,
            links: Sequence[Trace],
            attributes: Mapping[str, str | int],
        ) -> Iterator[Trace]:
            context = otel.set_span_in_context(otel.NonRecordingSpan(place(parent))) if parent else None
            began = tracer.start_as_current_span(
                name,
                context,
                kinds[kind],
                dict(attributes),
                [Link(place(each)) for each in links],
                record_exception=False,  # what exceptions say may quote a person
                set_status_on_exception=False,
            )
            with began as span:
                found = span.get_span_context()
                yield Trace(f"{found.trace_id:032x}", f"{found.span_id:016x}", int(found.trace_flags))

    return Spans()
