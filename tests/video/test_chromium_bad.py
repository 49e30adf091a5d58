"""What bad encoders send, watched by hls.js in a real Chromium: it plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, async_playwright
from tests.video import test_bad_publishers as bad
from tests.video.conftest import Stand
from tests.video.raw_rtmp import VIDEO, Encoder, Tag, film

from helpers.patience import PATIENCE_SECONDS, until

CHROMIUM = Path("/usr/bin/chromium")
PLAYER = Path(__file__).parents[2] / "web/node_modules/hls.js/dist/hls.light.min.js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--autoplay-policy=no-user-gesture-required"]
PAGE = """<!doctype html><video id=v muted playsinline></video><script src=/hls.js></script><script>
const S = window.S = {fatal: [], frames: 0, first: null, seen: []}, v = document.getElementById('v')
const begun = performance.now()
const hls = new Hls({lowLatencyMode: true})
hls.on(Hls.Events.ERROR, (_, e) => { if (e.fatal) S.fatal.push(e.details) })
hls.on(Hls.Events.MANIFEST_PARSED, () => v.play())
v.requestVideoFrameCallback(function frame() {
  S.frames++; S.first ??= performance.now() - begun; v.requestVideoFrameCallback(frame)
})
hls.loadSource(new URLSearchParams(location.search).get('src')); hls.attachMedia(v)
</script>"""
SEEN = """({...S, at: v.currentTime, start: v.played.length ? v.played.start(0) : null, watched:
    [...Array(v.played.length)].reduce((sum, _, i) => sum + v.played.end(i) - v.played.start(i), 0)})"""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CHROMIUM.exists() or not PLAYER.exists(), reason="needs Chromium and hls.js"),
]


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def player(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(PLAYER)

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/hls.js", player)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def dead(tag: Tag) -> Tag | None:
    return None if tag.kind == VIDEO and not tag.header and 5000 < tag.ms < 10_000 else tag


def radio(tag: Tag) -> Tag | None:
    return None if tag.kind == VIDEO and not tag.header and tag.ms < 9000 else tag


SECONDS = round(PATIENCE_SECONDS)
CASES: dict[str, Any] = {
    "hours": bad.hours, "backwards": bad.backwards, "equal": bad.equal, "hollow": bad.hollow, "wrap": bad.wrap,
    "dead camera": dead, "radio": radio,
}  # fmt: skip


def enough(name: str) -> float:
    return 4 if name == "radio" else 7


async def watch(browser: Browser, site: str, stand: Stand, change: Any, least: float) -> dict[str, Any]:
    """Broadcast what `change` makes, for 16 seconds, or longer if a slow page needs it to see `least` seconds; watched
    from the first list on. Returns what the page saw."""
    page = await browser.new_page()
    await page.goto(f"{site}/hls.js")  # all that is slow about a browser has been done when the stream begins
    stream_id, secret = stand.market.add()
    encoder = Encoder(stand.rtmp_port, f"{stream_id}?k={secret}")
    await encoder.open()
    pushing = asyncio.create_task(encoder.push(film(40), change, 40))
    await until(lambda: (one := stand.engine.streams.get(stream_id)) and one.packager.segments)
    await page.goto(f"{site}/?src={stand.base}/media/{stream_id}/live.m3u8")
    await asyncio.wait({pushing}, timeout=16)
    seen: dict[str, Any] = await page.evaluate(SEEN)
    while not pushing.done() and not seen["fatal"] and seen["watched"] <= least:
        await asyncio.sleep(0.2)
        seen = await page.evaluate(SEEN)
    pushing.cancel()
    await page.close()
    await encoder.close()
    return seen


async def test_hls_js_plays_whatever_the_encoder_does(stand: Stand, site: str) -> None:
    film(40)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        shows = await asyncio.gather(
            *(watch(browser, site, stand, change, enough(name)) for name, change in CASES.items())
        )
        await browser.close()
    for name, seen in zip(CASES, shows, strict=True):
        assert seen["fatal"] == [], (name, seen)
        least = enough(name)
        assert seen["watched"] > least, (name, seen)
        assert seen["frames"] > least * 2, (name, seen)


@pytest.mark.parametrize(("segments", "keyframes"), [(1, "0"), (2, "0,12")])
async def test_who_joins_between_rare_keyframes_waits_for_none(
    stand: Stand, site: str, segments: int, keyframes: str
) -> None:
    """In the stream's first group of pictures, and in a later one. No other comes: who waited for it would have no
    picture, or one that stands still."""
    stream_id, secret = stand.market.add()
    encoder = Encoder(stand.rtmp_port, f"{stream_id}?k={secret}")
    await encoder.open()
    pushing = asyncio.create_task(encoder.push(film(SECONDS, SECONDS, keyframes=keyframes), lambda tag: tag, SECONDS))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)

        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        await page.goto(f"{site}/hls.js")

        def in_the_middle() -> bool:
            one = stand.engine.streams.get(stream_id)
            if one is None or one.packager.next_number < segments or one.packager.current is None:
                return False
            parts = [part for each in (*one.packager.segments, one.packager.current) for part in each.parts]
            return len(parts) > 8 and not any(part.independent for part in parts[-8:])

        await until(in_the_middle)
        await page.goto(f"{site}/?src={stand.base}/media/{stream_id}/live.m3u8")
        await page.wait_for_function("S.frames > 60")
        assert (await page.evaluate("S.fatal")) == []
        await browser.close()
    pushing.cancel()
    await encoder.close()
