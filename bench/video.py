"""Video, glass to glass: a camera whose picture carries the wall clock, our media process, hls.js in Chromium.

The top 48 rows of the picture hold the clock as a bar code: 32 bits of milliseconds and 8 bits of checksum, 40 blocks
of 32 by 48 pixels. The page reads it from the frame on screen, so "glass" is from painting a frame to showing it, by
one clock, for a viewer who joins a running show. Also measured: a pin's skew against the picture, and the time from
"publish accepted" to the first frame of a page that waits. Beside it, by the same camera, page and clock: the HLS of
nginx with its RTMP module (two-second fragments).

    python bench/video.py [runs]
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from aiohttp import web
from playwright.async_api import async_playwright

import _nginx_rtmp
from _harness import free_port, report, settle, skip, turns_awaited, wait_for
from livestall.base import ids
from livestall.video.backends.embedded import Embedded
from livestall.video.model import Grant

WIDTH, HEIGHT, FPS, GOP = 1280, 720, 30, 30
STRIP, BLOCK, CODES = 48, 32, 40
LOOP_FRAMES = 30
RUNNING_SECONDS, WARM_SECONDS, MEASURE_SECONDS, PINS = 9.0, 3.0, 4.0, 4
"""`RUNNING_SECONDS`: how long the show runs when the viewer joins. In a playlist that has just begun, a player starts
closer to the camera than it ever will again."""
SECRET = secrets.token_hex(32)
HLS = Path(__file__).parents[1] / "web/node_modules/hls.js/dist/hls.min.js"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
LIMITS = {
    "video.glass_default_ms": 2500,
    "video.glass_interactive_ms": 1300,
    "video.pin_skew_ms": 100,
    "video.publish_to_frame_ms": 2000,
}

PAGE = """<!doctype html><body style="margin:0"><video id=v muted playsinline width=640 height=360></video>
<script src="/hls.js"></script><script>
const v = document.getElementById('v'), S = window.S = {samples: [], pins: [], errors: [], first: null, stalls: 0}
const c = document.createElement('canvas'); c.width = 80; c.height = 2
const g = c.getContext('2d', {willReadFrequently: true})
function code() {
  g.drawImage(v, 0, v.videoHeight * 16 / 720, v.videoWidth, v.videoHeight * 16 / 720, 0, 0, 80, 2)
  const d = g.getImageData(0, 0, 80, 1).data, bit = i => ((d[i * 8] + d[i * 8 + 4]) / 2 > 128 ? 1 : 0)
  let n = 0, check = 0
  for (let i = 0; i < 32; i++) n = n * 2 + bit(i)
  for (let i = 32; i < 40; i++) check = check * 2 + bit(i)
  return ((n ^ n >>> 8 ^ n >>> 16 ^ n >>> 24) & 255) === check ? n : null
}
const since = (n, now) => { let x = now % 4294967296 - n; return x < -2147483648 ? x + 4294967296 : x }
let hls, waiting = [], k = 0
window.pin = at => waiting.push(at)
function frame(now, meta) {
  const shown = performance.timeOrigin + Math.min(meta.expectedDisplayTime, now + 50), n = code()
  if (S.first === null && n !== null) S.first = shown
  const playing = hls && hls.playingDate ? hls.playingDate.getTime() : null
  if (playing !== null && n !== null) {
    for (const at of waiting.filter(at => playing >= at - 8)) S.pins.push(since(n, at))
    waiting = waiting.filter(at => playing < at - 8)
  }
  if (k++ % 3 === 0 && n !== null) S.samples.push([Date.now(), since(n, shown)])
  v.requestVideoFrameCallback(frame)
}
v.requestVideoFrameCallback(frame)
v.addEventListener('waiting', () => { if (S.first) S.stalls++ })
function start() {
  hls = new Hls({lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.2})
  hls.on(Hls.Events.ERROR, (_, e) => {
    S.errors.push(e.details)
    if (e.fatal) { hls.destroy(); setTimeout(start, 200) }
  })
  hls.on(Hls.Events.MANIFEST_PARSED, () => v.play())
  hls.loadSource(new URLSearchParams(location.search).get('src')); hls.attachMedia(v)
}
start()
</script>"""


def clock_strip(milliseconds: int) -> bytes:
    """48 rows of luma that say the time."""
    check = (milliseconds ^ milliseconds >> 8 ^ milliseconds >> 16 ^ milliseconds >> 24) & 255
    code = f"{milliseconds:032b}{check:08b}"
    return b"".join((b"\xeb" if bit == "1" else b"\x10") * BLOCK for bit in code) * STRIP


def camera(url: str) -> None:
    """Push the test picture with the clock until killed."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    size = f"{WIDTH}x{HEIGHT}"
    pattern = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FPS}", "-frames:v", str(LOOP_FRAMES)]
    raw = ["-pix_fmt", "yuv420p", "-f", "rawvideo"]
    command = [ffmpeg, "-v", "error", *pattern, *raw, "-"]
    painted = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    grey = b"\x80" * (WIDTH // 2 * STRIP // 2)
    luma, chroma, frame = WIDTH * HEIGHT, WIDTH * HEIGHT // 4, WIDTH * HEIGHT * 3 // 2
    rest: list[bytes] = []
    for at in range(0, len(painted), frame):
        one = painted[at : at + frame]
        blue, red = one[luma + len(grey) : luma + chroma], one[luma + chroma + len(grey) :]
        rest.append(one[WIDTH * STRIP : luma] + grey + blue + grey + red)
    encode = [
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-b:v", "2M",
        "-maxrate", "2M", "-bufsize", "2M", "-g", str(GOP),
        "-keyint_min", str(GOP), "-sc_threshold", "0", "-c:a", "aac", "-b:a", "96k",
        "-flush_packets", "1", "-flvflags", "no_duration_filesize", "-f", "flv", url,
    ]  # fmt: skip
    sound = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(FPS), "-i", "-"]
    pusher = subprocess.Popen([ffmpeg, "-v", "error", *source, *sound, *encode], stdin=subprocess.PIPE)
    assert pusher.stdin is not None
    start, number = time.monotonic(), 0
    while pusher.poll() is None:
        time.sleep(max(0.0, start + number / FPS - time.monotonic()))
        pusher.stdin.write(clock_strip(int(time.time() * 1000) & 0xFFFFFFFF))
        pusher.stdin.write(rest[number % len(rest)])
        number += 1


class Rig:
    """The market's side of the hooks, the page, and the media process."""

    def __init__(self, folder: str, mode: Any) -> None:
        self.mode = mode
        self.stream = ids.new()
        self.accepted = 0.0
        self.http, self.media, self.rtmp = free_port(), free_port(), free_port()
        self._folder = folder
        self._runner: web.AppRunner | None = None
        self._children: list[subprocess.Popen[bytes]] = []

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.post("/hook", self._hook),
                web.get("/hls.js", self._player),
                web.get("/", self._page),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.http).start()
        self._children.append(self._server())

    def _server(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, "LIVESTALL_DATA": self._folder, "LIVESTALL_SECRET": SECRET,
            "LIVESTALL_WEB__HOST": "127.0.0.1",
            "LIVESTALL_MEDIA__PORT": str(self.media), "LIVESTALL_MEDIA__RTMP_PORT": str(self.rtmp),
            "LIVESTALL_MEDIA__HOOK_URL": f"http://127.0.0.1:{self.http}/hook", "LIVESTALL_LOGS__LEVEL": "error",
        }  # fmt: skip
        return subprocess.Popen([sys.executable, "-m", "livestall.app.media"], env=environment)

    @property
    def source(self) -> str:
        return f"http://127.0.0.1:{self.media}/media/{self.stream}/live.m3u8"

    def push(self) -> None:
        url = f"rtmp://127.0.0.1:{self.rtmp}/live/{self.stream}?k=bench"
        command = [sys.executable, __file__, "--camera", url]
        self._children.append(subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL))

    @staticmethod
    async def _player(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(HLS)

    @staticmethod
    async def _page(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        if b'"authorize_publish"' not in body:
            return web.Response(status=204)
        self.accepted = time.time()
        reply = Embedded().reply(Grant(self.stream, self.mode))
        return web.Response(body=reply.body, content_type=reply.media_type)

    async def stop(self) -> None:
        for child in reversed(self._children):
            if os.getpgid(child.pid) == child.pid:
                os.killpg(child.pid, 9)
            child.kill()
            child.wait()
        if self._runner is not None:
            await self._runner.cleanup()


class NginxRig(Rig):
    """The same with nginx in our place."""

    @property
    def source(self) -> str:
        return f"http://127.0.0.1:{self.media}/{self.stream}.m3u8"

    def _server(self) -> subprocess.Popen[bytes]:
        command = _nginx_rtmp.command(Path(self._folder), self.rtmp, self.media, record=False)
        assert command is not None
        return subprocess.Popen(command)


async def run_once(browser: Any, mode: str) -> dict[str, Any]:
    """One broadcast watched by a page that waits for it and by one that joins later; times in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        rig = NginxRig(folder, mode) if mode == "nginx" else Rig(folder, mode)
        await rig.start()
        address = f"http://127.0.0.1:{rig.http}/?src={rig.source}"
        try:
            early = await browser.new_page()
            await early.goto(address)
            await asyncio.to_thread(wait_for, rig.rtmp)
            await asyncio.sleep(0.5)
            rig.push()
            pushed = time.monotonic()
            await early.wait_for_function("S.first !== null", timeout=30_000)
            first = await early.evaluate("S.first")
            await early.close()
            await asyncio.sleep(max(0.0, pushed + RUNNING_SECONDS - time.monotonic()))
            page = await browser.new_page()
            await page.goto(address)
            await page.wait_for_function("S.first !== null", timeout=30_000)
            await asyncio.sleep(WARM_SECONDS)
            begin = time.time() * 1000
            for _ in range(PINS):
                await asyncio.sleep(MEASURE_SECONDS / PINS)
                await page.evaluate("at => pin(at)", time.time() * 1000)
            if mode != "nginx":  # it tells no stream time to hold a pin against
                await page.wait_for_function(f"S.pins.length >= {PINS}", timeout=10_000)
            seen = await page.evaluate("S")
            await page.close()
        finally:
            await rig.stop()
            for one in browser.contexts:  # each page has its own; that of a turn which failed is still there
                await one.close()
    glass = [delay for at, delay in seen["samples"] if at >= begin]
    return {
        "glass": statistics.median(glass),
        "pin": max((abs(skew) for skew in seen["pins"]), default=0.0),
        "first": first - rig.accepted * 1000,
        "stalls": seen["stalls"],
        "errors": sorted(set(seen["errors"])),
    }


async def main(count: int) -> None:
    if not HLS.exists():
        sys.exit("hls.js is missing: run `make setup` first")
    modes = ["default", "interactive"]
    with tempfile.TemporaryDirectory() as folder:
        if _nginx_rtmp.command(Path(folder), 0, 0) is None:
            skip("video.glass_nginx_ms", _nginx_rtmp.MISSING)
        else:
            modes.append("nginx")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        async def run(mode: str) -> dict[str, Any]:
            seen = await run_once(browser, mode)
            print(mode, seen, file=sys.stderr, flush=True)
            return seen

        found = await turns_awaited({mode: lambda mode=mode: run(mode) for mode in modes}, count)
        await browser.close()
    own = found["default"] + found["interactive"]
    others = [one["glass"] for one in found.get("nginx", [])]
    figures = {
        "video.glass_default_ms": [one["glass"] for one in found["default"]],
        "video.glass_interactive_ms": [one["glass"] for one in found["interactive"]],
        "video.pin_skew_ms": [one["pin"] for one in own],
        "video.publish_to_frame_ms": [one["first"] for one in own],
    }
    for name, runs in figures.items():
        beside = {"nginx-rtmp": others} if name.startswith("video.glass") and others else None
        report(name, "ms", runs, limit=LIMITS[name], aim=f"value <= {LIMITS[name]}", beside=beside)
    if others:
        report(
            "video.glass_nginx_ms", "ms", others, note="nginx-rtmp, two-second fragments, by the same page and clock"
        )
    settle()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--camera"]:
        camera(sys.argv[2])
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
