"""`livestall serve` as its operator meets it: start, stop, no orphans, sentences instead of tracebacks."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from helpers.market import Served
from helpers.patience import PATIENCE_SECONDS
from helpers.processes import runs


@pytest.fixture
def served() -> Iterator[Served]:
    market = Served()
    yield market
    market.stop()
    market.remove()


def all_gone(pids: list[int]) -> bool:
    """Whether these processes end, if they are waited for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(runs(pid) for pid in pids)


def cli(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "livestall.app.cli", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_starts_stops_and_starts_again_quickly(served: Served):
    served.start()
    assert served.healthy()
    doctor = cli("doctor", environment=served.environment)
    assert doctor.returncode == 0, f"before a reload it is asked while the market runs: {doctor.stdout}"
    assert served.first_run_token
    assert set(served.planes()) == {"web", "live", "media", "work", "postgres"}
    secret = served.folder / "data" / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    first = secret.read_text()
    (database,) = served.folder.rglob("data/PG_VERSION")
    made_at = database.stat().st_mtime_ns
    family = served.descendants()
    assert len(family) >= 5
    served.stop(signal.SIGTERM)
    assert all_gone(family), "no orphans"

    served.start()
    assert database.stat().st_mtime_ns == made_at, "nothing is made anew"
    assert secret.read_text() == first
    served.stop(signal.SIGINT)
    assert served.process is not None
    assert served.process.returncode == 0


def test_a_killed_supervisor_leaves_no_orphans_and_the_next_start_works(served: Served):
    served.start()
    family = served.descendants()
    assert served.process is not None
    os.kill(served.process.pid, signal.SIGKILL)
    assert all_gone(family)
    served.process.wait()
    served.start()
    assert served.healthy()


def test_a_killed_markets_number_that_is_anothers_now_is_left_alone(served: Served):
    (served.folder / "data").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (served.folder / "data" / "serve.lock").write_text(str(other.pid))
        answer = cli("reload", environment=served.environment)
        assert (answer.returncode, "no market runs" in answer.stderr) == (1, True)
        other.communicate(b"\n")
        assert other.returncode == 0, "a signal would have ended it"


def test_a_second_market_in_the_same_folder_is_told_so(served: Served):
    served.start()
    answer = cli("serve", environment=served.environment)
    assert answer.returncode == 1
    assert "already runs" in answer.stderr
    assert str(served.process.pid if served.process else "?") in answer.stderr
    assert "Traceback" not in answer.stderr
    assert served.healthy()


def test_a_taken_port_is_named_with_its_setting(served: Served):
    with socket.create_server(("127.0.0.1", served.live)):
        answer = cli("serve", environment=served.environment)
    assert answer.returncode == 1
    assert f"port {served.live}" in answer.stderr
    assert "LIVESTALL_LIVE__PORT" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_misspelled_settings_stop_the_start(served: Served):
    wrong = {"LIVESTALL_WEB__PROT": "1", "LIVESTALL_NONSENSE": "1", "LIVESTALL_LIVE__PORT": "99999"}
    answer = cli("serve", environment={**served.environment, **wrong})
    assert answer.returncode == 2
    assert "LIVESTALL_NONSENSE" in answer.stderr
    del wrong["LIVESTALL_NONSENSE"]
    answer = cli("serve", environment={**served.environment, **wrong})
    assert "LIVESTALL_WEB__PROT" in answer.stderr
    assert "LIVESTALL_LIVE__" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_doctor_finds_what_is_wrong(served: Served):
    good = json.loads(cli("doctor", "--json", environment=served.environment).stdout)
    found = {one["name"]: one for one in good["findings"]}
    assert {"python", "ports", "clock", "disk", "open files", "codecs", "postgresql", "packages"} <= set(found)
    assert found["codecs"]["good"]
    assert found["postgresql"]["good"]
    with socket.create_server(("127.0.0.1", served.rtmp)):
        answer = cli("doctor", environment=served.environment)
    assert answer.returncode == 1
    assert "LIVESTALL_MEDIA__RTMP_PORT" in answer.stdout


def test_settings_are_printed_with_their_meaning(served: Served):
    answer = cli("settings", environment=served.environment)
    assert answer.returncode == 0
    assert "LIVESTALL_WEB__PORT" in answer.stdout
    assert "HTTP port of the pages and the API" in answer.stdout


def test_logs_can_be_json(served: Served):
    served.environment |= {"LIVESTALL_LOGS__AS_JSON": "true", "LIVESTALL_LOGS__LEVEL": "info"}
    served.start()
    served.kill("work")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "died" not in served.log() and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = [json.loads(line) for line in served.log().splitlines()]
    assert any(line.get("plane") == "work" and line["level"] == "error" for line in lines)
