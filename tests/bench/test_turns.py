"""A turn that the host or a passing fault spoiled is taken again and told; a real fault still fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))

import _harness  # noqa: E402
import _still  # noqa: E402
import _table  # noqa: E402
import run  # noqa: E402


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """What the host does during the takes that come: for how many seconds it stands still. Then nothing."""
    still: list[list[float]] = []

    @contextmanager
    def watching(_cores: object) -> Generator[Callable[[float], list[float]]]:
        yield lambda _since: still.pop(0) if still else []

    monkeypatch.setattr(_harness, "watching", watching)
    monkeypatch.setattr(_harness, "_failed", [])
    return still


def told(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(one["turn"], one["why"], one["then"]) for one in lines]


def each(*results: int | Exception) -> Callable[[], int]:
    """A measurement that gives or raises these, one after the other."""
    left: Iterator[int | Exception] = iter(results)

    def measure() -> int:
        result = next(left)
        if isinstance(result, Exception):
            raise result
        return result

    return measure


def test_a_turn_during_which_the_host_stood_still_is_taken_again(
    host: list[list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    host += [[], [2.14, 0.3], []]
    found = _harness.turns({"limit": each(1, 2), "ours": each(10, 20, 30)}, 2)
    assert found == {"limit": [1, 2], "ours": [20, 30]}
    assert told(capsys) == [("ours", "the host stood still 2 times, for 2.4 s", "taken again")]
    _harness.settle()


def test_a_host_that_always_stands_still_is_measured_as_it_is_and_that_is_told(
    host: list[list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    host += [[1.0]] * 3
    assert _harness.turns({"ours": each(10, 20, 30, 40)}, 2) == {"ours": [30, 40]}
    assert [then for _, _, then in told(capsys)] == ["taken again", "taken again", "kept"]
    _harness.settle()


async def test_a_check_that_fails_once_is_tried_again(
    host: list[list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    host += [[0.5]]
    ours = each(AssertionError("3 messages did not follow"), 20, TimeoutError(), 40)

    async def measure() -> int:
        return ours()

    assert await _harness.turns_awaited({"ours": measure}, 2) == {"ours": [20, 40]}
    assert told(capsys) == [
        ("ours", "3 messages did not follow (the host stood still for 0.5 s)", "taken again"),
        ("ours", "TimeoutError", "taken again"),
    ]
    _harness.settle()


def test_a_check_that_fails_three_times_fails_and_keeps_the_good_turns(
    host: list[list[float]], capsys: pytest.CaptureFixture[str]
) -> None:
    host += [[], [], [], [0.4]]  # the second of ours is good, but for the host; the checks after it fail
    wrong = RuntimeError("2 of 30 recordings")
    found = _harness.turns({"limit": each(1, 2, 3), "ours": each(10, 20, wrong, wrong, 50)}, 3)
    assert found == {"limit": [1, 2, 3], "ours": [10, 50]}, "the turn after the one that failed has a single take"
    assert [then for _, _, then in told(capsys)] == ["taken again", "taken again", "failed"]
    with pytest.raises(SystemExit, match="failed 3 times: ours"):
        _harness.settle()


def test_a_number_without_a_good_turn_says_so(host: list[list[float]], capsys: pytest.CaptureFixture[str]) -> None:
    found = _harness.turns({"ours": each(*[AssertionError("no")] * 3)}, 1)
    capsys.readouterr()
    for options in ({"runs": found["ours"]}, {"runs": [1.0], "limit": found["ours"]}):
        assert _harness.report("x.y", "ms", **options)["skipped"] == "no turn was good"


MEASUREMENT = """
import sys
sys.path.insert(0, {bench!r})
from pathlib import Path
from _harness import report, settle, turns

def climb():
    count = Path({count!r})
    count.write_text(str(int(count.read_text()) + 1))
    assert int(count.read_text()) not in {bad}, "a viewer missed something"
    return 7.0

report("fake.climb_s", "s", turns({{"climb": climb}}, 2)["climb"])
settle()
"""


@pytest.mark.parametrize(
    ("bad", "wrong", "runs"),
    [([2], None, 2), ([2, 3, 4], "`fake.py`, climb: a viewer missed something", 1)],
    ids=["a fault that passes", "a real fault"],
)
def test_a_file_fails_for_a_real_fault_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: list[int], wrong: str | None, runs: int
) -> None:
    file, count = tmp_path / "fake.py", tmp_path / "count"
    file.write_text(MEASUREMENT.format(bench=str(BENCH), count=str(count), bad=bad))
    count.write_text("0")
    monkeypatch.setattr(run, "KEPT", tmp_path)
    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(_table, "machine", lambda: ["2 cores"])
    assert run.run(file) == wrong
    page = run.page([wrong] if wrong else [])
    assert len(json.loads((tmp_path / "fake.json").read_text())["lines"][0]["runs"]) == runs
    again = len(bad) - (1 if wrong else 0)
    assert f"Taken again: `fake` climb {again} time{'s' if again > 1 else ''} (a viewer missed something" in page
    assert (f"Did not finish: {wrong}" in page) == (wrong is not None)


def test_a_file_whose_turns_failed_ends_with_a_fault(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    text = MEASUREMENT.format(bench=str(BENCH), count=str(tmp_path / "count"), bad=[1, 2, 3])
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "failed 3 times: climb" in done.stderr


def test_the_page_says_what_was_kept_though_the_host_stood_still() -> None:
    takes: dict[str, Any] = {
        "curves": [{"turn": "rooms", "why": why, "then": then} for why, then in [("a", "taken again"), ("b", "kept")]],
        "fair": [],
    }
    assert _table.taken_again(takes) == (
        "Taken again: `curves` rooms 1 time, 1 kept though it happened to the last take as well (a; b)."
    )


# ---------------------------------------------------------------- the watch


def test_cores_that_stood_still_at_the_same_time_count_once() -> None:
    gaps = [_still.Gap(10.0, 2.0), _still.Gap(10.1, 0.5), _still.Gap(20.0, 1.0), _still.Gap(5.0, 1.0)]
    assert _still.longest(gaps, 6.0) == [2.0, 1.0]
    assert _still.longest(gaps, 20.0) == []


def may_come_first() -> bool:
    allowed = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))"
    return not subprocess.run([sys.executable, "-c", allowed], stderr=subprocess.DEVNULL, check=False).returncode


def test_a_watch_that_stood_still_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped as a whole, as the machine would be. Where it may not come before others, it blames nobody for that."""
    started: list[subprocess.Popen[str]] = []

    class Noted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    with _still.watching(_harness.cores()) as stood:
        begin = time.monotonic()
        os.kill(started[0].pid, signal.SIGSTOP)
        time.sleep(3 * _still.STILL_SECONDS)
        os.kill(started[0].pid, signal.SIGCONT)
        found = stood(begin)
        assert bool(found) == may_come_first()
        assert all(one > _still.STILL_SECONDS for one in found)
        assert len(stood(begin)) == len(found), "it is told as often as it is asked"
    assert started[0].returncode == 0
