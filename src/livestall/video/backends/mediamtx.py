"""MediaMTX: RTMP and WHIP in, LL-HLS and WHEP out, fMP4 recordings: the nearest to our own media process.

It asks before every publisher and reader, in JSON, and takes any 2xx for yes. 401 means "with credentials, please": an
empty first call is normal. It tells of no end, so the list of paths is what counts.

Held against its documentation: "Authentication" (External HTTP server), "Record", and `api/openapi.yaml`, which since
1.21 names `/v3/rtmp/conns/kick/{id}` what was `/v3/rtmpconns/kick/{id}`, and says `online` of a publisher that is there
(`available` also of a path that plays a file while nobody publishes; `ready` is the old word for it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import clock
from livestall.base.errors import Conflict, Forbidden, Unavailable
from livestall.video.backends.neighbour import APP, BadName, Neighbour, secret_in, stream_of, text
from livestall.video.backends.port import Capability, Publisher, Reply
from livestall.video.model import Grant, Hook, HookKind, Ingress, Online, Stream

ACTIONS: Mapping[str, HookKind] = {
    "publish": "authorize_publish", "read": "authorize_read", "playback": "authorize_read", "api": "ignore",
    "metrics": "ignore", "pprof": "ignore",
}  # fmt: skip
KICK = {"rtmpConn": "rtmp/conns", "rtmpsConn": "rtmps/conns", "webRTCSession": "webrtc/sessions",
        "srtConn": "srt/conns", "rtspSession": "rtsp/sessions", "rtspsSession": "rtsps/sessions",
        "moqSession": "moq/sessions"}  # fmt: skip
"""What ends a publisher, by the type of a path's source. Before 1.21 the same names without the slash."""

PATHS_MAX = 1000
PART_SECONDS = 0.2


class _Source(msgspec.Struct):
    type: str = ""
    id: Annotated[str, Meta(max_length=80)] = ""


class _Path(msgspec.Struct, rename="camel"):
    name: str
    online: bool | None = None
    online_time: datetime | None = None
    available: bool | None = None
    available_time: datetime | None = None
    ready: bool = False
    ready_time: datetime | None = None
    source: _Source | None = None


class _Paths(msgspec.Struct):
    items: list[_Path] = []


class NeedCredentials(Forbidden):
    """The first call of a client that waits to be asked for its key."""

    code = "key-needed"
    en = "This stream needs its key."
    zh = "推流需要密钥。"


class MediaMtx(Neighbour):
    capabilities: frozenset[Capability] = frozenset(
        {"rtmp", "whip", "hls", "llhls", "whep", "pdt", "record", "takeover"}
    )
    edge_delay_seconds = None
    part_seconds = PART_SECONDS
    recording_format = "mov"

    def parse_hook(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hook:
        fields, kind = self.proven(headers, body, query, ACTIONS)
        if kind == "ignore":  # its own API, metrics and profiles are not ours to open
            raise Forbidden
        app, _, name = text(fields, "path").strip("/").partition("/")
        if app != APP:
            raise BadName
        secret = secret_in(text(fields, "query", 1000)) or text(fields, "token") or text(fields, "password")
        if kind == "authorize_publish" and not secret:
            raise NeedCredentials
        protocol: Ingress = "whip" if text(fields, "protocol") == "webrtc" else "rtmp"
        return Hook(
            kind=kind, stream=stream_of(name), at=clock.now(), server=self.server.id, secret=secret,
            ip=text(fields, "ip", 64), client=text(fields, "id", 100), protocol=protocol,
        )  # fmt: skip

    def reply(self, answer: Grant | Conflict | Forbidden | None, hook: Hook | None = None) -> Reply:
        del hook
        if isinstance(answer, NeedCredentials):
            return Reply(401)
        return Reply(403) if isinstance(answer, (Conflict, Forbidden)) else Reply(204)

    async def online(self) -> list[Online]:
        answer = await self.ask(f"/v3/paths/list?itemsPerPage={PATHS_MAX}")
        try:
            told = msgspec.json.decode(answer, type=_Paths)
        except msgspec.MsgspecError as error:
            raise Unavailable from error
        found: list[Online] = []
        for path in told.items:
            app, _, name = path.name.partition("/")
            told_there = [one for one in (path.online, path.available) if one is not None]
            there = told_there[0] if told_there else path.ready
            since = path.online_time or path.available_time or path.ready_time
            if app != APP or not there or path.source is None or since is None:
                continue
            protocol: Ingress = "whip" if path.source.type == "webRTCSession" else "rtmp"
            client = f"{path.source.type}:{path.source.id}"
            if (one := self.seen(name, client, since, protocol=protocol)) is not None:
                found.append(one)
        return found

    async def kick(self, who: Publisher) -> None:
        kind, _, client = (who.client_id or "").partition(":")
        if kind in KICK and client:
            for endpoint in (KICK[kind], KICK[kind].replace("/", "")):  # of this version, and of those before 1.21
                if await self.ask(f"/v3/{endpoint}/kick/{quote(client, safe='')}", "POST", missing_is_fine=True):
                    return

    def target_latency_seconds(self) -> float:
        return self.part_seconds * 3

    def whip(self, stream: Stream) -> str | None:
        return f"{self.server.whip_url}/{APP}/{stream.id}/whip" if self.server.whip_url else None

    def whep(self, stream: Stream) -> str | None:
        return f"{self.server.whep_url}/{APP}/{stream.id}/whep" if self.server.whep_url else None

    def hls(self, stream: Stream) -> str:
        return f"{self.server.hls_url}/{APP}/{stream.id}/index.m3u8"

    def recorded_files(self, stream_id: UUID) -> Iterable[Path]:
        return (Path(self.server.folder) / APP / str(stream_id)).glob("*.mp4")
