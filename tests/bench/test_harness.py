"""The arithmetic behind the numbers, and the page that shows them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest

from helpers.patience import PATIENCE_SECONDS
from livestall.base import clock
from livestall.live import Tickets

BENCH = Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))

import _chart  # noqa: E402
import _curves  # noqa: E402
import _gateway  # noqa: E402
import _harness  # noqa: E402
import _load  # noqa: E402
import _table  # noqa: E402
import run  # noqa: E402


def test_a_record_is_the_median_held_against_the_limits_median() -> None:
    found = _harness.record("fanout.x", "1/s", [70, 90, 80], limit=[100.0, 80.0, 400.0], aim="ratio >= 0.7")
    assert (found["value"], found["min"], found["max"], found["limit"], found["ratio"]) == (80, 70, 90, 100, 0.8)
    assert found["met"] is True
    assert (found["runs"], found["limit_runs"]) == ([70, 90, 80], [100, 80, 400])


def test_an_aim_may_be_missed_and_a_fixed_limit_has_no_runs() -> None:
    found = _harness.record("x.ms", "ms", [301.0, 299.0, 310.0], limit=300, aim="value <= 300")
    assert (found["met"], found["limit_runs"], found["ratio"]) == (False, [], 1.003)
    with pytest.raises(ValueError, match="is no aim"):
        _harness.record("x.ms", "ms", [1.0], aim="fast enough")


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, 0), (0.012345, 0.0123), (1.23456, 1.23), (123.456, 123), (98765.4, 98765)]
)
def test_numbers_are_rounded_to_what_counts(value: float, shown: float) -> None:
    assert _harness.rounded(value) == shown


def test_subjects_take_turns() -> None:
    order: list[str] = []
    found = _harness.turns(
        {"limit": lambda: order.append("limit") or len(order), "ours": lambda: order.append("ours") or len(order)}
    )
    assert order == ["limit", "ours"] * 3
    assert found == {"limit": [1, 3, 5], "ours": [2, 4, 6]}


def test_a_process_stays_on_its_core_and_its_children_are_counted() -> None:
    busy = (
        "import subprocess, sys, time\np = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\ntime.sleep(60)"
    )
    with _harness.running(0, [sys.executable, "-c", busy]) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _harness.cpu_seconds(process.pid, children=True) - _harness.cpu_seconds(process.pid) < 0.1:
            assert time.monotonic() < deadline, "the child's time is not counted"
            time.sleep(0.02)
        parent, child = _harness.family(process.pid)
        assert os.sched_getaffinity(child) == {_harness.cores()[0]}
        assert _harness.rss_bytes(parent, children=True) > _harness.rss_bytes(parent)
        os.kill(child, 9)


def test_waiting_for_a_process_that_ended_says_so() -> None:
    process = _harness.start_on(None, [sys.executable, "-c", "raise SystemExit(3)"], stderr=subprocess.DEVNULL)
    with pytest.raises(RuntimeError, match="ended with 3"):
        _harness.wait_for(_harness.free_port(), process)


def test_the_ticket_of_a_load_is_good_for_the_whole_of_it() -> None:
    """Twenty thousand sockets are opened with one; on a slow machine the last of them minutes later."""
    path, _, ticket = _gateway.path(7).partition("?ticket=")
    with clock.travel(_load.LOAD_SECONDS):
        assert Tickets().read(ticket, UUID(int=int(path[1:]))).role == "viewer"


def test_a_load_that_never_ends_is_ended_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec sleep 600\n")
    endless.chmod(0o755)
    monkeypatch.setattr(_load, "LOAD_SECONDS", 0.2)
    with pytest.raises(RuntimeError, match=r"longer than 0\.2 s"):
        _load.drive(endless, 1, os.getpid(), 1, 1, "", "", "/1")


def test_the_page_shows_groups_verdicts_and_what_stands_beside() -> None:
    records = [
        _harness.record("web.room_kb", "kB", [182.4], limit=350),
        _harness.record("fanout.a", "1/s", [2000.0] * 3, limit=[1000.0], aim="ratio >= 0.7", beside={"other": [500.0]}),
        _harness.record("fanout.b", "ms", [250.0] * 3, aim="value <= 200", note="why it is so"),
        {"name": "fanout.c", "skipped": "there is no nginx"},
    ]
    page = _table.results(records, {"fanout": "What it does."}, ["`x.py` ended with 1"], ["2 cores"], "2026-01-02", {})
    assert "| `fanout.a` 1/s | 2,000 | **2,000** | 2,000 | 1,000 | 2 | ratio ≥ 0.7 | ✓ |" in page
    assert "| other | 500 | 500 | 500 | 0.25 |" in page
    assert "| `fanout.b` ms | 250 | **250** | 250 | – | – | value ≤ 200 | ✗ |" in page
    assert "`web.room_kb` kB (runs: 1) |" in page
    assert "not measured: there is no nginx" in page
    assert "Aims missed: `fanout.b`." in page
    assert "Taken again: nothing." in page
    assert "Did not finish: `x.py` ended with 1" in page
    assert page.index("What it does.") < page.index("`fanout.a`") < page.index("- `fanout.b`: why it is so")
    assert page.index("## Fan-out") < page.index("## The page")


def test_a_later_line_of_the_same_name_holds() -> None:
    groups = _table.grouped([{"name": "a.x", "value": 1}, {"name": "a.x", "value": 2}])
    assert groups == {"a": [{"name": "a.x", "value": 2}]}


def test_the_page_says_how_long_each_file_took() -> None:
    said = _table.minutes({"start": 20, "video": 1200})
    assert said.index("| `video` | 1200 |") < said.index("| `start` | 20 |") < said.index("| **all** | **1,220** |")


def test_numbers_are_found_among_other_output() -> None:
    assert run.lines('warming up\n{"name": "a.b", "value": 1}\n[1]\n{"no": 1}\n') == [{"name": "a.b", "value": 1}]


def test_words_choose_files_and_an_unknown_one_is_told() -> None:
    assert [one.stem for one in run.files(["web_room", "start"])] == ["start", "web_room"]
    assert "run" not in [one.stem for one in run.files([])]
    with pytest.raises(SystemExit, match="no measurement begins with 'nonsense'"):
        run.files(["nonsense"])


def test_a_bend_is_the_upper_halfs_slope_over_the_lowers() -> None:
    assert _chart.bend([(0, 1), (5, 6), (10, 11)]) == pytest.approx(1)
    assert _chart.bend([(0, 0), (5, 5), (10, 20)]) == pytest.approx(3)
    assert _chart.bend([(0, 0), (5, 10), (10, 11)]) == pytest.approx(0.1)
    assert _chart.fit([(0, 3), (1, 5), (2, 7)]) == pytest.approx((2, 3))


def test_steps_are_round_and_reach_the_top() -> None:
    assert _chart.steps(44.7) == [0, 20, 40, 60]
    assert _chart.steps(20_000) == [0, 5000, 10_000, 15_000, 20_000]


def test_a_picture_is_well_formed_and_carries_its_words() -> None:
    panel = _chart.Panel("CPU <%>", "viewers", [(100, [1, 2, 3]), (200, [2, 4, 9])])
    picture = _chart.svg("Viewers & more", [panel, panel, panel])
    root = ET.fromstring(picture)
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Viewers & more", "CPU <%>", "viewers"} <= set(texts)
    lines = [one for one in root.iter() if one.get("class") == "line" and one.get("points")]
    assert len(lines) == 3
    assert len(str(lines[0].get("points")).split()) == 2
    assert "prefers-color-scheme: dark" in picture


def test_a_bend_is_that_of_each_run_and_of_the_part_that_one_thing_makes() -> None:
    runs = [(0.0, [0.0, 0.0]), (5.0, [5.0, 5.0]), (10.0, [10.0, 20.0]), (20.0, [10.0, 20.0])]
    assert _curves.bends(_chart.Panel("", "", runs, until=10)) == pytest.approx([1, 3])
    assert _curves.bends(_chart.Panel("", "", runs)) != pytest.approx([1, 3])
    assert _chart.Panel("", "", runs, until=10).steady() == [(0, 0), (5, 5), (10, 20)]


def test_a_picture_is_shown_in_its_group_with_its_words() -> None:
    one = {**_harness.record("curve.x_bend", "", [1.0]), "picture": "../x.svg", "explained": "Why it bends."}
    said = _table.section("curve", [one])
    assert said.index("![curve.x_bend](../x.svg)") < said.index("Why it bends.")


@pytest.mark.parametrize("program", sorted(one.stem for one in BENCH.glob("[a-z]*.py")))
def test_every_measurement_still_finds_what_it_measures(program: str) -> None:
    """In a process of its own: they change where Python looks for modules."""
    code = f"import sys; sys.path.insert(0, {str(BENCH)!r}); import {program}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
