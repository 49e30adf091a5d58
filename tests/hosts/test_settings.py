"""What several machines need to be told, and are not started without."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from livestall.app import settings
from livestall.base.config import BadSettings


def test_a_bus_without_a_secret_that_all_share_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVESTALL_DATA", str(tmp_path))
    monkeypatch.setenv("LIVESTALL_BUS_URL", "redis://10.0.0.1/0")
    monkeypatch.delenv("LIVESTALL_SECRET", raising=False)
    with pytest.raises(BadSettings, match="LIVESTALL_SECRET"):
        settings.load()


@pytest.mark.parametrize("url", ["http://10.0.0.1", "10.0.0.1:6379", "redis:10.0.0.1"])
def test_a_bus_that_is_no_redis_is_refused(monkeypatch, tmp_path, url):
    monkeypatch.setenv("LIVESTALL_DATA", str(tmp_path))
    monkeypatch.setenv("LIVESTALL_BUS_URL", url)
    with pytest.raises(BadSettings, match="LIVESTALL_BUS_URL"):
        settings.load()


def test_the_first_run_link_is_printed_until_there_is_an_operator(tmp_path, dsn):
    environment = {
        **os.environ, "LIVESTALL_DATA": str(tmp_path), "LIVESTALL_DATABASE_URL": dsn,
        "LIVESTALL_ADDRESS__WEB": "https://market.example/",
    }  # fmt: skip

    def ask() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "livestall.app.cli", "first-run"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ask().stdout.startswith("https://market.example/first-run?token=")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            """insert into user_account (id, login, password_hash, name, is_operator, created_at)
               values (gen_random_uuid(), 'o@test.example', '-', 'O', true, now())"""
        )
    assert ask().returncode == 1
