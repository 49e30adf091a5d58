"""compose.yaml and what it mounts: every word in it means something here, and its planes behind its door are a market.

There is no container engine here: the services are started by hand, with the commands, environment and health checks
that the file gives them, each name of a service replaced by an address of this machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import yaml

from helpers.market import seed, until
from helpers.patience import PATIENCE_SECONDS
from helpers.ports import free_ports, free_ports_in_a_row
from helpers.processes import end
from helpers.redis_server import redis_running
from helpers.repository import ROOT
from livestall.app import cli, settings, watch
from livestall.app.demo.client import Door, Json, Socket
from livestall.base import ids
from livestall.base.config import override

PLANES = ("web", "live", "media", "work")
NOBODY = 1
"""A port on which nobody listens."""
SECRET = "3d" * 32
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_every_command_setting_and_mounted_file_exists():
    known = {one.variable for one in settings.document()}
    for name in (*PLANES, "migrate"):
        service = SERVICES[name]
        (command,) = service["command"]
        assert command in cli.COMMANDS, name
        assert {one for one in service["environment"] if one.startswith("LIVESTALL_")} <= known
    mounts = [one.split(":")[0] for service in SERVICES.values() for one in service.get("volumes", [])]
    folders = {one for one in mounts if one.startswith(".")} - {"./deploy/media/mediamtx.local.yml"}
    assert all((ROOT / one).is_file() for one in folders), "made by hand is only the one that carries a token"
    assert {one for one in mounts if not one.startswith(".")} == set(COMPOSE["volumes"])


def test_no_password_has_a_default_and_only_the_door_and_the_media_are_public():
    text = (ROOT / "compose.yaml").read_text()
    for name in ("LIVESTALL_SECRET", "POSTGRES_PASSWORD"):
        assert not re.search(rf"\$\{{{name}(?!:\?)", text), f"{name} must be given"
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one and "profiles" not in one}
    assert set(ports) == {"door", "media"}
    assert SERVICES["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]


def test_nothing_runs_as_root_for_ever_or_without_bounds():
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "USER livestall" in dockerfile
    for name in (*PLANES, "migrate"):
        service = SERVICES[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
        assert service["mem_limit"]
        assert service["pids_limit"]
    for name in (*PLANES, "postgres", "redis", "door"):
        assert SERVICES[name]["restart"] == "unless-stopped"
    for name in (*PLANES, "postgres", "redis"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_the_health_checks_ask_the_port_of_their_plane():
    with override(settings.Watch()):
        for name in PLANES:
            asked = " ".join(SERVICES[name]["healthcheck"]["test"])
            assert f"127.0.0.1:{watch.port_of(name, 0)}/ready" in asked


def test_the_image_is_made_of_what_the_repository_has():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)
    paths = [one for line in copied for one in line.split()]
    assert paths
    assert [one for one in paths if not (ROOT / one).exists()] == []
    ignored = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = tuple(one[1:] for one in ignored if one.startswith("!"))
    assert [one for one in paths if not one.startswith(allowed)] == [], "the build sees only what is let in"


def test_the_lock_of_the_image_is_part_of_the_lock_that_is_tested():
    base, dev = (pins(ROOT / "requirements" / name) for name in ("base.txt", "dev.txt"))
    assert {name: base[name] for name in base if dev.get(name) != base[name]} == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {re.split(r"[\[>=<]", one)[0] for one in project["dependencies"]}
    assert len(direct) > 15
    assert direct <= set(base)


def pins(path: Path) -> dict[str, str]:
    """Name → version, its marker and its hashes."""
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"\n *#.*", "", path.read_text()))
    return {
        one.split("==")[0].split("[")[0].strip(): one.strip().replace(" \\\n", "") for one in entries if "==" in one
    }


# ----------------------------------------------------------- the services, started by hand


class Composed:
    """The planes and the door of compose.yaml on this machine."""

    def __init__(self, stack: ExitStack, folder: Path, dsn: str, redis: str) -> None:
        self.folder, self.stack = folder, stack
        first = free_ports_in_a_row(100)
        self.watch = first
        self.web, self.live, self.media, self.rtmp, self.door = free_ports(5)
        self.names = {
            "@postgres/livestall": dsn, "redis://redis:6379/0": redis, "http://web:8000": f"http://127.0.0.1:{self.web}",
            "http://localhost:8000": f"http://127.0.0.1:{self.door}", "ws://localhost:8000": f"ws://127.0.0.1:{self.door}",
            "http://localhost:8002": f"http://127.0.0.1:{self.media}", "rtmp://localhost:1935": f"rtmp://127.0.0.1:{self.rtmp}",
            "/var/lib/livestall": str(folder / "data"), "0.0.0.0": "127.0.0.1",
        }  # fmt: skip
        (folder / "data").mkdir()

    def told(self, value: str) -> str:
        """A value of the file as the engine would fill it in, on this machine."""
        value = re.sub(r"\$\{LIVESTALL_SECRET:\?[^}]*\}", SECRET, value)
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        if "@postgres" in value:
            return self.names["@postgres/livestall"]
        for name, here in self.names.items():
            value = value.replace(name, here)
        return value

    def environment(self, name: str) -> dict[str, str]:
        """In a container of its own a plane finds no other at 127.0.0.1; here web does not either."""
        live, media, rtmp = (NOBODY, NOBODY, NOBODY) if name == "web" else (self.live, self.media, self.rtmp)
        given = {key: self.told(str(value)) for key, value in SERVICES[name]["environment"].items()}
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), **given,
            "LIVESTALL_WEB__HOST": "127.0.0.1", "LIVESTALL_WEB__PORT": str(self.web),
            "LIVESTALL_LIVE__PORT": str(live), "LIVESTALL_MEDIA__PORT": str(media),
            "LIVESTALL_MEDIA__RTMP_PORT": str(rtmp), "LIVESTALL_WATCH__PORT": str(self.watch),
        }  # fmt: skip

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "livestall.app.cli", *SERVICES[name]["command"]]
        process = subprocess.Popen(command, env=self.environment(name), stdout=subprocess.DEVNULL)
        self.stack.callback(end, process)

    def once(self, name: str, *arguments: str) -> str:
        command = [sys.executable, "-m", "livestall.app.cli", *(arguments or SERVICES[name]["command"])]
        done = subprocess.run(
            command, env=self.environment(name), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
        return done.stdout

    def open_the_door(self) -> None:
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        text = text.replace("server web:8000", f"server 127.0.0.1:{self.web}")
        text = text.replace("server live:8001", f"server 127.0.0.1:{self.live}")
        text = text.replace("listen 8000", f"listen 127.0.0.1:{self.door}").replace("/tmp/", f"{self.folder}/")
        (self.folder / "nginx.conf").write_text(text)
        words = [nginx(), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;"]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        self.stack.callback(end, process)

    async def is_ready(self, name: str) -> bool:
        """What the file's own health check says."""
        words = [self.told(one) for one in SERVICES[name]["healthcheck"]["test"][1:]]
        plane = 9700 + watch.OFFSETS[name]
        words = [one.replace(str(plane), str(self.watch + watch.OFFSETS[name])) for one in words]
        process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
        return await process.wait() == 0


def nginx() -> str:
    found = shutil.which("nginx")
    if found is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    return found


@pytest.fixture
def composed(dsn: str) -> Iterator[Composed]:
    nginx()
    with ExitStack() as stack:
        redis = stack.enter_context(redis_running())
        folder = Path(tempfile.mkdtemp(prefix="livestall-compose-"))
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        market = Composed(stack, folder, dsn, redis.url)
        market.once("migrate")
        for name in PLANES:
            market.start(name)
        market.open_the_door()
        yield market


async def test_the_planes_behind_the_door_are_a_market(composed: Composed):
    for name in PLANES:
        await until(lambda name=name: composed.is_ready(name), what=f"the health check of {name}")
    told = composed.once("web", "first-run")
    found = re.search(r"(http\S+)/first-run\?token=(\S+)", told)
    assert found, told
    base = f"http://127.0.0.1:{composed.door}"
    assert found[1] == base, "the link is the public address"
    async with Door(base) as door:
        cast = await seed(door, found[2], products=1)
        show = await cast.live_show()
        buyer = await cast.buyer()
        frames: list[Json] = []
        pusher = await cast.push(show["id"])
        try:
            playing = await cast.go_live(show["id"])
            room = await Socket(buyer, show["id"], frames.append).open()
            order = await room.buy({"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1})
            assert order["id"]
            url = playing["playback"]["hls_url"]
            assert url.startswith(f"http://127.0.0.1:{composed.media}/")
            await until(lambda: plays(url), what="the picture")
            await until(cast.all_is_well, what="an operator's page on which all is up")
            await room.close()
        finally:
            pusher.stop()
        async with aiohttp.ClientSession() as stranger:
            ticket = await buyer.post(f"/api/shows/{show['id']}/ticket")
            assert ticket["url"].startswith(f"ws://127.0.0.1:{composed.door}/")
            async with stranger.post(f"{base}/api/hooks/media/embedded", data=b"{}") as answer:
                assert answer.status == 404, "hooks do not come through the door"
            async with stranger.get(f"{base}/") as answer:
                assert answer.status == 200
    assert ids.parse(order["id"])


async def plays(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(url)
        return answer.status_code == 200 and "#EXTINF" in answer.text
