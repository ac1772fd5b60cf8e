"""A real collector of OTLP over HTTP, as far as a test needs one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


class Collector:
    """Takes spans while `status` is 200, and refuses requests with any other."""

    def __init__(self) -> None:
        self.status = 200
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.resources: list[ResourceSpans] = []
        self.url = ""

    @property
    def spans(self) -> list[Span]:
        return [span for resource in self.resources for scope in resource.scope_spans for span in scope.spans]

    @property
    def batches(self) -> list[Span]:
        return [span for span in self.spans if not span.parent_span_id]

    def take(self, path: str, body: bytes) -> int:
        self.paths.append(path)
        self.bodies.append(body)
        if self.status == 200:
            self.resources += ExportTraceServiceRequest.FromString(body).resource_spans
        return self.status


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of a span as plain values."""
    return {
        each.key: [value.string_value for value in each.value.array_value.values]
        if each.value.HasField("array_value")
        else getattr(each.value, each.value.WhichOneof("value") or "")
        for each in span.attributes
    }


@contextmanager
def collector() -> Iterator[Collector]:
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.take(self.path, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
