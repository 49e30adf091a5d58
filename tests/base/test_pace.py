"""Pace: so much at once, so much a second, kept together by all processes of a host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import UUID

from helpers.patience import PATIENCE_SECONDS
from livestall.base import ids
from livestall.base.pace import SETS, WAYS, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def served(pace: Pace, who: UUID, tries: int, per_second: float = 5, burst: int = 10) -> int:
    return sum(pace.take("account", who, per_second, burst) == 0 for _ in range(tries))


def test_a_burst_then_the_rate_and_the_burst_again_after_a_rest() -> None:
    clock, ann = Clock(), ids.new()
    pace = Pace(now=clock)
    assert served(pace, ann, 30) == 10
    assert 0 < pace.take("account", ann, 5, 10) <= 0.200001
    clock.now += 1
    assert served(pace, ann, 30) == 5
    clock.now += 60
    assert served(pace, ann, 30) == 10


def test_who_waits_as_long_as_told_is_served() -> None:
    clock, ann = Clock(), ids.new()
    pace = Pace(now=clock)
    served(pace, ann, 10)
    for _ in range(50):
        clock.now += pace.take("account", ann, 5, 10)
        assert pace.take("account", ann, 5, 10) == 0


def test_people_and_devices_are_counted_apart() -> None:
    pace, ann = Pace(now=Clock()), ids.new()
    assert served(pace, ann, 20) == 10
    assert pace.take("device", ann, 5, 10) == 0
    assert served(pace, ids.new(), 20) == 10


def test_a_full_table_forgets_those_with_least_to_wait_and_never_stops_a_newcomer() -> None:
    pace, slow = Pace(now=Clock()), ids.new()
    served(pace, slow, 1000, per_second=0.001)
    for _ in range(SETS * WAYS // 8):
        assert pace.take("account", ids.new(), 5, 10) == 0
    assert pace.take("account", slow, 0.001, 10) > 0, "who has long to wait is still known"


PROCESS = """
import sys, uuid
from pathlib import Path
from livestall.base import keys
from livestall.base.pace import Pace
keys.use("00")
pace = Pace(Path(sys.argv[1]))
print(sum(pace.take("account", uuid.UUID(sys.argv[2]), 0.001, 500) == 0 for _ in range(400)))
"""


def test_several_processes_keep_one_count(tmp_path: Path) -> None:
    """One after the other: the burst is 500 for all four together. (At the very same moment two may count one for two;
    how often depends on the machine, so nothing is asked of that here.)"""
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "pace"), str(ids.new())]
    allowed = [
        int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_SECONDS).stdout)
        for _ in range(4)
    ]
    assert allowed == [400, 100, 0, 0]
