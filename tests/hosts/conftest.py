"""A market on four machines: 1 keeps PostgreSQL and Redis, 2 and 3 serve web, live and work, 4 media and live."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from helpers.hosts import Host, Plane, Wire, need_hosts
from helpers.patience import PATIENCE_SECONDS
from helpers.redis_server import RedisServer
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres

PLANES = {2: ("web", "live", "work"), 3: ("web", "live", "work"), 4: ("media", "live")}


class Market:
    """The machines and their processes. `planes` are by machine and name."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="livestall-hosts-"))
        self.folder.chmod(0o755)
        self.wire = Wire(4)
        self.data = self.wire.hosts[0]
        self.postgres = Postgres(
            self.folder / "postgres", settings="max_connections = 200\n", network=f"{self.data.address}/24"
        )
        self.redis = RedisServer(self.data.address, 6379)
        self.planes: dict[tuple[int, str], Plane] = {}

    def host(self, number: int) -> Host:
        return self.wire.hosts[number - 1]

    @property
    def webs(self) -> list[str]:
        return [f"http://{self.host(number).address}:8000" for number in (2, 3)]

    @property
    def gateways(self) -> list[str]:
        return [f"ws://{self.host(number).address}:8001" for number in (2, 3, 4)]

    def start(self) -> None:
        self.wire.make()
        with self.data.inside():
            self.postgres.start()
            self.redis.start()
        migrate(self.postgres.dsn())
        media = self.host(4).address
        shared = {name: value for name, value in os.environ.items() if not name.startswith("LIVESTALL_")} | {
            "LIVESTALL_DATABASE_URL": self.postgres.network_dsn(),
            "LIVESTALL_BUS_URL": self.redis.url,
            "LIVESTALL_SECRET": secrets.token_hex(32),
            "LIVESTALL_ADDRESS__MEDIA": f"http://{media}:8002",
            "LIVESTALL_ADDRESS__RTMP": f"rtmp://{media}:1935/live",
            "LIVESTALL_MEDIA__HOOK_URL": f"{self.webs[0]}/api/hooks/media/embedded",
            "LIVESTALL_ROOMS__GRACE_SECONDS": "60",
            "LIVESTALL_LIVE__LINES_PER_SECOND": "1000",
            "LIVESTALL_LOGS__LEVEL": "warning",
        }
        for number, names in PLANES.items():
            own = shared | {
                "LIVESTALL_WEB__HOST": self.host(number).address,
                "LIVESTALL_DATA": str(self.folder / ("media" if "media" in names else "shared")),
            }
            for name in names:
                plane = self.planes[number, name] = Plane(self.host(number), name, own, self.folder)
                plane.start()
        for number, names in PLANES.items():
            for name in names:
                self.wait_for(number, name)

    def wait_for(self, number: int, name: str) -> None:
        """Wait until something listens there; for `work`, which does not, only that it runs."""
        port = {"web": 8000, "live": 8001, "media": 8002}.get(name)
        plane, deadline = self.planes[number, name], time.monotonic() + PATIENCE_SECONDS
        while port is not None and not self.listens(number, port):
            assert plane.process is not None
            assert plane.process.poll() is None, plane.log.read_text()[-3000:]
            assert time.monotonic() < deadline, plane.log.read_text()[-3000:]
            time.sleep(0.05)

    def listens(self, number: int, port: int) -> bool:
        host = self.host(number)
        with host.inside(), suppress(OSError), socket.create_connection((host.address, port), 1):
            return True
        return False

    def restart(self, number: int, name: str) -> None:
        """kill -9, and what an init system does then."""
        self.planes[number, name].kill()
        self.planes[number, name].start()

    def logs(self) -> str:
        return "\n".join(f"== {plane.log.name}\n{plane.log.read_text()[-1500:]}" for plane in self.planes.values())

    def stop(self) -> None:
        for plane in self.planes.values():
            plane.kill()
        self.redis.kill()
        self.postgres.stop()
        self.wire.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    need_hosts()
    RedisServer.program()
    one = Market()
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture
def outside(market: Market) -> Iterator[None]:
    """The test itself is on a machine of its own on the same wire."""
    with market.wire.guest.inside():
        yield
