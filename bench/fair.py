"""The fair start, measured: by how much a viewer on WHEP is ahead of one on LL-HLS in a flash sale.

A real market, a host who broadcasts by WebRTC from Chromium, and two viewers in Chromium: a guest of the show on WHEP
(only the show's own people are given it) and a buyer on LL-HLS. The host asks for no countdown. Each page takes the
sale's card as soon as it is there, readies itself, and buys as soon as its button can be used. All on one machine, by
one clock.

    python bench/fair.py [sales]

`fair.advantage_ms` is the time between the two claims reaching their sockets, `fair.decided_ms` the same by the
server's time of the batches that decided them. `fair.announcement_lead_ms` is by how much WHEP saw the announcement
sooner, which is what a start at the host's word would have given away.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from _harness import report, say, settle, skip, turns

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.market import PASSWORD, Cast, Served, in_thread, seed  # pyright: ignore[reportMissingImports]
from livestall.app.demo.client import Door, Json, Person

SALES = 5
LIMIT_MS = 100
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip

PUBLISH = """async ({url, token}) => {
  const peer = window.peer = new RTCPeerConnection({bundlePolicy: "max-bundle"})
  const picture = {width: 640, height: 360}
  const stream = await navigator.mediaDevices.getUserMedia({video: picture})
  const sound = new AudioContext(), tone = sound.createOscillator(), out = sound.createMediaStreamDestination()
  tone.connect(out); tone.start(); await sound.resume()
  stream.addTrack(out.stream.getAudioTracks()[0])
  for (const track of stream.getTracks()) peer.addTransceiver(track, {direction: "sendonly", streams: [stream]})
  const h264 = RTCRtpSender.getCapabilities("video").codecs.filter(one => one.mimeType === "video/H264")
  peer.getTransceivers().find(one => one.sender.track.kind === "video").setCodecPreferences(h264)
  await peer.setLocalDescription(await peer.createOffer())
  await new Promise(done => {
    const look = () => peer.iceGatheringState === "complete" && done()
    peer.onicegatheringstatechange = look; look()
  })
  const headers = {"Content-Type": "application/sdp", Authorization: `Bearer ${token}`}
  const answer = await fetch(url, {method: "POST", headers, body: peer.localDescription.sdp})
  if (!answer.ok) throw new Error(`WHIP answered ${answer.status}`)
  await peer.setRemoteDescription({type: "answer", sdp: await answer.text()})
}"""

WATCH = """() => {
  const now = () => performance.timeOrigin + performance.now()
  const seen = window.seen = {card: null, usable: null, sent: null}
  window.begin = () => Object.assign(seen, {card: null, usable: null, sent: null})
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function (text) {
    if (text.includes('"type":"buy"')) seen.sent ??= now()
    return send.call(this, text)
  }
  const look = () => {
    const card = document.querySelector('[data-testid="flash-card"] button')
    const buy = document.querySelector('dialog button[data-opening]')
    if (card && seen.card === null) { seen.card = now(); card.click() }
    if (buy && !buy.disabled && seen.usable === null) { seen.usable = now(); buy.click() }
  }
  const start = () => new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true})
  document.documentElement ? start() : addEventListener("DOMContentLoaded", start)
}"""


class Viewer:
    """A signed-in person's page in the show's room."""

    def __init__(self, browser: Browser, base: str, login: str) -> None:
        context = browser.new_context(base_url=base, viewport={"width": 390, "height": 844}, bypass_csp=True)
        context.add_init_script(f"({WATCH})()")
        self.page: Page = context.new_page()
        answer = self.page.request.post("/api/sign-in", data={"login": login, "password": PASSWORD})
        assert answer.ok, answer.text()

    def enter(self, show_id: str, *, by_whep: bool) -> None:
        self.page.goto(f"/shows/{show_id}")
        self.page.wait_for_function("document.querySelector('video')?.dataset.status === 'playing'", timeout=40_000)
        found = self.page.evaluate("!!document.querySelector('video').srcObject")
        assert found == by_whep, f"watching by {'WHEP' if found else 'HLS'}"

    def outcome(self, deal_id: str) -> dict[str, float]:
        """What happened in one sale, in milliseconds since the epoch."""
        self.page.wait_for_function("seen.sent !== null", timeout=30_000)
        self.page.get_by_text("Set aside for you for").wait_for(timeout=10_000)
        orders = self.page.request.get("/api/orders").json()["items"]
        (order,) = [one for one in orders if one["lines"][0]["deal_id"] == deal_id]
        seen: dict[str, float] = self.page.evaluate("seen")
        self.page.keyboard.press("Escape")
        return {**seen, "claimed": milliseconds(order["placed_at"])}


def milliseconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp() * 1000


class Market:
    """The served market, its people, and the show."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.show_id = ""
        self.cast: Cast | None = None

    def play(self, scene: Any) -> Any:
        async def run() -> Any:
            async with Door(self.served.base) as door:
                if self.cast is None:
                    self.cast = await seed(door, self.served.first_run_token, products=2, on_hand=1000)
                return await scene(self.cast.at(door))

        return in_thread(run)

    async def prepare(self, cast: Cast) -> Json:
        for name in ("guest", "buyer"):
            await Person(cast.door).sign_up(f"{name}@bench.example", PASSWORD, name)
        show = await cast.live_show("Fair start")
        self.show_id = show["id"]
        staff = {"login": "guest@bench.example", "role": "observer"}
        await cast.creator.put(f"/api/shows/{self.show_id}/staff", staff)
        await cast.creator.post(f"/api/shows/{self.show_id}/preview")
        return await cast.creator.get(f"/api/shows/{self.show_id}/ingest")

    async def sale(self, cast: Cast) -> Json:
        return await cast.flash_sale(self.show_id, countdown_seconds=0, quota=50)


def measure(market: Market, browser: Browser, sales: int) -> list[dict[str, Any]]:
    base = market.served.base
    ingest = market.play(market.prepare)
    host = browser.new_context(base_url=base).new_page()
    host.goto("/")
    host.evaluate(PUBLISH, {"url": ingest["whip_url"], "token": ingest["whip_token"]})
    market.play(lambda cast: cast.go_live(market.show_id))
    guest, buyer = (Viewer(browser, base, f"{name}@bench.example") for name in ("guest", "buyer"))
    guest.enter(market.show_id, by_whep=True)
    buyer.enter(market.show_id, by_whep=False)
    buyer.page.wait_for_timeout(4000)  # the player settles at its distance from the edge
    return turns({"sale": lambda: sold(market, guest, buyer)}, sales)["sale"]


def sold(market: Market, guest: Viewer, buyer: Viewer) -> dict[str, Any]:
    """One sale, over when this returns or raises."""
    for one in (guest, buyer):
        one.page.keyboard.press("Escape")  # what a sale that failed may have left open
        one.page.evaluate("begin()")
    deal = market.play(market.sale)
    try:
        by_whep, by_hls = guest.outcome(deal["id"]), buyer.outcome(deal["id"])
    finally:
        market.play(lambda cast: cast.creator.post(f"/api/deals/{deal['id']}/end"))
    for one in (guest, buyer):
        one.page.get_by_test_id("flash-card").wait_for(state="detached")
    opens, announced = milliseconds(deal["opens_at"]), milliseconds(deal["announced_at"])
    whep = {name: round(at - opens, 1) for name, at in by_whep.items()}
    hls = {name: round(at - opens, 1) for name, at in by_hls.items()}
    seen = {"whep": whep, "hls": hls, "wait": round(opens - announced)}
    say(json.dumps(seen))
    return seen


def main() -> None:
    sales = int(sys.argv[1]) if len(sys.argv) > 1 else SALES
    if not Path(CHROMIUM).exists():
        skip("fair.advantage_ms", "Chromium is not installed")
        return
    served = Served()
    try:
        served.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            found = measure(Market(served), browser, sales)
            browser.close()
    finally:
        served.stop()
        served.remove()
    tell(found)
    settle()


def tell(found: list[dict[str, Any]]) -> None:
    def ahead(what: str) -> list[float]:
        return [abs(one["hls"][what] - one["whep"][what]) for one in found]

    first = sum(one["whep"]["sent"] < one["hls"]["sent"] for one in found)
    report(
        "fair.advantage_ms", "ms", ahead("sent"), limit=LIMIT_MS, aim="max <= 100",
        note=f"between the two claims, whoever was first; WHEP was in {first} of {len(found)} sales",
    )  # fmt: skip
    report("fair.decided_ms", "ms", ahead("claimed"), limit=LIMIT_MS, aim="max <= 100",
           note="between the batches in which the two were decided")  # fmt: skip
    report("fair.button_ms", "ms", ahead("usable"), limit=LIMIT_MS, aim="max <= 100",
           note="between the moments at which the two buttons could be used")  # fmt: skip
    report(
        "fair.announcement_lead_ms", "ms", [one["hls"]["card"] - one["whep"]["card"] for one in found],
        note="by how much WHEP saw the announcement sooner",
    )  # fmt: skip


if __name__ == "__main__":
    main()
