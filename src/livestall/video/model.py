"""Words and rules of video: streams, keys, hooks, what a media server must be able to do, settings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import clock, config, keys
from livestall.base.errors import Conflict, Forbidden, Invalid
from livestall.base.outbox import Event

Mode = Literal["default", "interactive"]
Ingress = Literal["rtmp", "whip"]
ServerKind = Literal["embedded", "mediamtx", "srs", "nginx-rtmp"]
NAME = "[a-z0-9][a-z0-9._-]{0,63}"
"""How media servers are named."""


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
    control_url: Annotated[
        str, Meta(description="where the market reaches this media process; empty: found out, else this machine")
    ] = ""
    name: Annotated[
        str, Meta(pattern=f"^({NAME})?$", description="name of this media process; empty: one that its folder keeps")
    ] = ""
    carry: Annotated[bool, Meta(description="take new shows; false: only finish old ones and serve replays")] = True
    servers: Annotated[
        str, Meta(max_length=20_000, description="other media servers as a JSON list; how-to/use-another-media-server")
    ] = ""
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
    disk_warn_mb: Annotated[int, Meta(ge=0, le=10_000_000, description="less free disk than this warns, MB")] = 5_000
    disk_reserve_mb: Annotated[
        int, Meta(ge=0, le=10_000_000, description="recording pauses when less disk than this is free, MB")
    ] = 500


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
    server_id: str | None = None
    client_id: str | None = None
    moved_at: datetime | None = None
    recording_gaps: list[Gap] = []
    warnings: list[StreamWarning] = []

    @property
    def online(self) -> bool:
        return self.session_id is not None


class Ingest(msgspec.Struct, frozen=True):
    """Where and with which secret to broadcast. `state` is "online" while a picture arrives, else "offline".

    The WHIP address is null where the media server takes none. `moved_at`: the server that had the show before went
    away then, and the encoder must be given these addresses.
    """

    rtmp_server: str
    rtmp_key: str
    whip_url: str | None
    whip_token: str | None
    state: Literal["online", "offline"]
    server_kind: ServerKind
    moved_at: datetime | None
    warnings: list[StreamWarning] = []


class Playback(msgspec.Struct, frozen=True):
    """Where to watch. `whep_url` carries a token that opens for an hour and is for hosts only. `part_seconds` is 0 for
    plain HLS, which a player then follows at `target_latency_seconds`."""

    hls_url: str
    whep_url: str | None
    mode: Mode
    part_seconds: float
    target_latency_seconds: float
    kind: Literal["live", "replay"]
    edge_delay_seconds: float | None
    """Null: the playlist carries stream time. Else it is estimated: how long after its newest picture it is written."""
    gap_seconds: float = 0.0
    """What a replay lacks because the disk could not take it."""


class Grant(msgspec.Struct, frozen=True):
    """Leave to publish."""

    stream_id: UUID
    mode: Mode


class Publishing(msgspec.Struct, frozen=True):
    """A publisher that was accepted at `at`. `session_id` never comes again: our own media process mints it. Another
    media server calls the publisher `client_id`, which may come again after a restart."""

    stream_id: UUID
    session_id: UUID
    protocol: Ingress
    at: datetime
    server_id: str | None = None
    client_id: str | None = None


class Stopping(msgspec.Struct, frozen=True):
    """The end of a publisher, and why, in a few words."""

    stream_id: UUID
    session_id: UUID
    protocol: Ingress
    at: datetime
    reason: str
    server_id: str | None = None


GapReason = Literal["disk-full", "disk-error", "disk-slow", "read-only"]


class Gap(msgspec.Struct, frozen=True):
    """What a recording lacks though the show went on, in stream time."""

    started_at: datetime
    ended_at: datetime
    reason: GapReason


class Recording(msgspec.Struct, frozen=True):
    """A finished recording: `duration_ms` of media, the first picture at `started_at`, and what it lacks."""

    started_at: datetime
    duration_ms: int
    gaps: list[Gap] = []


def gap_seconds(gaps: Sequence[Gap]) -> float:
    """How much is missing in all."""
    return sum((one.ended_at - one.started_at).total_seconds() for one in gaps)


WarningCode = Literal[
    "rare-keyframes", "no-picture", "broken-time", "broken-frames", "large-picture", "high-bitrate",
    "recording-paused", "codec", "sound-codec", "bad-stream",
]  # fmt: skip


class StreamWarning(msgspec.Struct, frozen=True):
    """What is not well with a publisher, for its host. `value` is the code's own figure: seconds of a keyframe interval
    or without a picture, kbit/s, the wider side in pixels. `detail` names a codec or says it in English."""

    code: WarningCode
    value: float = 0.0
    detail: Annotated[str, Meta(max_length=200)] = ""


class DiskHealth(msgspec.Struct, frozen=True):
    """How a media process records: `paused` live streams are not recorded just now, `missing_seconds` are lost."""

    disk: Literal["good", "low", "full"] = "good"
    free_bytes: int | None = None
    paused: int = 0
    missing_seconds: float = 0.0
    reason: GapReason | None = None

    def sentence(self) -> str:
        """For the operator; empty when all is well."""
        free = "unknown" if self.free_bytes is None else f"{self.free_bytes / 1e6:,.0f} MB"
        if self.paused:
            lost = f"{self.missing_seconds:,.0f} s are missing so far"
            return f"{self.paused} running shows are not recorded ({self.reason}, {free} free); {lost}; the shows go on"
        if self.disk != "good":
            return f"the disk of the recordings is {'almost full' if self.disk == 'low' else 'full'}: {free} free"
        return f"{self.missing_seconds:,.0f} s of running shows are not in the record" if self.missing_seconds else ""

    def code(self) -> str:
        """What the sentence is about, for pages that say it in another language; empty when all is well."""
        if self.paused:
            return "not-recorded"
        if self.disk != "good":
            return f"disk-{self.disk}"
        return "record-gap" if self.missing_seconds else ""

    def values(self) -> dict[str, int | str]:
        """The figures of `code`: MB that are free (left out when unknown), shows not recorded, seconds missing."""
        free: dict[str, int | str] = {} if self.free_bytes is None else {"free": round(self.free_bytes / 1e6)}
        return free | {"paused": self.paused, "seconds": round(self.missing_seconds)}


class Online(msgspec.Struct, frozen=True, kw_only=True):
    """A publisher as the media server sees it now."""

    stream_id: UUID
    session_id: UUID
    protocol: Ingress
    since: datetime
    client_id: str | None = None
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


class StreamWarned(Event, frozen=True, kw_only=True):
    """What is not well with the stream now; empty: all is well again."""

    topic = "video.stream-warned"
    stream_id: UUID
    at: datetime
    warnings: list[StreamWarning]


class StreamRecorded(Event, frozen=True, kw_only=True):
    """The replay of a closed stream can be watched."""

    topic = "video.stream-recorded"
    stream_id: UUID
    duration_ms: int
    started_at: datetime
    gap_ms: int = 0


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

HookKind = Literal["authorize_publish", "authorize_read", "published", "unpublished", "recorded", "warned", "ignore"]


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """What a media server asks or tells, in one form for all of them. `stream` is public, `secret` never logged."""

    kind: HookKind
    stream: UUID
    at: datetime
    secret: Annotated[str, Meta(max_length=200)] | None = None
    session: UUID | None = None
    ip: Annotated[str, Meta(max_length=64)] | None = None
    server: Annotated[str, Meta(pattern=f"^({NAME})?$")] = ""
    client: Annotated[str, Meta(max_length=100)] | None = None
    protocol: Ingress = "rtmp"
    reason: Annotated[str, Meta(max_length=200)] = ""
    recording: Recording | None = None
    warnings: Annotated[list[StreamWarning], Meta(max_length=20)] = []

    def session_of(self) -> UUID:
        if self.session is None:
            raise Invalid(reason=f"a hook of kind {self.kind} names its session")
        return self.session
