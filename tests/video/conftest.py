"""A media server on free ports, a market that answers its hooks over HTTP, and a real ffmpeg that pushes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import imageio_ffmpeg
import pytest
from aiohttp import ClientSession, web

from helpers.patience import PATIENCE_SECONDS
from livestall.base import ids
from livestall.base.errors import Conflict, Forbidden
from livestall.video.backends.embedded import Embedded
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.hooks import Market
from livestall.video.embedded.http import create_app
from livestall.video.model import Grant, Hook, Settings, WrongStreamKey


class MarketStand:
    """The market's side of the hooks: knows keys, remembers what it was told."""

    def __init__(self) -> None:
        self.keys: dict[UUID, str] = {}
        self.mode = "default"
        self.told: list[Hook] = []
        self.asked: list[Hook] = []
        self.down = False
        self.url = ""

    def add(self) -> tuple[UUID, str]:
        stream_id = ids.new()
        self.keys[stream_id] = ids.new().hex
        return stream_id, self.keys[stream_id]

    def heard(self, kind: str, stream_id: UUID) -> list[Hook]:
        return [hook for hook in self.told if hook.kind == kind and hook.stream == stream_id]

    async def take(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        server = Embedded()
        hook = server.parse_hook(request.headers, await request.read())
        answer: Grant | Conflict | Forbidden | None = None
        if hook.kind == "authorize_publish":
            self.asked.append(hook)
            known = self.keys.get(hook.stream)
            answer = Grant(hook.stream, self.mode) if known == hook.secret else WrongStreamKey()
        else:
            self.told.append(hook)
        reply = server.reply(answer)
        return web.Response(body=reply.body, status=reply.status, content_type=reply.media_type)


class Stand:
    """The media server under test."""

    def __init__(self, engine: Engine, market: MarketStand, base: str, rtmp_port: int, client: ClientSession) -> None:
        self.engine, self.market, self.base, self.rtmp_port, self.client = engine, market, base, rtmp_port, client

    def address(self, stream_id: object, secret: str, app: str = "live") -> str:
        return f"rtmp://127.0.0.1:{self.rtmp_port}/{app}/{stream_id}?k={secret}"

    async def text(self, stream_id: UUID, name: str = "live.m3u8") -> tuple[int, str]:
        async with self.client.get(f"{self.base}/media/{stream_id}/{name}") as answer:
            return answer.status, await answer.text()

    async def bytes(self, stream_id: UUID, name: str, **headers: str) -> bytes:
        async with self.client.get(f"{self.base}/media/{stream_id}/{name}", headers=headers) as answer:
            assert answer.status in {200, 206}, (name, answer.status)
            return await answer.read()


class Pushers:
    """ffmpeg processes; all are ended with the test."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[bytes]] = []

    def __call__(
        self, url: str, *, gop: int = 10, codec: tuple[str, ...] = (), size: str = "160x90", seconds: float = 60,
        rate: int = 20, sound: bool = True, pace: bool = True,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        video = codec or (
            "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-g", str(gop),
            "-keyint_min", str(gop), "-sc_threshold", "0", "-pix_fmt", "yuv420p",
        )  # fmt: skip
        source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
        tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-v", "error"]
        command += [*(["-re"] if pace else []), *source, *([*(["-re"] if pace else []), *tone] if sound else [])]
        command += ["-t", str(seconds), *video, *(["-c:a", "aac", "-b:a", "64k"] if sound else [])]
        command += ["-flush_packets", "1", "-f", "flv", url]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.running.append(process)
        return process

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.communicate()


@pytest.fixture
def push() -> Iterator[Pushers]:
    pushers = Pushers()
    yield pushers
    pushers.end()


@pytest.fixture
async def market() -> AsyncIterator[MarketStand]:
    stand = MarketStand()
    app = web.Application()
    app.router.add_post("/hook", stand.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stand.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield stand
    await runner.cleanup()


@pytest.fixture
async def stand(market: MarketStand, tmp_path: Path) -> AsyncIterator[Stand]:
    async with serve(market, tmp_path / "media") as one:
        yield one


@asynccontextmanager
async def serve(market: MarketStand, folder: Path, **settings: object) -> AsyncGenerator[Stand]:
    """A media server over `folder` that runs while the block lasts."""
    chosen = {"block_seconds": PATIENCE_SECONDS, "poster_seconds": 1.0, "idle_seconds": 5.0, **settings}
    engine = Engine(folder, Market(market.url), Settings(**chosen))  # type: ignore[arg-type]
    runner = web.AppRunner(create_app(engine), access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(engine.stop)
        await engine.start()
        rtmp = await asyncio.get_running_loop().create_server(engine.rtmp, "127.0.0.1", 0)
        stack.callback(rtmp.close)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = await stack.enter_async_context(ClientSession(trust_env=False))
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield Stand(engine, market, base, rtmp.sockets[0].getsockname()[1], client)
