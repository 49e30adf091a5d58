"""What every process says about itself: numbers, health, readiness, the dashboard and the alerts made from them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import statistics
import time
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from helpers.market import Cast, Served, seed, until
from helpers.processes import children_of
from helpers.repository import ROOT
from livestall.app import exported, traffic, worker
from livestall.app.demo.client import Door, Socket
from livestall.app.watch import Watch
from livestall.base import ids, metrics
from livestall.base.db import Database
from watch.conftest import address

PROCESSES = [("web", 0), ("web", 1), ("live", 0), ("media", 0), ("work", 0), ("work", 1), ("serve", 0)]
ON_THE_DATABASE = ("web", "live", "work")
LINES_MAX = 2000
ROUTES_MAX = 300
OTHERS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "up"}
DASHBOARD = ROOT / "deploy" / "grafana" / "livestall.json"
ALERTS = ROOT / "deploy" / "alerts.yml"


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return answer.status, await answer.text()


def names_in(text: str) -> set[str]:
    """Every name that a query may use, of one process's answer."""
    found: set[str] = set()
    for family in text_string_to_metric_families(text):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        found |= {f"{family.name}{end}" for end in ends}
    return found


def queries() -> list[str]:
    board = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def names_of(query: str) -> set[str]:
    return set(re.findall(r"\b(?:livestall|process)_[a-z_]+\b", query))


@pytest.fixture(scope="module")
def people() -> dict[str, Cast]:
    return {}


async def evening(watched: Served) -> None:
    """Something of everything: requests, a socket, chat, an order, a refusal."""
    async with Door(watched.base) as door:
        cast = await seed(door, watched.first_run_token, products=1, on_hand=1)
        show = await cast.live_show(planned_at="2030-01-01T20:00:00Z")
        buyer = await cast.buyer()
        line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
        room = await Socket(buyer, show["id"]).open()
        await room.buy(line)
        await buyer.get("/api/orders")
        await asyncio.gather(
            *(room.ask({"type": "nonsense", "id": ids.new()}) for _ in range(2)), return_exceptions=True
        )
        await room.like()
        await room.close()


async def test_every_process_answers_and_nothing_is_missing_from_the_page_or_the_dashboard(watched: Served):
    await evening(watched)
    names: set[str] = set()
    texts: dict[tuple[str, int], str] = {}
    for plane, number in PROCESSES:
        status, text = await get(f"{address(watched, plane, number)}/metrics")
        assert status == 200
        texts[plane, number] = text
        names |= names_in(text)
        for path, said in (("/health", "alive\n"), ("/ready", "ready\n")):
            assert await get(f"{address(watched, plane, number)}{path}") == (200, said), plane
    listed = {one.name for one in exported.exported()}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if name.startswith("livestall_")}
    assert families - listed == set(), "run `livestall metrics --markdown > docs/metrics.md`"
    used = set().union(*map(names_of, queries()))
    assert used - names == set(), "the dashboard asks for what nobody exports"
    alerts = set().union(*(names_of(line) for line in ALERTS.read_text().splitlines() if "expr:" in line))
    assert len(alerts) > 8
    assert alerts - names == set()
    assert number_in(texts["live", 0], "livestall_socket_commands_total", command="buy") == 1
    assert number_in(texts["live", 0], "livestall_socket_commands_total", command="unknown") == 2
    assert number_in(texts["live", 0], "livestall_orders_batch_claims_sum") == 1
    requests = [
        number_in(texts["web", n], "livestall_http_requests_total", route="GET /api/orders", status="2xx")
        for n in (0, 1)
    ]
    assert sum(requests) == 1


def number_in(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_the_page_of_numbers_is_current():
    assert (ROOT / "docs" / "metrics.md").read_text() == exported.as_markdown(), (
        "run `livestall metrics --markdown > docs/metrics.md`"
    )


def test_every_number_says_what_it_means_and_is_named_by_its_unit():
    for one in exported.exported():
        assert len(one.meaning) > 4, one.name
        assert one.kind != "counter" or one.name.endswith("_total")


def test_the_dashboard_is_one_that_grafana_reads():
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    assert board["schemaVersion"] >= 39
    assert {one["name"] for one in board["templating"]["list"]} == {"datasource", "instance"}
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == ["Sale", "Room", "Video", "Database", "Processes"]
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"


async def test_labels_are_words_of_ours(watched: Served):
    """A stranger who asks for a thousand paths and methods makes no thousand series."""
    async with aiohttp.ClientSession() as client:
        for number in range(60):
            async with client.request(f"M{number}", f"{watched.base}/api/nothing-{number}") as answer:
                await answer.read()
            async with client.get(f"{watched.base}/some/page-{number}", headers={"X-Forwarded-For": "é"}) as answer:
                await answer.read()
    routes: set[str] = set()
    for number in (0, 1):
        _, text = await get(f"{address(watched, 'web', number)}/metrics")
        routes |= {
            sample.labels["route"]
            for family in text_string_to_metric_families(text)
            if family.name == "livestall_http_requests"
            for sample in family.samples
        }
    assert len(routes) < ROUTES_MAX
    assert not [route for route in routes if "nothing-" in route or "page-" in route or route.startswith("M1")]


async def test_a_look_is_short_and_is_itself_counted(watched: Served):
    """A look costs what it writes down: about two microseconds a line."""
    for plane, number in PROCESSES:
        where = f"{address(watched, plane, number)}/metrics"
        _, before = await get(where)
        _, text = await get(where)
        looks = [number_in(one, "livestall_process_scrape_seconds_count") for one in (before, text)]
        assert looks[1] > looks[0]
        assert len(text.splitlines()) < LINES_MAX, plane


async def test_strangers_at_the_port_are_answered_shortly(watched: Served):
    base = address(watched, "web")
    assert (await get(f"{base}/etc/passwd"))[0] == 404
    async with aiohttp.ClientSession() as client, client.post(f"{base}/metrics") as answer:
        assert answer.status == 405
    host, port = base.removeprefix("http://").split(":")
    for rubbish in (b"\x00" * 100, b"GET /metrics", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"):
        with socket.create_connection((host, int(port))) as wire:
            wire.sendall(rubbish)
    assert (await get(f"{base}/health"))[0] == 200


async def test_a_process_without_its_database_is_alive_but_not_ready(watched: Served):
    server = watched.planes()["postgres"]
    os.kill(server, signal.SIGSTOP)  # from now on it starts no other
    family = [server, *children_of(server)]
    try:
        for pid in family:
            send(pid, signal.SIGSTOP)

        async def not_ready() -> bool:
            said = [await get(f"{address(watched, plane)}/ready") for plane in ON_THE_DATABASE]
            return all(status == 503 and text.strip() for status, text in said)

        await until(not_ready, what="processes that say they are not ready")
        for plane in ON_THE_DATABASE:
            assert (await get(f"{address(watched, plane)}/health"))[0] == 200
        assert (await get(f"{address(watched, 'media')}/ready"))[0] == 200, "the picture needs no database"
    finally:
        for pid in family:
            send(pid, signal.SIGCONT)

    async def ready() -> bool:
        return all([(await get(f"{address(watched, plane)}/ready"))[0] == 200 for plane in ON_THE_DATABASE])

    await until(ready, what="ready again")


async def test_a_worker_whose_sweeps_stand_still_is_not_ready_though_the_database_answers(db: Database) -> None:
    about = Watch("work", [worker.database_answers(db), worker.beats(db)])
    assert "sweeps" in await about.missing(), "it has not reported yet"
    await worker._beat(db)
    assert await about.missing() == ""
    async with db.write() as tx:
        await tx.execute("update worker_beat set at = now() - interval '1 minute' where worker = $1", worker.WORKER)
    assert (await about.look("/ready"))[0].startswith("503")
    await worker._beat(db)
    assert (await about.look("/ready"))[0].startswith("200")


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended by itself
        os.kill(pid, number)


async def test_a_look_at_many_numbers_does_not_hold_the_loop():
    for route in range(150):
        traffic.REQUEST.labels(f"GET /api/test-{route}").observe(0.01)
    try:
        holds: list[float] = []
        last = time.thread_time()

        async def notice() -> None:
            nonlocal last
            while True:
                now = time.thread_time()
                holds.append(now - last)
                last = now
                await asyncio.sleep(0)

        noticing = asyncio.create_task(notice())
        text = (await metrics.exposition()).decode()
        noticing.cancel()
        whole = generate_latest(REGISTRY).decode()
        told, kept = (
            {family.name: len(family.samples) for family in text_string_to_metric_families(one)}
            for one in (text, whole)
        )
        assert told == kept, "the slices are the whole"
        assert told["livestall_http_request_seconds"] > 1000
        assert statistics.quantiles(holds, n=50)[-1] < sum(holds) / 10
    finally:
        traffic.REQUEST.clear()
