"""A show over a real nginx with Debian's RTMP module: our configuration, hooks, reconciling and replay."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import httpx
import msgspec
import pytest

from helpers.market import Cast, Pusher, Served, seed, until
from helpers.patience import PATIENCE_SECONDS
from helpers.ports import free_ports, listens
from helpers.processes import end
from livestall.app.demo.client import Door, Json

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None or not MODULE.exists(),
    reason="needs nginx with its RTMP module (Debian: nginx-light libnginx-mod-rtmp)",
)


class Nginx:
    """nginx as `livestall media-config` describes it, beside a market that knows it as "edge"."""

    def __init__(self) -> None:
        self.rtmp, self.http = free_ports(2)
        self.base = f"http://127.0.0.1:{self.http}"
        self.served = Served(
            media__carry="false",
            media__servers=msgspec.json.encode([{
                "name": "edge", "kind": "nginx-rtmp", "rtmp": f"rtmp://127.0.0.1:{self.rtmp}/live",
                "hls": f"{self.base}/hls", "control": self.base, "recordings": "@folder@/recordings",
            }]).decode(),
        )  # fmt: skip
        self.folder = self.served.folder / "nginx"
        servers = self.served.environment["LIVESTALL_MEDIA__SERVERS"].replace("@folder@", str(self.folder))
        self.served.environment["LIVESTALL_MEDIA__SERVERS"] = servers
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.served.start()
        for name in ("hls", "recordings", "bodies"):
            (self.folder / name).mkdir(parents=True)
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o777)  # its workers may run as another user
        written = subprocess.run(
            [sys.executable, "-m", "livestall.app.cli", "media-config", "edge", "--folder", str(self.folder)],
            env=self.served.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        self.config = self.folder / "nginx.conf"
        self.config.write_text(written.stdout)
        self.run()

    def run(self) -> None:
        with (self.folder / "nginx.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["nginx", "-p", str(self.folder), "-c", str(self.config), "-g", "daemon off;"], stderr=log
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (listens(self.rtmp) and listens(self.http)):  # an encoder tries once
            assert time.monotonic() < deadline, (self.folder / "nginx.log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def close(self) -> None:
        self.stop()
        self.served.stop()
        self.served.remove()


@pytest.fixture(scope="module")
def nginx() -> Iterator[Nginx]:
    one = Nginx()
    try:
        one.start()
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def people(nginx: Nginx) -> dict[str, Cast]:
    return {}


@pytest.fixture
async def cast(nginx: Nginx, people: dict[str, Cast]) -> AsyncIterator[Cast]:
    async with Door(nginx.served.base) as door:
        if "first" not in people:
            people["first"] = await seed(door, nginx.served.first_run_token, products=1)
            await until(lambda: carried(people["first"]), what="the market has met nginx")
        yield people["first"].at(door)


async def carried(cast: Cast) -> bool:
    """Whether a new show goes to nginx: the worker has asked it once."""
    show = await cast.live_show("A probe")
    return (await ingest(cast, show))["server_kind"] == "nginx-rtmp"


@pytest.fixture
def pushers() -> Iterator[list[Pusher]]:
    running: list[Pusher] = []
    yield running
    for one in running:
        one.stop()


async def ingest(cast: Cast, show: Json) -> Json:
    return await cast.creator.get(f"/api/shows/{show['id']}/ingest")


async def look(cast: Cast, show: Json) -> Json:
    return await cast.creator.get(f"/api/shows/{show['id']}")


async def is_in(cast: Cast, show: Json, state: str) -> bool:
    return (await look(cast, show))["state"] == state


async def on_air(cast: Cast, show: Json, pushers: list[Pusher]) -> Json:
    where = await ingest(cast, show)
    pushers.append(Pusher(f"{where['rtmp_server']}/{where['rtmp_key']}"))
    await cast.go_live(show["id"])
    return where


async def fetch(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        return await client.get(url)


async def playlist_of(playback: Json) -> str:
    async def there() -> str:
        answer = await fetch(playback["hls_url"])
        return answer.text if answer.status_code == 200 and ".ts" in answer.text else ""

    return await until(there, what="the playlist")


async def test_a_show_from_the_key_to_the_replay(nginx: Nginx, cast: Cast, pushers: list[Pusher]):
    show = await cast.live_show()
    where = await ingest(cast, show)
    assert where["whip_url"] is None, "nginx takes no browser's camera, and says so"
    assert where["whip_token"] is None
    name, _, _ = where["rtmp_key"].partition("?k=")

    stranger = Pusher(f"{where['rtmp_server']}/{name}?k=wrong")
    pushers.append(stranger)
    assert await asyncio.to_thread(stranger.process.wait, PATIENCE_SECONDS) != 0, "a wrong key is refused"

    await on_air(cast, show, pushers)
    seen = await look(cast, show)
    playback = seen["playback"]
    assert playback["part_seconds"] == 0
    assert playback["target_latency_seconds"] == 6
    assert playback["edge_delay_seconds"] > 0, "there is no stream time in its playlist"
    assert playback["whep_url"] is None
    text = await playlist_of(playback)
    assert "PROGRAM-DATE-TIME" not in text
    name = re.findall(r"^(\S+\.ts)$", text, re.MULTILINE)[0]
    segment = await fetch(f"{nginx.base}/hls/{name}")
    with av.open(io.BytesIO(segment.content), format="mpegts") as container:
        assert sum(1 for _ in container.decode(video=0)) > 5

    second = Pusher(f"{where['rtmp_server']}/{where['rtmp_key']}")
    pushers.append(second)
    assert await asyncio.to_thread(second.process.wait, PATIENCE_SECONDS) != 0, "a second publisher is refused by nginx"
    assert await is_in(cast, show, "live"), "and what it did changes nothing for the first"

    pushers[1].process.kill()
    await until(lambda: is_in(cast, show, "interrupted"), what="the interruption")
    pushers.append(Pusher(f"{where['rtmp_server']}/{where['rtmp_key']}"))
    await until(lambda: is_in(cast, show, "live"), what="the picture back")
    await playlist_of(playback)

    await asyncio.sleep(3)  # two parts of a recording, each long enough to be one
    await cast.creator.post(f"/api/shows/{show['id']}/end")
    assert await asyncio.to_thread(pushers[-1].process.wait, PATIENCE_SECONDS) != 0, "whoever is left is thrown out"
    await until(lambda: is_in(cast, show, "replay"), what="the replay")
    await check_replay(await look(cast, show))


async def check_replay(show: Json) -> None:
    playback = show["playback"]
    assert playback["kind"] == "replay"
    assert playback["edge_delay_seconds"] is None
    answer = await fetch(playback["hls_url"])
    assert answer.status_code == 200, answer.text
    text = answer.text
    assert "#EXT-X-ENDLIST" in text
    assert text.count("#EXT-X-PROGRAM-DATE-TIME") == 2, "each part says when it was"
    assert "#EXT-X-DISCONTINUITY\n" in text
    seconds = sum(float(one) for one in re.findall(r"#EXTINF:([\d.]+)", text))
    media = await fetch(playback["hls_url"].replace("replay.m3u8", "recording.mp4"))
    pictures = 0
    inits = re.findall(r'MAP:URI="recording.mp4",BYTERANGE="(\d+)@(\d+)"', text)
    for index, (size, at) in enumerate(inits):
        end = int(inits[index + 1][1]) if index + 1 < len(inits) else len(media.content)
        assert int(size) > 0
        with av.open(io.BytesIO(media.content[int(at) : end]), format="mov") as container:
            assert {one.type for one in container.streams} == {"video", "audio"}
            pictures += sum(1 for _ in container.decode(video=0))
    assert abs(pictures / 25 - seconds) < 0.5, (pictures, seconds)


async def test_a_replaced_key_throws_its_publisher_out(cast: Cast, pushers: list[Pusher]):
    show = await cast.live_show()
    await on_air(cast, show, pushers)
    await cast.creator.post(f"/api/shows/{show['id']}/ingest/rotate")
    assert await asyncio.to_thread(pushers[-1].process.wait, PATIENCE_SECONDS) != 0
    await until(lambda: is_in(cast, show, "interrupted"), what="the interruption")
    fresh = await ingest(cast, show)
    pushers.append(Pusher(f"{fresh['rtmp_server']}/{fresh['rtmp_key']}"))
    await until(lambda: is_in(cast, show, "live"), what="the new key opens")
    await cast.creator.post(f"/api/shows/{show['id']}/end")


async def test_a_key_in_another_spelling_is_refused(cast: Cast, pushers: list[Pusher]):
    """nginx would write its playlist under the name as it was spelled, where no viewer looks."""
    where = await ingest(cast, await cast.live_show())
    name, _, secret = where["rtmp_key"].partition("?k=")
    pushers.append(Pusher(f"{where['rtmp_server']}/{name.upper()}?k={secret}"))
    assert await asyncio.to_thread(pushers[-1].process.wait, PATIENCE_SECONDS) != 0


async def test_a_server_that_dies_interrupts_its_shows_and_comes_back(nginx: Nginx, cast: Cast, pushers: list[Pusher]):
    show = await cast.live_show()
    where = await on_air(cast, show, pushers)
    nginx.stop()  # no hook tells of it
    await until(lambda: is_in(cast, show, "interrupted"), what="the interruption")
    nginx.run()
    pushers.append(Pusher(f"{where['rtmp_server']}/{where['rtmp_key']}"))
    await until(lambda: is_in(cast, show, "live"), what="the picture back, though its client number came again")
    await cast.creator.post(f"/api/shows/{show['id']}/end")
