"""An OTLP/HTTP receiver: a local server that decodes what an exporter sends over the wire.

`python -m tests.tracing.collector [PORT]` prints the spans that it receives.
"""

import gzip
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

TIMEOUT = 10
PORT = 4318


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link to a span of another trace."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, kw_only=True)
class ReceivedSpan:
    """A span as it arrived."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Mapping[str, Any]
    links: tuple[Link, ...]
    failed: bool
    seconds: float
    resource: Mapping[str, Any]


@dataclass
class Collector:
    """The state of a receiver: its spans, and its answers.

    Attributes:
        url: the base URL, for OTEL_EXPORTER_OTLP_ENDPOINT.
        status: the status of its answers.
        open: while it is not set, requests hang.
        body: the parts of the answers' body, if it is not the usual one.
        answer_headers: more headers of the answers.
        sent: the bytes of such a body that were sent.
        bodies: the raw bodies, for assertions about what they must not contain.
    """

    url: str = ""
    status: int = 200
    open: threading.Event = field(default_factory=threading.Event)
    body: Iterable[bytes] | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Decode a request. Raises `ValueError` if it is not one of OTLP."""
        if path != "/v1/traces" or headers["content-type"] != "application/x-protobuf":
            raise ValueError(path)
        raw = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        spans = list(_decode(ExportTraceServiceRequest.FromString(raw)))
        with self._changed:
            self.headers.append(dict(headers))
            self.bodies.append(raw)
            if self.status < 300:
                self.spans += spans
            self._changed.notify_all()

    def named(self, name: str) -> list[ReceivedSpan]:
        """Return the received spans with a name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReceivedSpan:
        """Return the only span with a name."""
        found = self.named(name)
        assert len(found) == 1, f"{name}: {len(found)} of {sorted(span.name for span in self.spans)}"
        return found[0]

    def wait_for_requests(self, count: int, *, timeout: float | None = TIMEOUT) -> None:
        """Wait until that many requests have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.bodies) >= count, timeout)


@contextmanager
def running_collector(port: int = 0) -> Iterator[Collector]:
    """Run a receiver on a port of this machine until the block ends, by default on a free one."""
    collector = Collector()
    collector.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.receive(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            collector.open.wait(TIMEOUT)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(collector.status)
            self.send_header("content-type", "application/x-protobuf")
            for name, value in collector.answer_headers.items():
                self.send_header(name, value)
            if collector.body is None:
                self.send_header("content-length", str(len(answer)))
            self.end_headers()
            if collector.body is None:
                self.wfile.write(answer)
                return
            with suppress(OSError):
                for part in collector.body:
                    self.wfile.write(part)
                    collector.sent += len(part)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.open.set()
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT)


def main(arguments: list[str]) -> None:
    """Print the spans of each request until the program is stopped."""
    with running_collector(int(arguments[0]) if arguments else PORT) as collector:
        sys.stdout.write(f"OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}\n")
        sys.stdout.flush()
        shown = requests = 0
        while True:
            collector.wait_for_requests(requests + 1, timeout=None)
            requests = len(collector.bodies)
            for span in collector.spans[shown:]:
                sys.stdout.write(f"{span.trace_id} {1000 * span.seconds:8.2f} ms  {span.name}\n")
                shown += 1
            sys.stdout.flush()


def _decode(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for group in request.resource_spans:
        resource = {pair.key: _value(pair.value) for pair in group.resource.attributes}
        for scope in group.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    name=span.name,
                    kind=WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes={pair.key: _value(pair.value) for pair in span.attributes},
                    links=tuple(Link(trace_id=link.trace_id.hex(), span_id=link.span_id.hex()) for link in span.links),
                    failed=span.status.code == Status.STATUS_CODE_ERROR,
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    resource=resource,
                )


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
