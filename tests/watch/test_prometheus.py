"""The files in deploy/ in the real Prometheus: its own checks, each alert on made-up days, and a market it scrapes."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from helpers.market import Pusher, Served, seed, serving, until
from helpers.patience import PATIENCE_SECONDS
from helpers.ports import free_ports, free_ports_in_a_row
from helpers.processes import end
from helpers.repository import ROOT
from livestall.app.demo.client import Door, Refused, Socket
from livestall.base import ids

DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "alerts.yml"
CASES = DEPLOY / "alerts.test.yml"
SCRAPE_SECONDS = 1
RATE_SECONDS = 30

QUIET = {
    "livestall_orders_paced_total": "nobody was too fast",
    "livestall_socket_byes_total": "no gateway said bye",
    "livestall_video_publishers_refused_total": "no publisher was turned away",
    "livestall_video_warnings_total": "no publisher was warned",
    "livestall_video_recording_missing_seconds_total": "nothing is missing from a recording",
    "livestall_sweep_failures_total": "no sweep failed",
}
"""Numbers of what went wrong, by its kind: none of a market in which nothing did."""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install prometheus)")
    return found


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        [program("promtool"), *arguments],
        cwd=DEPLOY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_the_configuration_and_the_rules():
    said = promtool("check", "config", "prometheus.yml")
    assert "1 rule files found" in said
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "alerts.yml")


def test_each_alert_fires_when_it_should_says_its_sentence_and_is_silent_when_not():
    promtool("test", "rules", "alerts.test.yml")
    cases = [one for test in yaml.safe_load(CASES.read_text())["tests"] for one in test["alert_rule_test"]]
    assert {one["alertname"] for one in cases if one["exp_alerts"]} == alerts(), "each fires once at least"
    assert {one["alertname"] for one in cases if not one["exp_alerts"]} == alerts(), "and is silent once at least"


def alerts() -> set[str]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"] for rule in group["rules"]}


def queries() -> list[str]:
    """Every query of the dashboard as Grafana sends it: all processes, the interval that suits the scrapes."""
    board = json.loads((DEPLOY / "grafana" / "livestall.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return [one.replace("$instance", ".*").replace("$__rate_interval", f"{RATE_SECONDS}s") for one in asked]


class Prometheus:
    """The real program over a market: the configuration of deploy/, at this market's ports and a quicker pace."""

    def __init__(self, folder: Path, watch_port: int) -> None:
        self.port = free_ports(1)[0]
        text = (DEPLOY / "prometheus.yml").read_text()
        told = re.sub(r"127\.0\.0\.1:97(\d\d)", lambda one: f"127.0.0.1:{watch_port + int(one[1])}", text)
        told = told.replace("scrape_interval: 10s", f"scrape_interval: {SCRAPE_SECONDS}s\n  evaluation_interval: 1s")
        (folder / "prometheus.yml").write_text(told.replace("alerts.yml", str(ALERTS)))
        self.log = (folder / "prometheus.log").open("w")
        self.process = subprocess.Popen(
            [program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def stop(self) -> None:
        end(self.process)
        self.log.close()

    async def ask(self, path: str, **query: str) -> Any:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=query)
        told = answer.json()
        assert told["status"] == "success", told
        return told["data"]

    async def query(self, expression: str) -> list[Any]:
        return (await self.ask("query", query=expression))["result"]

    async def all_up(self) -> bool:
        try:
            targets = (await self.ask("targets"))["activeTargets"]
        except (httpx.HTTPError, ValueError):
            return False
        return len(targets) == 5 and all(one["health"] == "up" for one in targets)


@pytest.fixture(scope="module")
def market() -> Iterator[Served]:
    program("prometheus")
    with serving(watch__port=free_ports_in_a_row(100)) as served:
        yield served


@pytest.fixture
def prometheus(market: Served, tmp_path: Path) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path, int(market.environment["LIVESTALL_WATCH__PORT"]))
    yield running
    running.stop()


async def evening(market: Served, enough: asyncio.Event) -> None:
    """A show with a picture that is watched, chat, likes, orders by both ways, and refusals, until `enough`."""
    async with Door(market.base) as door:
        cast = await seed(door, market.first_run_token, products=1, on_hand=1000)
        show = await cast.live_show()
        pusher: Pusher = await cast.push(show["id"])
        try:
            await cast.go_live(show["id"])
            buyer = await cast.buyer()
            line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
            room = await Socket(buyer, show["id"]).open()
            url = (await cast.creator.get(f"/api/shows/{show['id']}"))["playback"]["hls_url"]
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as player:
                while not enough.is_set():
                    await room.buy(line)
                    await buyer.post("/api/orders", {"id": ids.new(), "show_id": show["id"], "lines": [line]})
                    await room.like()
                    with pytest.raises(Refused):
                        await room.ask({"type": "nonsense", "id": ids.new()})
                    await player.get(url)
                    await asyncio.sleep(0.5)
            await room.close()
        finally:
            pusher.stop()


async def test_the_dashboard_and_the_alerts_over_a_real_market(market: Served, prometheus: Prometheus):
    await until(prometheus.all_up, what="Prometheus scraping five processes")
    enough = asyncio.Event()
    busy = asyncio.create_task(evening(market, enough))
    missing: dict[str, str] = {}

    async def every_query_has_a_series() -> bool:
        if busy.done():
            busy.result()
        missing.clear()
        for expression in queries():
            if not await prometheus.query(expression):
                missing[expression] = "no series"
        return not [one for one in missing if not may_be_quiet(one)]

    try:
        await until(every_query_has_a_series, what=f"a series for every query; missing: {missing}")
    except AssertionError:
        raise AssertionError(f"no series: {[one for one in missing if not may_be_quiet(one)]}") from None
    finally:
        enough.set()
    await busy
    print({"quiet": sorted(missing)})
    sold = await prometheus.query("sum(increase(livestall_orders_batch_claims_sum[5m]))")
    assert float(sold[0]["value"][1]) > 1, "what was sold is in the numbers"
    await no_rule_fails_or_fires(prometheus)


def may_be_quiet(expression: str) -> bool:
    return any(name in expression for name in QUIET)


async def no_rule_fails_or_fires(prometheus: Prometheus) -> None:
    (group,) = (await prometheus.ask("rules"))["groups"]
    rules = {one["name"]: one for one in group["rules"]}
    assert set(rules) == alerts()
    assert {name: one["lastError"] for name, one in rules.items() if one.get("lastError")} == {}
    assert {one["health"] for one in rules.values()} == {"ok"}
    loud = {name for name, one in rules.items() if one["state"] == "firing"} - {"RecordingDiskFull"}
    assert loud == set(), "a market in which all is well is silent (the disk is this machine's own)"


async def test_a_process_that_is_gone_is_an_alert_within_the_minute(market: Served, prometheus: Prometheus):
    """The alert's own `for` is 30 s: here it must be pending, with the sentence's labels, a moment after the end."""
    await until(prometheus.all_up, what="Prometheus scraping five processes")
    market.stop()

    async def pending() -> list[Any]:
        found = (await prometheus.ask("alerts"))["alerts"]
        return [one for one in found if one["labels"]["alertname"] == "ProcessDown"]

    async def all_planes() -> bool:
        return {one["labels"]["plane"] for one in await pending()} == {"web", "live", "media", "work", "serve"}

    await until(all_planes, what="an alert for each plane")
