"""A whole market that is watched: numbers on ports of their own, traces to a collector in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.collector import Collector
from helpers.market import Served, serving
from helpers.ports import free_ports_in_a_row

PLANES = {"web": 0, "live": 20, "media": 40, "work": 60, "serve": 80}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def watched(collector: Collector) -> Iterator[Served]:
    """A market with two web processes and two workers."""
    traced = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
    }  # fmt: skip
    with serving(
        traced, watch__port=free_ports_in_a_row(100), web__processes=2, work__processes=2,
        logs__as_json="true", logs__level="info",
    ) as market:  # fmt: skip
        yield market


def address(served: Served, plane: str, number: int = 0) -> str:
    """Where a process of the market is watched."""
    return f"http://127.0.0.1:{int(served.environment['LIVESTALL_WATCH__PORT']) + PLANES[plane] + number}"
