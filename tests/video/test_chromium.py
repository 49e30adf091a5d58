"""A real browser broadcasts its (fake) camera and watches its own preview."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import async_playwright
from tests.video.conftest import Stand

from helpers.patience import PATIENCE_SECONDS, until
from livestall.video.model import preview_token

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]  # fmt: skip
SCRIPT = """
async ({whip, token, whep}) => {
  const connect = async (pc, url, headers) => {
    await pc.setLocalDescription(await pc.createOffer())
    await new Promise(done => {
      if (pc.iceGatheringState === 'complete') done()
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done()
      setTimeout(done, 1500)
    })
    const answer = await fetch(url, {method: 'POST', body: pc.localDescription.sdp, headers})
    if (!answer.ok) throw new Error(url + ' ' + answer.status + ' ' + await answer.text())
    await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()})
  }
  if (whip) {
    const camera = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 360}, audio: true})
    const pc = window.out = new RTCPeerConnection()
    camera.getTracks().forEach(track => pc.addTransceiver(track, {direction: 'sendonly'}))
    await connect(pc, whip, {'Content-Type': 'application/sdp', Authorization: 'Bearer ' + token})
    return
  }
  const pc = window.in_ = new RTCPeerConnection()
  const video = document.body.appendChild(document.createElement('video'))
  video.muted = true
  pc.addTransceiver('video', {direction: 'recvonly'})
  pc.addTransceiver('audio', {direction: 'recvonly'})
  const stream = new MediaStream()
  pc.ontrack = event => { stream.addTrack(event.track); video.srcObject = stream; video.play() }
  await connect(pc, whep, {'Content-Type': 'application/sdp'})
  await new Promise(done => video.requestVideoFrameCallback(done))
  return [video.videoWidth, video.videoHeight]
}
"""


@pytest.mark.e2e
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
async def test_chromium_broadcasts_and_sees_itself(stand: Stand) -> None:
    stream_id, secret = stand.market.add()
    base = f"{stand.base}/media/{stream_id}"
    app = web.Application()

    async def blank(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><body>", content_type="text/html")

    app.router.add_get("/", blank)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            page = await browser.new_page()
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            await page.evaluate(SCRIPT, {"whip": f"{base}/whip", "token": secret})
            await until(lambda: stand.market.heard("published", stream_id))
            whep = f"{base}/whep?token={preview_token(stream_id)}"
            width, height = await page.evaluate(SCRIPT, {"whep": whep})
            assert width / height == pytest.approx(16 / 9, abs=0.02)
            await until(lambda: stand.engine.streams[stream_id].packager.next_number >= 2)
            assert stand.engine.online()[0].protocol == "whip"
            await until(lambda: stand.engine.online()[0].fps > 3, what="a picture that moves")
            await page.evaluate("() => { out.close() }")
            await until(lambda: stand.market.heard("unpublished", stream_id))
            await browser.close()
    finally:
        await runner.cleanup()
