"""A collector of traces for tests: takes OTLP over HTTP, as protobuf, and keeps every span."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Seen(msgspec.Struct, frozen=True):
    """A span as it came in. Ids are in hex, times in seconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    begin: float
    end: float
    attributes: dict[str, str]
    links: list[tuple[str, str]]


class Collector:
    """Listens at `url` until closed; `spans` are all that came, in order."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                outer._take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, request: Any) -> None:
        for resource in request.resource_spans:
            service = _attributes(resource.resource.attributes).get("service.name", "")
            for scope in resource.scope_spans:
                for one in scope.spans:
                    self.spans.append(
                        Seen(
                            one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), one.name, service,
                            one.start_time_unix_nano / 1e9, one.end_time_unix_nano / 1e9, _attributes(one.attributes),
                            [(link.trace_id.hex(), link.span_id.hex()) for link in one.links],
                        )
                    )  # fmt: skip

    def of(self, trace_id: str) -> list[Seen]:
        return [one for one in self.spans if one.trace_id == trace_id]


def _attributes(pairs: Any) -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in pairs}
