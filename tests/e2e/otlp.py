"""A collector of traces for one test: takes OTLP over HTTP and keeps the spans, as any backend would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """`about`: its attributes and links as text, to search for what must not be there."""

    service: str
    name: str
    trace_id: str
    id: str
    parent: str
    about: str

    @property
    def label(self) -> str:
        return f"{self.service.removeprefix('dripstream-')}:{self.name}"


@dataclass
class Collector:
    """What came in so far."""

    port: int
    spans: list[Span] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a service is told; spans are sent often, so that a test need not wait for them."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    def steps(self, trace_id: str) -> set[tuple[str, str]]:
        """Of a trace, what follows from what, each as `service:name`; from what is not known, `""`."""
        mine = {span.id: span for span in self.spans if span.trace_id == trace_id}
        return {(mine[span.parent].label if span.parent in mine else "", span.label) for span in mine.values()}


@contextmanager
def collector() -> Iterator[Collector]:
    made = Collector(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.spans.extend(_spans(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
            """Nothing: requests are no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def _spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        named = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                yield Span(named["service.name"], span.name, *ids, f"{span.attributes} {span.events} {span.status}")
