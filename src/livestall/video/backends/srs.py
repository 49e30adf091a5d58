"""SRS: RTMP and WHIP in, plain HLS and WHEP out, DVR recordings.

Its hooks are JSON. It wants 200 and a body: {"code":0} lets in, any other code refuses; an empty body refuses too. A
second publisher is refused by SRS itself. Lists come from the HTTP API, which also ends publishers.

Held against its wiki pages "HTTP Callback" and "HTTP API" and the check of its settings in 7.0: all names that our
settings use are known there (`listen` outside of `rtmp {}` is the old way, which it reads all the same).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import clock
from livestall.base.errors import Conflict, Forbidden, Unavailable
from livestall.video.backends.neighbour import APP, BadName, Neighbour, secret_in, stream_of, text
from livestall.video.backends.port import Capability, Publisher, Reply
from livestall.video.model import Grant, Hook, HookKind, Ingress, Online, Stream, secret_of

ACTIONS: Mapping[str, HookKind] = {
    "on_publish": "authorize_publish", "on_unpublish": "unpublished", "on_play": "authorize_read", "on_stop": "ignore",
    "on_hls": "ignore", "on_dvr": "recorded", "on_connect": "ignore", "on_close": "ignore", "on_hls_notify": "ignore",
    "on_forward": "ignore",
}  # fmt: skip
STREAMS_MAX = 1000
YES, NO = b'{"code":0}', b'{"code":1}'


class _Publish(msgspec.Struct):
    active: bool = False
    cid: Annotated[str, Meta(max_length=100)] = ""


class _Kbps(msgspec.Struct):
    recv_30s: float = 0


class _Stream(msgspec.Struct):
    name: str
    app: str = ""
    publish: _Publish = msgspec.field(default_factory=_Publish)
    video: dict[str, Any] | None = None
    kbps: _Kbps = msgspec.field(default_factory=_Kbps)


class _Streams(msgspec.Struct):
    code: int
    streams: list[_Stream] = []


class Srs(Neighbour):
    capabilities: frozenset[Capability] = frozenset({"rtmp", "whip", "hls", "whep", "record"})
    edge_delay_seconds = 0.05
    recording_format = "flv"

    def parse_hook(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hook:
        fields, kind = self.proven(headers, body, query, ACTIONS)
        if text(fields, "app").strip("/") != APP:
            raise BadName
        protocol: Ingress = "whip" if text(fields, "tcUrl").startswith("webrtc://") else "rtmp"
        return Hook(
            kind=kind, stream=stream_of(text(fields, "stream")), at=clock.now(), server=self.server.id,
            secret=secret_in(text(fields, "param", 1000)), ip=text(fields, "ip", 64),
            client=text(fields, "client_id", 100), protocol=protocol,
            reason="the publisher disconnected" if kind == "unpublished" else "",
        )  # fmt: skip

    def reply(self, answer: Grant | Conflict | Forbidden | None, hook: Hook | None = None) -> Reply:
        del hook
        return Reply(200, NO if isinstance(answer, (Conflict, Forbidden)) else YES)

    async def online(self) -> list[Online]:
        answer = await self.ask(f"/api/v1/streams/?count={STREAMS_MAX}")
        try:
            told = msgspec.json.decode(answer, type=_Streams)
        except msgspec.MsgspecError as error:
            raise Unavailable from error
        now = datetime.fromtimestamp(clock.now().timestamp() // 2 * 2, UTC)  # it does not say since when
        publishing = [one for one in told.streams if one.app == APP and one.publish.active and one.video]
        found = [
            self.seen(
                one.name, one.publish.cid, now, kbps=round(one.kbps.recv_30s),
                width=_whole(one.video, "width"), height=_whole(one.video, "height"),
            )
            for one in publishing
        ]  # fmt: skip
        return [one for one in found if one is not None]

    async def kick(self, who: Publisher) -> None:
        if who.client_id:
            path = f"/api/v1/clients/{quote(who.client_id, safe='')}"
            await self.ask(path, "DELETE", missing_is_fine=True)

    def whip(self, stream: Stream) -> str | None:
        if not self.server.whip_url:
            return None
        secret = secret_of(stream.id, stream.key_version)
        return f"{self.server.whip_url}/rtc/v1/whip/?app={APP}&stream={stream.id}&k={secret}"

    def whep(self, stream: Stream) -> str | None:
        return f"{self.server.whep_url}/rtc/v1/whep/?app={APP}&stream={stream.id}" if self.server.whep_url else None

    def hls(self, stream: Stream) -> str:
        return f"{self.server.hls_url}/{APP}/{stream.id}.m3u8"

    def recorded_files(self, stream_id: UUID) -> Iterable[Path]:
        folder = Path(self.server.folder) / APP
        return chain((folder / str(stream_id)).glob("*.flv"), folder.glob(f"{stream_id}*.flv"))


def _whole(fields: Mapping[str, Any] | None, name: str) -> int:
    value = (fields or {}).get(name)
    return value if isinstance(value, int) and 0 <= value <= 100_000 else 0
