"""PostgreSQL from the wheel: both majors, folders that only root may enter, and no server left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from helpers.processes import runs
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres

START_AND_DIE = """
import os, pathlib, sys
from livestall.app.postgres import Postgres
server = Postgres(pathlib.Path(sys.argv[1]))
server.start()
print(server.process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="livestall-house-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("major", [16, 18])
def test_both_majors_take_the_whole_schema(folder: Path, major: int) -> None:
    folder.chmod(0o755)
    server = Postgres(folder / "pg", major=major)
    server.start()
    try:
        migrate(server.dsn())
        with psycopg.connect(server.dsn()) as connection:
            assert connection.execute("select count(*) from stock_pool").fetchone() == (0,)
            assert connection.execute("show data_checksums").fetchone() == ("on",)
    finally:
        server.stop()


def test_a_folder_closed_to_others_stays_closed_and_serves(folder: Path) -> None:
    """A checkout in root's home is one; mkdtemp makes another."""
    assert folder.stat().st_mode & 0o777 == 0o700
    server = Postgres(folder / "pg")
    server.start()
    server.stop()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_starter_killed_takes_its_server_along(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(folder / "pg")], capture_output=True, text=True, check=False
    )
    server = int(done.stdout)
    second = Postgres(folder / "pg")
    second.start()  # waits for the first to go
    second.stop()
    assert not runs(server)
