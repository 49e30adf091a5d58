"""The media process: RTMP, and HTTP with LL-HLS, WHIP and WHEP."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from livestall.app import guard, settings
from livestall.app.handoff import Handoff
from livestall.app.watch import Watch
from livestall.base import config
from livestall.base import log as logs
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.hooks import Market
from livestall.video.embedded.http import create_app

log = structlog.get_logger()
BACKLOG = 1024


def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    guard.end_with_parent()
    core = settings.load()
    how = config.of(settings.Logs)
    logs.set_up("media", as_json=how.as_json, level=how.level)
    uvloop.run(serve(core))


async def serve(core: settings.Core) -> None:
    here, media = config.of(settings.Web), config.of(settings.Media)
    hook_url = media.hook_url or f"http://127.0.0.1:{here.port}/api/hooks/media/embedded"
    engine = Engine(Path(core.data) / "media", Market(hook_url), media)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    handoff, watch = Handoff(stopping.set), Watch("media")
    rtmp_listener = handoff.listener("media.rtmp_port", here.host, media.rtmp_port)
    http_listener = handoff.listener("media.port", here.host, media.port)
    runner = web.AppRunner(create_app(engine), access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await handoff.go()
    await engine.start()
    rtmp = await loop.create_server(engine.rtmp, sock=rtmp_listener, backlog=BACKLOG)
    site = web.SockSite(runner, http_listener, backlog=BACKLOG)
    await site.start()
    watch.start()
    log.info("media is up", rtmp_port=media.rtmp_port, http_port=media.port)
    await stopping.wait()
    watch.leave()
    rtmp.close()
    await engine.stop()
    handoff.closed()
    await runner.cleanup()


if __name__ == "__main__":
    run()
