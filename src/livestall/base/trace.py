"""Traces from the click to the commit, by OpenTelemetry; nothing at all when no collector is named.

The standard variables say where to: `OTEL_EXPORTER_OTLP_ENDPOINT` (OTLP over HTTP), `OTEL_TRACES_SAMPLER` and
`OTEL_TRACES_SAMPLER_ARG`; without a sampler one request in a hundred is traced, and every one that comes traced. On the
path of a sale code asks `trace.on()` first: when that is False no other line of this module runs. Attributes are words
and numbers of ours, statements without their values; never what a person typed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace as api
from opentelemetry.trace import Link, Span, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SHARE = 0.01
LINKS_MAX = 100
PARENTS_MAX = 20
STATEMENT_LETTERS_MAX = 300
TRACEPARENT_LETTERS = 55
Attributes = Mapping[str, str | int | float | bool]

_traced = False
_tracer: api.Tracer = api.NoOpTracer()
_propagator = TraceContextTextMapPropagator()


def on() -> bool:
    """Whether anything is traced in this process."""
    return _traced


def share() -> float:
    """The share of requests without a trace of their own that are traced, 0 to 1; 0 when nothing is."""
    try:
        return min(1.0, max(0.0, float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", SHARE)))) if _traced else 0.0
    except ValueError:
        return SHARE


def set_up(process: str) -> None:
    """Send traces of this process, named in each, if the standard variables say where to."""
    global _traced, _tracer  # noqa: PLW0603 - one switch for the process, thrown once at start
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED") == "true":
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource.create({"service.name": f"livestall-{process}", "service.namespace": "livestall"})
    _traced = True
    given = bool(os.environ.get("OTEL_TRACES_SAMPLER"))
    sampler = None if given else ParentBased(TraceIdRatioBased(share()))
    provider = TracerProvider(resource=resource, sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("livestall")


def _context(parent: str | None) -> contexts.Context:
    """The context that a W3C traceparent stands for; an empty one for None and for what is none."""
    if parent is None or len(parent) != TRACEPARENT_LETTERS:
        return contexts.Context()
    return _propagator.extract({"traceparent": parent}, contexts.Context())


@contextmanager
def span(name: str, attributes: Attributes | None = None, *, kind: str = "internal") -> Generator[Span]:
    """A span inside the one that is open here."""
    with _tracer.start_as_current_span(name, attributes=attributes, kind=_kind(kind)) as opened:
        yield opened


@contextmanager
def following(
    parent: str | None, name: str, attributes: Attributes | None = None, *, kind: str = "server"
) -> Generator[Span]:
    """A span that follows `parent`, a traceparent from elsewhere; whatever is open here is left aside."""
    with _entered(_context(parent)), span(name, attributes, kind=kind) as opened:
        yield opened


@contextmanager
def batch(name: str, parents: Iterable[str | None], attributes: Attributes | None = None) -> Generator[None]:
    """One span for several traces that are worked on together: inside the first, linked with all. None of them
    traced: no span, and nothing inside is traced either."""
    traced = [one for one in dict.fromkeys(parents) if one is not None][:LINKS_MAX]
    with _entered(_context(traced[0] if traced else None)):
        if not traced:
            yield
            return
        links = [Link(found) for one in traced if (found := _span_context(one)).is_valid]
        with _tracer.start_as_current_span(name, attributes=attributes, links=links):
            yield


def said(name: str, parents: Iterable[str | None], begin: float, attributes: Attributes | None = None) -> None:
    """Something that began at `begin` (time.time()) has just been done for these traces: a span in each, at most 20."""
    for parent in [one for one in dict.fromkeys(parents) if one is not None][:PARENTS_MAX]:
        opened = _tracer.start_span(
            name, _context(parent), api.SpanKind.PRODUCER, attributes, start_time=int(begin * 1e9)
        )
        opened.end(int(time.time() * 1e9))


def here() -> str | None:
    """The traceparent of the span that is open here; None when it is not traced."""
    if not api.get_current_span().is_recording():
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def trace_id() -> str | None:
    """The trace that is open here, as it is written in log lines."""
    found = api.get_current_span().get_span_context()
    return format(found.trace_id, "032x") if found.is_valid else None


def _kind(name: str) -> api.SpanKind:
    return api.SpanKind[name.upper()]


def _span_context(parent: str) -> SpanContext:
    return api.get_current_span(_context(parent)).get_span_context()


@contextmanager
def _entered(context: contexts.Context) -> Generator[None]:
    token = contexts.attach(context)
    try:
        yield
    finally:
        contexts.detach(token)


class Watched:
    """A database connection whose statements are spans of the trace that is open, if one is."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        return _timed(name, method) if name in _STATEMENTS and api.get_current_span().is_recording() else method


_STATEMENTS = {"fetch", "fetchrow", "fetchval", "execute", "executemany", "copy_records_to_table"}


def _timed(name: str, method: Any) -> Any:
    async def run(*args: Any, **named: Any) -> Any:
        first = str(args[0]) if args else ""
        statement = f"copy {first}" if name == "copy_records_to_table" else " ".join(first.split())
        attributes = {"db.system.name": "postgresql", "db.query.text": statement[:STATEMENT_LETTERS_MAX]}
        with span(f"postgresql {statement.partition(' ')[0]}", attributes, kind="client"):
            return await method(*args, **named)

    return run
