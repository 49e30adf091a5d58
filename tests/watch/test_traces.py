"""One trace from the click to the commit and to what the room hears, in a collector that anybody could run."""

from __future__ import annotations

import json
import secrets
import timeit
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from helpers.collector import Collector, Seen
from helpers.market import Cast, Served, seed, until
from livestall.app import pages
from livestall.app.demo.client import Door, Socket
from livestall.base import ids, log, trace

OFF_TIMES_MAX = 5
"""As long as this many calls of a function that does nothing."""


class Click:
    """What a browser mints when somebody clicks."""

    def __init__(self, *, sampled: bool = True) -> None:
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        self.traceparent = f"00-{self.trace_id}-{self.span_id}-0{int(sampled)}"


async def sold(collector: Collector, click: Click, first: str) -> dict[str, Seen]:
    """The spans of the click's trace by name, once the room has heard of the sale and all has come that must: each
    process sends its spans at its own moments, and the one that came first is sent last, for it ends last."""
    expected = {first, "orders batch", "postgresql commit", "room hears of it"}

    async def whole() -> list[Seen]:
        spans = collector.of(click.trace_id)
        return spans if expected <= {one.name for one in spans} else []

    return {one.name: one for one in await until(whole, what="the trace")}


def check_path(spans: dict[str, Seen], click: Click, first: str) -> None:
    """click → command → batch → commit, and the room hears of it."""
    command, batch = spans[first], spans["orders batch"]
    assert command.parent_id == click.span_id, "the command follows the click"
    assert batch.parent_id == command.span_id
    assert (command.trace_id, command.span_id) in batch.links, "the batch is linked with its claims"
    commit = spans["postgresql commit"]
    assert commit.parent_id == batch.span_id
    assert batch.begin <= commit.begin <= commit.end <= batch.end
    said = spans["room hears of it"]
    assert said.parent_id == batch.span_id
    assert said.service == "livestall-live"
    assert said.end >= commit.end
    statements = [one for one in spans.values() if "db.query.text" in one.attributes]
    assert any(one.parent_id in {batch.span_id, commit.span_id} for one in statements), "how long each statement took"


@pytest.fixture(scope="module")
def people() -> dict[str, Cast]:
    return {}


async def cast_of(door: Door, served: Served, people: dict[str, Cast]) -> Cast:
    if "cast" not in people:
        people["cast"] = await seed(door, served.first_run_token, products=1)
    return people["cast"].at(door)


async def test_a_click_is_followed_to_the_commit_and_to_the_room(
    watched: Served, collector: Collector, people: dict[str, Cast]
):
    async with Door(watched.base) as door:
        cast = await cast_of(door, watched, people)
        show = await cast.live_show(planned_at="2030-01-01T20:00:00Z")
        buyer = await cast.buyer("Someone Private")
        line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
        socket = await Socket(buyer, show["id"]).open()

        click = Click()
        await socket.ask({"type": "buy", "id": ids.new(), "lines": [line], "traceparent": click.traceparent})
        spans = await sold(collector, click, "socket command")
        assert spans["socket command"].service == "livestall-live"
        check_path(spans, click, "socket command")

        click = Click()
        buyer.headers["traceparent"] = click.traceparent
        await buyer.post("/api/orders", {"id": ids.new(), "show_id": show["id"], "lines": [line]})
        spans = await sold(collector, click, "POST /api/orders")
        assert spans["POST /api/orders"].service == "livestall-web"
        assert spans["POST /api/orders"].attributes["http.response.status_code"] == "201"
        check_path(spans, click, "POST /api/orders")
        await socket.close()
        told = json.dumps([one.attributes for one in collector.spans])
        assert "Private" not in told, "nobody's name is in a trace"
        assert "livestall_session" not in told
        assert buyer.headers["Cookie"].partition("=")[2] not in told


async def test_what_is_not_sampled_and_what_is_no_traceparent_leaves_no_trace(
    watched: Served, collector: Collector, people: dict[str, Cast]
):
    async with Door(watched.base) as door:
        cast = await cast_of(door, watched, people)
        buyer = await cast.buyer()
        seen = {one.trace_id for one in collector.spans}  # more of these may still be on its way
        unsampled = Click(sampled=False)
        for wrong in (unsampled.traceparent, "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 55, "é", "00-zz-zz-01"):
            buyer.headers["traceparent"] = wrong.encode("utf-8").decode("latin-1")
            await buyer.get("/api/me")
        click = Click()
        buyer.headers["traceparent"] = click.traceparent
        await buyer.get("/api/me")

        async def last() -> list[Seen]:
            return collector.of(click.trace_id)

        await until(last, what="the trace that is sampled")
        assert {one.trace_id for one in collector.spans} - seen == {click.trace_id}


def test_log_lines_carry_the_trace(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trace, "_tracer", TracerProvider().get_tracer("test"))
    monkeypatch.setattr(trace, "_traced", True)
    click = Click()
    add_trace = log._trace
    with trace.following(click.traceparent, "inside"):
        assert add_trace(None, "info", {"event": "x"})["trace_id"] == click.trace_id
    assert "trace_id" not in add_trace(None, "info", {"event": "x"})


def test_a_batch_of_several_traces_is_linked_with_each(monkeypatch: pytest.MonkeyPatch):
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(trace, "_traced", True)
    clicks = [Click() for _ in range(3)]
    with trace.batch("orders batch", [None, *(one.traceparent for one in clicks), "nonsense"]):
        assert (trace.here() or "").split("-")[1] == clicks[0].trace_id
    with trace.batch("orders batch", [None, None]):
        assert trace.here() is None
    (span,) = kept.get_finished_spans()
    assert [format(one.context.trace_id, "032x") for one in span.links] == [one.trace_id for one in clicks]


def test_the_page_says_what_share_of_clicks_is_followed_and_is_as_built_when_none_is(tmp_path: Path):
    built = b"<!doctype html><head><title>Market</title></head><body></body>"
    (tmp_path / "index.html").write_bytes(built)
    assert pages.load(tmp_path)["/index.html"].body == built
    followed = pages.load(tmp_path, 0.25)["/index.html"]
    assert b'<meta name="livestall-trace" content="0.25"></head>' in followed.body
    assert followed.etag != pages.load(tmp_path)["/index.html"].etag


def test_without_a_collector_nothing_is_traced_and_asking_costs_next_to_nothing():
    assert not trace.on()
    assert trace.share() == 0
    asking, nothing = (min(timeit.repeat(one, number=20_000, repeat=9)) for one in (trace.on, lambda: None))
    assert asking < OFF_TIMES_MAX * nothing
