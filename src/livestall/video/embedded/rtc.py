"""WHIP in and WHEP out on aiortc: H.264 passes through, only Opus becomes AAC for HLS."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import av.error
import structlog
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from livestall.video.embedded import fmp4, h264, metrics, passthrough
from livestall.video.embedded.aac import OpusToAac
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.packager import Packager
from livestall.video.embedded.stream import LiveStream, Session

log = structlog.get_logger()
CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 10.0
RATES = {"video": 90_000, "audio": 48_000}


class BadOffer(Exception):
    """The offer cannot be answered; the sentence tells why."""


class MediaTime:
    """RTP timestamps, which wrap and start anywhere, to media seconds on one axis for picture and sound."""

    STEP_SECONDS = 0.15

    def __init__(self, start_ms: int) -> None:
        self._base = time.monotonic() - start_ms / 1000
        self._last: dict[str, int] = {}
        self._offset: dict[str, float] = {}

    def of(self, kind: str, timestamp: int) -> float:
        last = self._last.get(kind, timestamp)
        step = (timestamp - last + (1 << 31)) % (1 << 32) - (1 << 31)
        whole = self._last[kind] = last + step
        seconds = whole / RATES[kind]
        delay = time.monotonic() - self._base - seconds
        known = self._offset.get(kind)
        if known is None or delay < known - self.STEP_SECONDS or delay > known + SILENCE_SECONDS:
            self._offset[kind] = delay
        return max(0.0, seconds + self._offset[kind])


class Picture:
    """Annex B frames into a packager."""

    def __init__(self, packager: Packager) -> None:
        self._packager = packager
        self._sps = self._pps = b""

    def push(self, frame: bytes, seconds: float) -> None:
        """Raises h264.BadVideo."""
        units: list[bytes] = []
        key = False
        for unit in h264.nal_units(frame):
            kind = unit[0] & 31
            if kind == h264.NAL_SPS:
                self._sps = unit
            elif kind == h264.NAL_PPS:
                self._pps = unit
            elif kind not in {h264.NAL_SEI, h264.NAL_DELIMITER, h264.NAL_FILLER}:
                key = key or kind == h264.NAL_IDR
                units.append(struct.pack(">I", len(unit)) + unit)
        if key and len(self._sps) > 4 and self._pps:
            self._packager.set_video(fmp4.video_track(h264.avc_config(self._sps, self._pps)))
        if units:
            self._packager.add_video(round(seconds * 90_000), 0, b"".join(units), key=key)


class WhipPublisher:
    """One browser that broadcasts. It takes the stream over when its media is connected, not before."""

    def __init__(self, engine: Engine, stream: LiveStream, secret: str) -> None:
        self._engine, self._stream = engine, stream
        self.secret = secret
        self.connection = _connection()
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.relay = MediaRelay()
        self._session: Session | None = None
        self._time = MediaTime(0)
        self._tasks: list[asyncio.Task[None]] = []
        self._receiver: RTCRtpReceiver | None = None
        self._heard = 0.0

    async def answer(self, offer: str) -> str:
        """The SDP answer. Raises BadOffer."""
        # Codecs must be chosen before the offer is set: aiortc intersects them there, and VP8 would win.
        receiver: RTCRtpReceiver = _transceiver(self.connection, "video", "recvonly").receiver
        self._receiver = receiver
        passthrough.without_estimator(receiver)
        _transceiver(self.connection, "audio", "recvonly")
        self.connection.on("track", self._on_track)
        self.connection.on("connectionstatechange", self._on_state)
        try:
            return await _answer(self.connection, offer, self._engine.settings.ice_addresses)
        except BadOffer:
            await self.connection.close()
            raise
        finally:
            asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._session is None:
            self._later(self.connection.close())

    def _later(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(what)
        self._tasks.append(task)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.tracks[track.kind] = track

    def _on_state(self) -> None:
        state = self.connection.connectionState
        if state == "connected" and self._session is None:
            self._begin()
        elif state in {"failed", "closed"}:
            self.end("the browser disconnected")

    def _begin(self) -> None:
        if "video" not in self.tracks:
            self._later(self.connection.close())
            return
        self._session, start = self._engine.begin(self._stream, "whip", self.end)
        self._time = MediaTime(start)
        self._stream.relay = self
        for kind, carry in (("audio", self._carry_sound), ("video", self._carry_picture)):
            if kind in self.tracks:
                self._later(self._guard(carry(self.relay.subscribe(self.tracks[kind]))))
        self._later(self._ask_for_keyframes())

    def end(self, reason: str) -> None:
        """Safe to repeat."""
        session, self._session = self._session, None
        if session is not None:
            self._engine.end(session, reason)
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        if self.connection.connectionState != "closed":
            asyncio.get_running_loop().create_task(self.connection.close())

    async def _guard(self, carry: Coroutine[Any, Any, None]) -> None:
        reason = "the browser stopped"
        try:
            await carry
        except MediaStreamError:
            pass
        except TimeoutError:
            reason = "nothing arrived for a while"
        except (h264.BadVideo, av.error.FFmpegError) as error:
            reason = str(error)
            metrics.REFUSED.labels("bad-stream").inc()
            if self._session is not None:
                self._engine.refuse(self._session, error)
        except Exception:
            log.exception("carrying a browser's stream failed")
            reason = "something broke"
        self.end(reason)

    async def _carry_picture(self, track: MediaStreamTrack) -> None:
        picture = Picture(self._stream.packager)
        while True:
            packet = await self._next(track)
            picture.push(bytes(packet), self._time.of("video", packet.pts))

    async def _next(self, track: MediaStreamTrack) -> Any:
        """The next frame. A camera may die while the microphone lives: only silence of both ends the show.
        Raises TimeoutError."""
        waiting = asyncio.ensure_future(track.recv())
        try:
            while True:
                done, _ = await asyncio.wait([waiting], timeout=SILENCE_SECONDS)
                if done:
                    return waiting.result()
                if time.monotonic() - self._heard > SILENCE_SECONDS:
                    raise TimeoutError
        finally:
            waiting.cancel()

    async def _carry_sound(self, track: MediaStreamTrack) -> None:
        coder = OpusToAac()
        packager = self._stream.packager
        packager.set_audio(fmp4.audio_track(coder.config))
        shift: int | None = None
        while True:
            packet: Any = await track.recv()
            self._heard = time.monotonic()
            at = round(self._time.of("audio", packet.pts) * RATES["audio"])
            packet.pts = packet.dts = None
            for when, frame in coder.push(packet):
                # The coder counts samples; where it started, and after a pause, the arrival says when that is.
                if shift is None or abs(at - when - shift) > RATES["audio"] // 4:
                    shift = at - when
                packager.add_audio(max(0, when + shift), frame)

    async def _ask_for_keyframes(self) -> None:
        """A browser sends keyframes only when asked: one for each segment."""
        assert self._receiver is not None
        while True:
            await passthrough.ask_for_keyframe(self._receiver)
            await asyncio.sleep(self._stream.packager.latency.segment)

    async def show_soon(self) -> None:
        """Someone joined the preview: a keyframe for them."""
        for _ in range(4):
            await asyncio.sleep(0.25)
            if self._receiver is not None:
                await passthrough.ask_for_keyframe(self._receiver)


class Previews:
    """WHEP viewers of this process, bounded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._viewers: dict[RTCPeerConnection, WhipPublisher] = {}

    @property
    def full(self) -> bool:
        return len(self._viewers) >= self._engine.settings.preview_viewers_max

    async def answer(self, publisher: WhipPublisher, offer: str) -> str:
        """The SDP answer. Raises BadOffer."""
        connection = _connection()
        for kind, track in publisher.tracks.items():
            _transceiver(connection, kind, "sendonly", publisher.relay.subscribe(track))
        self._viewers[connection] = publisher
        metrics.PREVIEWS.set_function(lambda: len(self._viewers))

        async def on_state() -> None:
            if connection.connectionState in {"failed", "closed"}:
                self._viewers.pop(connection, None)
                await connection.close()

        connection.on("connectionstatechange", on_state)
        try:
            answer = await _answer(connection, offer, self._engine.settings.ice_addresses)
        except BadOffer:
            self._viewers.pop(connection, None)
            await connection.close()
            raise
        asyncio.get_running_loop().create_task(publisher.show_soon())
        asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._give_up, connection)
        return answer

    def _give_up(self, connection: RTCPeerConnection) -> None:
        if connection in self._viewers and connection.connectionState != "connected":
            self._viewers.pop(connection, None)
            asyncio.get_running_loop().create_task(connection.close())

    async def stop(self) -> None:
        for connection in list(self._viewers):
            await connection.close()
        self._viewers.clear()


def _connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def _transceiver(connection: RTCPeerConnection, kind: str, direction: str, track: Any = None) -> Any:
    transceiver = connection.addTransceiver(track or kind, direction=direction)
    wanted = {"video/h264", "video/rtx"} if kind == "video" else {"audio/opus"}
    known: Any = RTCRtpReceiver.getCapabilities(kind)
    codecs = [one for one in known.codecs if one.mimeType.lower() in wanted]
    transceiver.setCodecPreferences(codecs)
    return transceiver


async def _answer(connection: RTCPeerConnection, offer: str, addresses: str) -> str:
    try:
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        answer = await connection.createAnswer()
        await connection.setLocalDescription(answer)
    except Exception as error:  # aiortc raises whatever its parser meets in a stranger's text
        log.debug("bad offer", error=repr(error))
        raise BadOffer("the offer cannot be answered; a browser must send H.264 video") from error
    sdp = connection.localDescription.sdp
    if "H264/90000" not in sdp:
        raise BadOffer("the offer has no H.264 video; this browser cannot broadcast here")
    return with_candidates(sdp, public_addresses(addresses))


def split_addresses(setting: str) -> list[str]:
    return [one.strip() for one in setting.split(",") if one.strip()]


def public_addresses(setting: str) -> list[str]:
    """The addresses of the setting that this host does not have itself: those of a NAT before it."""
    own = set(passthrough.host_addresses())
    return [one for one in split_addresses(setting) if one not in own]


def with_candidates(sdp: str, addresses: Sequence[str]) -> str:
    """Offer each IPv4 host candidate under the NAT's addresses too, on the same port."""
    if not addresses:
        return sdp
    lines: list[str] = []
    for line in sdp.splitlines():
        lines.append(line)
        fields = line.split(" ")
        if line.startswith("a=candidate:") and "typ host" in line and ipaddress.ip_address(fields[4]).version == 4:
            for number, address in enumerate(addresses):
                fresh = [f"{fields[0]}{number}", *fields[1:4], address, *fields[5:]]
                lines.append(" ".join(fresh))
    return "\r\n".join([*lines, ""])
