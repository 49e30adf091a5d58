"""Words and rules of video: streams, keys, hooks, what a media server must be able to do, settings."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import clock, config, keys
from livestall.base.errors import Conflict, Forbidden, Invalid
from livestall.base.outbox import Event

Mode = Literal["default", "interactive"]
Ingress = Literal["rtmp", "whip"]


class Settings(config.Section, frozen=True, kw_only=True):
    """The section `media`: the embedded media server and the ways to it."""

    port: Annotated[int, Meta(ge=0, le=65535, description="HTTP port of the media process")] = 8002
    rtmp_port: Annotated[int, Meta(ge=0, le=65535, description="RTMP port")] = 1935
    processes: Annotated[
        int, Meta(ge=1, le=16, description="media processes on this machine; each takes the next two ports")
    ] = 1
    leave_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="longest that a replaced process carries its shows to their end")
    ] = 14_400
    hook_url: Annotated[str, Meta(description="where media asks the API; empty: the web process of this machine")] = ""
    control_url: Annotated[str, Meta(description="where the API asks media; empty: this machine's media process")] = ""
    ice_addresses: Annotated[
        str,
        Meta(description="IP addresses for WebRTC, by comma (a NAT's public one works); empty: this host's"),
    ] = ""
    window_segments: Annotated[int, Meta(ge=4, le=60, description="segments in the live playlist")] = 8
    block_seconds: Annotated[float, Meta(gt=0, le=30, description="longest wait of a playlist request")] = 5.0
    idle_seconds: Annotated[float, Meta(gt=0, le=300, description="a publisher silent this long is dropped")] = 10.0
    kbps_max: Annotated[int, Meta(ge=100, le=200_000, description="most a publisher may send, kbit/s")] = 12_000
    publishers_max: Annotated[int, Meta(ge=1, le=10_000, description="publishers at one time in this process")] = 200
    preview_viewers_max: Annotated[int, Meta(ge=0, le=1000, description="WHEP viewers at one time")] = 40
    poster_seconds: Annotated[float, Meta(ge=1, le=600, description="seconds between preview pictures")] = 5.0
    record: Annotated[bool, Meta(description="keep a recording of every stream")] = True


class Latency(msgspec.Struct, frozen=True):
    """How a mode cuts the stream, in seconds."""

    part: float
    segment: float

    @property
    def hold_back(self) -> float:
        """How far behind the newest part a player stays."""
        return self.part * 3


LATENCY: Mapping[Mode, Latency] = {"default": Latency(0.5, 2.0), "interactive": Latency(0.2, 1.0)}


# ---------------------------------------------------------------- records


class NewStream(msgspec.Struct, frozen=True):
    """A stream to open. `subject` is whatever it belongs to (a show); one stream per subject."""

    id: UUID
    subject: UUID
    mode: Mode = "default"


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `stream`."""

    id: UUID
    subject: UUID
    mode: Mode
    key_version: int
    opened_at: datetime
    closed_at: datetime | None
    session_id: UUID | None
    protocol: Ingress | None
    online_since: datetime | None
    finished_at: datetime | None
    recording_started_at: datetime | None
    recording_ms: int | None

    @property
    def online(self) -> bool:
        return self.session_id is not None


class Ingest(msgspec.Struct, frozen=True):
    """Where and with which secret to broadcast. `state` is "online" while a picture arrives, else "offline"."""

    rtmp_server: str
    rtmp_key: str
    whip_url: str
    whip_token: str
    state: Literal["online", "offline"]


class Playback(msgspec.Struct, frozen=True):
    """Where to watch. `whep_url` carries a token that opens for an hour and is for hosts only."""

    hls_url: str
    whep_url: str | None
    mode: Mode
    part_seconds: float
    target_latency_seconds: float
    kind: Literal["live", "replay"]


class Grant(msgspec.Struct, frozen=True):
    """Leave to publish."""

    stream_id: UUID
    mode: Mode


class Publishing(msgspec.Struct, frozen=True):
    """A publisher that was accepted at `at`. `session_id` is minted by the media server and never comes again."""

    stream_id: UUID
    session_id: UUID
    protocol: Ingress
    at: datetime


class Stopping(msgspec.Struct, frozen=True):
    """The end of a publisher, and why, in a few words."""

    stream_id: UUID
    session_id: UUID
    protocol: Ingress
    at: datetime
    reason: str


class Recording(msgspec.Struct, frozen=True):
    """A finished recording: `duration_ms` of media, the first picture at `started_at`."""

    started_at: datetime
    duration_ms: int


class Online(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher as the media server sees it now."""

    stream_id: UUID
    session_id: UUID
    protocol: Ingress
    since: datetime
    width: int = 0
    height: int = 0
    kbps: int = 0
    fps: float = 0.0
    keyframe_seconds: float = 0.0


# ---------------------------------------------------------------- events


class StreamStarted(Event, frozen=True, kw_only=True):
    """A picture arrives. Comes again, without a stop between, when another publisher takes over."""

    topic = "video.stream-started"
    stream_id: UUID
    protocol: Ingress
    at: datetime


class StreamStopped(Event, frozen=True, kw_only=True):
    topic = "video.stream-stopped"
    stream_id: UUID
    at: datetime
    reason: str


class StreamRecorded(Event, frozen=True, kw_only=True):
    """The replay of a closed stream can be watched."""

    topic = "video.stream-recorded"
    stream_id: UUID
    duration_ms: int
    started_at: datetime


# ---------------------------------------------------------------- refusals


class WrongStreamKey(Forbidden):
    code = "wrong-stream-key"
    en = "The stream key is wrong or was replaced. Copy server and key from the studio again."
    zh = "推流密钥错误或已更换，请从直播后台重新复制服务器地址和密钥。"


class StreamClosed(Conflict):
    code = "stream-closed"
    en = "This show has ended. Plan a new one and use its key."
    zh = "该场直播已结束，请创建新的直播并使用新的密钥。"


class BadHook(Forbidden):
    code = "bad-hook"
    en = "This notice is not signed by the media server of this market."
    zh = "该通知未由本市场的媒体服务器签名。"


# ---------------------------------------------------------------- keys


def secret_of(stream_id: UUID, key_version: int) -> str:
    """The secret half of a stream key. It is derived, never stored: rotating counts the version up."""
    raw = bytes.fromhex(keys.sign("stream-key", f"{stream_id}.{key_version}"))
    return base64.b32encode(raw[:20]).decode().lower()


def preview_token(stream_id: UUID, seconds: int = 3600) -> str:
    """What opens a stream's WHEP preview for `seconds`."""
    until = int(clock.now().timestamp()) + seconds
    return f"{until}.{keys.sign('whep', f'{stream_id}.{until}')}"


def opens_preview(stream_id: UUID, token: str) -> bool:
    until, _, signature = token[:200].partition(".")
    if not (until.isascii() and until.isdigit() and len(until) < 12):
        return False
    return int(until) >= clock.now().timestamp() and keys.same(signature, keys.sign("whep", f"{stream_id}.{until}"))


# ---------------------------------------------------------------- the port

HookKind = Literal["authorize_publish", "published", "unpublished", "recorded", "ignore"]


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """What a media server asks or tells, in one form for all of them. `stream` is public, `secret` never logged."""

    kind: HookKind
    stream: UUID
    at: datetime
    secret: Annotated[str, Meta(max_length=200)] | None = None
    session: UUID | None = None
    ip: Annotated[str, Meta(max_length=64)] | None = None
    protocol: Ingress = "rtmp"
    reason: Annotated[str, Meta(max_length=200)] = ""
    recording: Recording | None = None

    def session_of(self) -> UUID:
        if self.session is None:
            raise Invalid(reason=f"a hook of kind {self.kind} names its session")
        return self.session


class Reply(msgspec.Struct, frozen=True):
    """The HTTP answer that this server's contract asks for."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"


class MediaServer(Protocol):
    """The video plane as the market sees it; one adapter per vendor's contract, see docs and `backends/`."""

    def parse_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """The normalised hook. Raises BadHook when it is not proven to come from the server, Invalid if malformed."""
        ...

    def reply(self, answer: Grant | Conflict | Forbidden | None) -> Reply:
        """A grant, a refusal, or None: the notice was taken in."""
        ...

    async def online(self) -> list[Online]:
        """Who publishes now. Raises Unavailable when the server does not answer."""
        ...

    async def kick(self, stream_id: UUID, session_id: UUID) -> None:
        """End that publisher if it is still there. Raises Unavailable."""
        ...

    async def finish(self, stream_id: UUID) -> Recording | None:
        """End the stream for good and close its recording (None: nothing was recorded). Raises Unavailable."""
        ...

    def ingest(self, stream: Stream, media: str, rtmp: str) -> Ingest: ...

    def playback(self, stream: Stream, media: str, *, preview: bool) -> Playback: ...
