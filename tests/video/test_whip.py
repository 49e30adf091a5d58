"""WHIP in and WHEP out, with aiortc as the browser."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator
from typing import Any

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from tests.video.conftest import Stand

from helpers.patience import PATIENCE_SECONDS, until
from livestall.video.embedded import rtc
from livestall.video.model import preview_token


class Colours(VideoStreamTrack):
    """A small picture that changes."""

    async def recv(self) -> Any:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame(160, 96, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([pts // 3000 % 200 + 20]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, base
        return frame


class Browser:
    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    async def offer(self, codec: str = "video/H264") -> str:
        for track in (Colours(), AudioStreamTrack()):
            self.connection.addTrack(track)
        for transceiver in self.connection.getTransceivers():
            if transceiver.kind == "video":
                codecs = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences([one for one in codecs if one.mimeType == codec])
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))


@pytest.fixture
async def browsers() -> AsyncIterator[list[Browser]]:
    made: list[Browser] = []
    yield made
    for browser in made:
        await browser.connection.close()


async def post(stand: Stand, path: str, text: str, token: str = "") -> tuple[int, str, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with stand.client.post(f"{stand.base}/media/{path}", data=text, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def publish(stand: Stand, browsers: list[Browser], stream_id: object, secret: str) -> Browser:
    browser = Browser()
    browsers.append(browser)
    status, answer, location = await post(stand, f"{stream_id}/whip", await browser.offer(), secret)
    assert status == 201, answer
    assert location == f"/media/{stream_id}/whip"
    await browser.take(answer)
    return browser


async def test_a_browser_broadcasts_is_previewed_and_ends(stand: Stand, browsers: list[Browser]) -> None:
    stream_id, secret = stand.market.add()
    await publish(stand, browsers, stream_id, secret)
    await until(lambda: stand.market.heard("published", stream_id))
    status, text = await stand.text(stream_id)
    assert status == 200
    init = re.findall(r'EXT-X-MAP:URI="([^"]+)"', text)[0]
    names = re.findall(r"^(\S+\.m4s)$", text, re.MULTILINE)
    data = await stand.bytes(stream_id, init)
    for name in names:
        data += await stand.bytes(stream_id, name)
    decoder = av.open(io.BytesIO(data))
    assert {one.codec_context.name for one in decoder.streams} == {"h264", "aac"}
    assert sum(1 for _ in decoder.decode(video=0)) > 5
    decoder.close()

    viewer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    seen: list[Any] = []
    viewer.on("track", lambda track: track.kind == "video" and seen.append(track))
    viewer.addTransceiver("video", direction="recvonly")
    viewer.addTransceiver("audio", direction="recvonly")
    await viewer.setLocalDescription(await viewer.createOffer())
    offer = viewer.localDescription.sdp
    assert (await post(stand, f"{stream_id}/whep?token=1.x", offer))[0] == 403
    status, answer, _ = await post(stand, f"{stream_id}/whep?token={preview_token(stream_id)}", offer)
    assert status == 201, answer
    await viewer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        packet = await seen[0].recv()
    assert bytes(packet)
    await viewer.close()

    headers = {"Authorization": f"Bearer {secret}"}
    async with stand.client.delete(f"{stand.base}/media/{stream_id}/whip", headers=headers) as gone:
        assert gone.status == 200
    await until(lambda: stand.market.heard("unpublished", stream_id))


async def test_a_wrong_token_or_offer_is_refused(stand: Stand, browsers: list[Browser]) -> None:
    stream_id, secret = stand.market.add()
    browser = Browser()
    browsers.append(browser)
    offer = await browser.offer()
    assert (await post(stand, f"{stream_id}/whip", offer))[0] == 401
    assert (await post(stand, f"{stream_id}/whip", offer, "wrong"))[0] == 403
    assert (await post(stand, f"{stream_id}/whip", "v=0\r\nnonsense", secret))[0] == 422
    assert (await post(stand, f"{stream_id}/whip", "\xff" * 10, secret))[0] == 422
    only_vp8 = Browser()
    browsers.append(only_vp8)
    assert (await post(stand, f"{stream_id}/whip", await only_vp8.offer("video/VP8"), secret))[0] == 422
    assert not stand.market.told


async def test_a_browser_that_reconnects_takes_over(stand: Stand, browsers: list[Browser]) -> None:
    stream_id, secret = stand.market.add()
    await publish(stand, browsers, stream_id, secret)
    await until(lambda: stand.market.heard("published", stream_id))
    await publish(stand, browsers, stream_id, secret)
    await until(lambda: len(stand.market.heard("published", stream_id)) == 2)
    gone = await until(lambda: stand.market.heard("unpublished", stream_id))
    assert "took over" in gone[0].reason
    assert [one.protocol for one in stand.engine.online()] == ["whip"]


def test_a_public_address_is_offered_beside_the_own_one() -> None:
    sdp = "v=0\r\na=candidate:1 1 udp 2130706431 10.0.0.5 4567 typ host\r\na=end-of-candidates\r\n"
    lines = rtc.with_candidates(sdp, ["203.0.113.7"]).splitlines()
    assert lines[2] == "a=candidate:10 1 udp 2130706431 203.0.113.7 4567 typ host"
    assert rtc.with_candidates(sdp, []) == sdp


def test_rtp_time_wraps_without_a_jump() -> None:
    clock = rtc.MediaTime(1000)
    before = clock.of("video", (1 << 32) - 3000)
    assert clock.of("video", 0) == pytest.approx(before + 1 / 30, abs=1e-6)


async def test_a_browser_whose_camera_dies_goes_on_with_sound(
    stand: Stand, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtc, "SILENCE_SECONDS", 2.0)
    stream_id, secret = stand.market.add()
    browser = await publish(stand, browsers, stream_id, secret)
    await until(lambda: stand.market.heard("published", stream_id))
    (camera,) = (one for one in browser.connection.getSenders() if one.kind == "video")
    camera.replaceTrack(None)
    packager = stand.engine.streams[stream_id].packager
    await until(lambda: packager.still)
    number = packager.next_number
    await until(lambda: packager.next_number >= number + 2)
    assert not stand.market.heard("unpublished", stream_id), "the show lives as long as it is heard"
    await until(lambda: [one for hook in stand.market.heard("warned", stream_id) for one in hook.warnings])
    (microphone,) = (one for one in browser.connection.getSenders() if one.kind == "audio")
    microphone.replaceTrack(None)
    await until(lambda: stand.market.heard("unpublished", stream_id))
    assert stand.market.heard("unpublished", stream_id)[0].reason == "nothing arrived for a while"
