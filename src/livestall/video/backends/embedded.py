"""Our own media process, `livestall media`: signed JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import httpx
import msgspec

from livestall.base import config, keys
from livestall.base.errors import Conflict, Forbidden, Invalid, Unavailable
from livestall.video.backends.port import HOME, Capability, Places, Publisher, Reply, Server, at_port
from livestall.video.model import (
    LATENCY,
    BadHook,
    Grant,
    Hook,
    Ingest,
    Online,
    Playback,
    Recording,
    Settings,
    Stream,
    gap_seconds,
    preview_token,
    secret_of,
)  # fmt: skip

SIGNATURE = "livestall-signature"
TIMEOUT_SECONDS = 5.0
FINISH_SECONDS = 30.0


class Refused(msgspec.Struct, frozen=True):
    """The body of a refusal."""

    code: str
    reason: str


class Beat(msgspec.Struct, frozen=True):
    """What a media process of ours says of itself every few seconds."""

    server: Server


class BeatTaken(msgspec.Struct, frozen=True):
    """The answer to a beat: the time by the market's database, with which the media process compares its clock."""

    now: datetime


NO_QUERY: Mapping[str, str] = {}


def _address(own: str, portable: str) -> str:
    return at_port(portable, own[1:]) if own.startswith(":") else own or portable


class Embedded:
    """Talks to a media process of ours over its control endpoint."""

    capabilities: frozenset[Capability] = frozenset(
        {"rtmp", "whip", "hls", "llhls", "whep", "pdt", "record", "takeover"}
    )

    def __init__(self, server: Server = HOME) -> None:
        self.server = server

    def parse_beat(self, headers: Mapping[str, str], body: bytes) -> Server:
        """Raises BadHook, Invalid."""
        if not keys.proves("beat", headers.get(SIGNATURE, ""), body):
            raise BadHook
        try:
            server = msgspec.json.decode(body, type=Beat).server
        except msgspec.MsgspecError as error:
            raise Invalid(reason=str(error)) from error
        if server.kind != "embedded" or not server.id:
            raise Invalid(reason="a media process has a name and is of the kind embedded")
        return server

    def parse_hook(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str] = NO_QUERY) -> Hook:
        del query
        if not keys.proves("hook", headers.get(SIGNATURE, ""), body):
            raise BadHook
        try:
            return msgspec.json.decode(body, type=Hook)
        except msgspec.MsgspecError as error:
            raise Invalid(reason=str(error)) from error

    def reply(self, answer: Grant | Conflict | Forbidden | None, hook: Hook | None = None) -> Reply:
        del hook
        if answer is None:
            return Reply(204)
        if isinstance(answer, Grant):
            return Reply(200, msgspec.json.encode(answer))
        return Reply(403, msgspec.json.encode(Refused(answer.code, answer.sentence())))

    async def online(self) -> list[Online]:
        return msgspec.json.decode(await self._ask("online", {}), type=list[Online])

    async def kick(self, who: Publisher) -> None:
        await self._ask("kick", {"stream": who.stream_id, "session": who.session_id})

    async def finish(self, stream_id: UUID) -> Recording | None:
        answer = await self._ask("finish", {"stream": stream_id}, FINISH_SECONDS)
        return msgspec.json.decode(answer, type=Recording | None)

    async def _ask(self, verb: str, what: Mapping[str, object], timeout: float = TIMEOUT_SECONDS) -> bytes:
        settings = config.of(Settings)
        base = self.server.control_url or settings.control_url or f"http://127.0.0.1:{settings.port}"
        body = msgspec.json.encode(what)
        stamp = keys.stamp("control", verb.encode() + b"." + body)
        try:
            async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
                answer = await client.post(f"{base}/control/{verb}", content=body, headers={SIGNATURE: stamp})
                answer.raise_for_status()
                return answer.content
        except httpx.HTTPError as error:
            raise Unavailable from error

    def _base(self, stream: Stream, places: Places) -> str:
        return f"{_address(self.server.hls_url, places.media)}/media/{stream.id}"

    def ingest(self, stream: Stream, places: Places) -> Ingest:
        secret = secret_of(stream.id, stream.key_version)
        return Ingest(
            rtmp_server=_address(self.server.rtmp_url, places.rtmp),
            rtmp_key=f"{stream.id}?k={secret}",
            whip_url=f"{self._base(stream, places)}/whip",
            whip_token=secret,
            state="online" if stream.online else "offline",
            server_kind="embedded",
            moved_at=None if stream.online else stream.moved_at,
            warnings=stream.warnings,
        )

    def playback(self, stream: Stream, places: Places, *, preview: bool) -> Playback:
        latency = LATENCY[stream.mode]
        base = self._base(stream, places)
        recorded = stream.recording_ms is not None
        return Playback(
            hls_url=f"{base}/replay.m3u8" if recorded else f"{base}/live.m3u8",
            whep_url=f"{base}/whep?token={preview_token(stream.id)}" if preview and not recorded else None,
            mode=stream.mode,
            part_seconds=latency.part,
            target_latency_seconds=latency.hold_back,
            kind="replay" if recorded else "live",
            edge_delay_seconds=None,
            gap_seconds=round(gap_seconds(stream.recording_gaps), 1),
        )

    def poster(self, stream: Stream, places: Places) -> str | None:
        return f"{self._base(stream, places)}/poster.jpg"
