"""The media process: RTMP, and HTTP with LL-HLS, WHIP and WHEP."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from livestall.app import guard, registration, settings
from livestall.app.elders import Elders, elder_routes
from livestall.app.handoff import Handoff
from livestall.app.watch import Watch
from livestall.base import config
from livestall.base import log as logs
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.hooks import Market
from livestall.video.embedded.http import create_app

log = structlog.get_logger()
BACKLOG = 1024
LOOK_SECONDS = 1.0


def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    guard.end_with_parent()
    core = settings.load_for_plane(database=False)
    how = config.of(settings.Logs)
    logs.set_up("media", as_json=how.as_json, level=how.level)
    uvloop.run(serve(core))


async def serve(core: settings.Core) -> None:
    here, media = config.of(settings.Web), config.of(settings.Media)
    hook_url = media.hook_url or f"http://127.0.0.1:{here.port}/api/hooks/media/embedded"
    folder = Path(core.data) / "media"
    me = registration.describe(folder, hook_url if media.hook_url else "")
    market = Market(hook_url, me.id)
    engine = Engine(folder, market, media)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    leaving = asyncio.Event()
    handoff, watch = Handoff(leaving.set), Watch("media")
    rtmp_listener = handoff.listener("media.rtmp_port", here.host, media.rtmp_port)
    http_listener = handoff.listener("media.port", here.host, media.port)
    await handoff.go()
    elders = Elders(engine, handoff.elders)
    engine.before_open = elders.take_over
    app = create_app(engine)
    app.middlewares.append(elders.middleware)
    app.add_routes(elder_routes(engine))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await elders.start()
    await engine.start()
    rtmp = await loop.create_server(engine.rtmp, sock=rtmp_listener, backlog=BACKLOG)
    site = web.SockSite(runner, http_listener, backlog=BACKLOG)
    await site.start()
    beating = asyncio.create_task(market.beat_forever(lambda: registration.now(me, engine, market.clock)))
    watch.start()
    log.info("media is up", rtmp_port=media.rtmp_port, http_port=media.port)
    await _first(stopping, leaving)
    watch.leave()
    beating.cancel()
    rtmp.close()
    if leaving.is_set():
        elders.leaving = True
        await _carry_on(engine, runner, site, handoff, stopping)
    await engine.stop()
    handoff.closed()
    await elders.close()
    await runner.cleanup()


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(one.wait()) for one in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()


async def _carry_on(
    engine: Engine, runner: web.AppRunner, site: web.SockSite, handoff: Handoff, stopping: asyncio.Event
) -> None:
    """Another process has the public ports: answer it on a private one until the last show here has ended."""
    private = web.TCPSite(runner, "127.0.0.1", 0)
    await private.start()
    await site.stop()
    port = int(runner.addresses[0][1])
    handoff.closed(f"http://127.0.0.1:{port}")
    deadline = asyncio.get_running_loop().time() + engine.settings.leave_seconds
    while any(one.session is not None for one in engine.streams.values()) and not stopping.is_set():
        if asyncio.get_running_loop().time() > deadline:
            log.warning("a show is cut: it was carried as long as is allowed", seconds=engine.settings.leave_seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


if __name__ == "__main__":
    run()
