"""A real Redis on a free port that keeps nothing, for tests that stop it in the middle."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest

from helpers.patience import PATIENCE_SECONDS
from helpers.ports import free_ports

PASSWORD = "a-secret-for-tests"


class RedisServer:
    """`redis-server` without files; `url` carries its password."""

    def __init__(self, host: str = "127.0.0.1", port: int | None = None) -> None:
        self.host = host
        self.port = port or free_ports(1)[0]
        self.url = f"redis://:{PASSWORD}@{host}:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str:
        """Where Debian's Redis is; skips the test where it is not."""
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("redis-server is not installed (apt-get install redis-server)")
        return found

    def start(self, *more: str) -> RedisServer:
        command = [
            self.program(), "--bind", self.host, "--port", str(self.port), "--save", "", "--appendonly", "no",
            "--requirepass", PASSWORD, *more,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"Redis did not start on port {self.port}")
            time.sleep(0.02)
        return self

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection((self.host, self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return bool(connection.recv(16))
        return False

    def kill(self) -> None:
        """kill -9: what was on its way is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def redis_running() -> Generator[RedisServer]:
    """A Redis that runs while the block lasts (unless the block itself stops it)."""
    server = RedisServer().start()
    try:
        yield server
    finally:
        server.kill()
