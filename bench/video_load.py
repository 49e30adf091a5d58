"""What a stream costs the media process: 30 RTMP ingests with their recordings, and 150 viewers of one LL-HLS stream.

The film (720p, 30 frames/s, 2 Mbit/s, AAC) is painted once and replayed by one light process on the other core. nginx
with its RTMP module takes the same ingests in turn, packed for HLS and recorded too. Viewers follow playlist and parts
with blocking reloads. `video.ingest_core` and `video.viewers_core` are per cent of one core, per ingest and in all.

    python bench/video_load.py
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import ProxyHandler, build_opener

import imageio_ffmpeg

import _nginx_rtmp
import _video_load
from _harness import Meter, free_ports, report, running, say, settle, skip, start_on, turns, wait_for
from livestall.base import ids
from livestall.video.backends.embedded import Embedded
from livestall.video.model import Grant

INGESTS, VIEWERS = 30, 150
WARM_SECONDS, MEASURE_SECONDS = 2.0, 5.0
SERVER_CORE, LOAD_CORE = 0, 1
LOAD = str(Path(_video_load.__file__))


class Hooks(BaseHTTPRequestHandler):
    """The market's side: everyone may publish."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asks = body.get("kind") == "authorize_publish"
        grant = Embedded().reply(Grant(body["stream"], "default")) if asks else None
        self.send_response(200 if grant else 204)
        self.send_header("content-length", str(len(grant.body) if grant else 0))
        self.end_headers()
        self.wfile.write(grant.body if grant else b"")

    def log_message(self, format: str, *_arguments: Any) -> None:  # noqa: A002, ARG002 - the base names it
        return


@contextmanager
def ours(folder: Path) -> Generator[tuple[int, int, int]]:
    """Our media process: (process id, RTMP port, HTTP port)."""
    rtmp, http = free_ports(2)
    market = ThreadingHTTPServer(("127.0.0.1", 0), Hooks)
    Thread(target=market.serve_forever, daemon=True).start()
    environment = {
        **os.environ, "LIVESTALL_DATA": str(folder), "LIVESTALL_SECRET": secrets.token_hex(32),
        "LIVESTALL_WEB__HOST": "127.0.0.1", "LIVESTALL_MEDIA__PORT": str(http), "LIVESTALL_LOGS__LEVEL": "error",
        "LIVESTALL_MEDIA__RTMP_PORT": str(rtmp),
        "LIVESTALL_MEDIA__HOOK_URL": f"http://127.0.0.1:{market.server_address[1]}/hook",
    }  # fmt: skip
    with running(SERVER_CORE, [sys.executable, "-m", "livestall.app.media"], port=rtmp, env=environment) as process:
        yield process.pid, rtmp, http
    market.shutdown()


@contextmanager
def nginx(folder: Path) -> Generator[tuple[int, int, int]]:
    rtmp, http = free_ports(2)
    command = _nginx_rtmp.command(folder, rtmp, http)
    assert command is not None
    with running(SERVER_CORE, command, port=rtmp) as process:
        yield process.pid, rtmp, http


@contextmanager
def pushed(film: Path, rtmp: int, names: list[str]) -> Generator[subprocess.Popen[str]]:
    process = start_on(LOAD_CORE, [sys.executable, LOAD, "push", str(film), f"127.0.0.1:{rtmp}", *names])
    try:
        time.sleep(2.0 + WARM_SECONDS)
        yield process
    finally:
        process.kill()
        process.wait()


def ingests(server: Any, film: Path) -> float:
    """Per cent of a core for each of the ingests, all at once. Raises RuntimeError when not all of them record."""
    names = [f"{ids.new()}?k=bench" for _ in range(INGESTS)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        process_id, rtmp, _ = stack.enter_context(server(folder))
        pusher = stack.enter_context(pushed(film, rtmp, names))
        meter, load = Meter(process_id), Meter(pusher.pid)
        time.sleep(MEASURE_SECONDS)
        core = meter.core() * 100 / INGESTS
        recorded = [*folder.rglob("recording.mp4"), *folder.glob("*.flv")]
        written = sum(one.stat().st_size for one in recorded) * 8 / 1e6 / INGESTS / (WARM_SECONDS + MEASURE_SECONDS)
        say(f"{server.__name__}: {core:.2f} % of a core each; {len(recorded)} recordings of {written:.1f} Mbit/s; "
            f"the load took {load.core():.2f} of its core")  # fmt: skip
        if len(recorded) != INGESTS or written < 1:
            raise RuntimeError(f"{len(recorded)} of {INGESTS} recordings, {written:.2f} Mbit/s each")
        return core


def viewers(film: Path) -> dict[str, float]:
    """150 viewers of one stream: cores of the server in all, and parts that each had a second."""
    stream = ids.new()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        process_id, rtmp, http = stack.enter_context(ours(Path(name)))
        wait_for(http)
        stack.enter_context(pushed(film, rtmp, [f"{stream}?k=bench"]))
        url = f"http://127.0.0.1:{http}/media/{stream}/live.m3u8"
        build_opener(ProxyHandler({})).open(url, timeout=10).read()
        alone = Meter(process_id)
        time.sleep(2.0)
        base = alone.core()
        seconds = MEASURE_SECONDS + 2
        command = [sys.executable, LOAD, "watch", url, str(VIEWERS), str(seconds)]
        crowd = start_on(LOAD_CORE, command, stdout=subprocess.PIPE)
        time.sleep(1.0)
        meter = Meter(process_id)
        time.sleep(MEASURE_SECONDS - 1)
        core = meter.core()
        seen = json.loads(crowd.communicate(timeout=30)[0])
    say(f"{VIEWERS} viewers: {core:.3f} of a core, {base:.3f} without them; {seen}")
    return {"core": core * 100, "base": base * 100, "rate": seen["parts"] / seconds / VIEWERS, "failed": seen["failed"]}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        film = Path(name) / "film.flv"
        _video_load.film(imageio_ffmpeg.get_ffmpeg_exe(), film)
        subjects = {"ours": lambda: ingests(ours, film)}
        if _nginx_rtmp.command(Path(name), 0, 0) is None:
            skip("video.ingest_nginx_core", _nginx_rtmp.MISSING)
        else:
            subjects = {"nginx": lambda: ingests(nginx, film), **subjects}
        found = turns(subjects)
        crowd = turns({"viewers": lambda: viewers(film)})["viewers"]
    beside = {"nginx-rtmp": found["nginx"]} if "nginx" in found else {}
    report(
        "video.ingest_core", "% of a core", found["ours"], limit=0.6, aim="value <= 0.6", beside=beside,
        note=f"each of {INGESTS} RTMP ingests of 2 Mbit/s, packed for LL-HLS and recorded",
    )  # fmt: skip
    rate = f", {crowd[0]['rate']:.2f} parts/s each" if crowd else ""
    report(
        "video.viewers_core", "% of a core", [one["core"] for one in crowd], limit=[one["base"] for one in crowd],
        note=f"{VIEWERS} LL-HLS viewers of one stream{rate}; limit: nobody watches",
        failed=sum(one["failed"] for one in crowd),
    )  # fmt: skip
    settle()


if __name__ == "__main__":
    main()
