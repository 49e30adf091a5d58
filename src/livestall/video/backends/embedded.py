"""Our own media process, `livestall media`: signed JSON both ways."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import httpx
import msgspec

from livestall.base import config, keys
from livestall.base.errors import Conflict, Forbidden, Invalid, Unavailable
from livestall.video.model import (
    LATENCY,
    BadHook,
    Grant,
    Hook,
    Ingest,
    Online,
    Playback,
    Recording,
    Reply,
    Settings,
    Stream,
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


class Embedded:
    """Talks to the media process over its control endpoint."""

    def parse_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        if not keys.proves("hook", headers.get(SIGNATURE, ""), body):
            raise BadHook
        try:
            return msgspec.json.decode(body, type=Hook)
        except msgspec.MsgspecError as error:
            raise Invalid(reason=str(error)) from error

    def reply(self, answer: Grant | Conflict | Forbidden | None) -> Reply:
        if answer is None:
            return Reply(204)
        if isinstance(answer, Grant):
            return Reply(200, msgspec.json.encode(answer))
        return Reply(403, msgspec.json.encode(Refused(answer.code, answer.sentence())))

    async def online(self) -> list[Online]:
        return msgspec.json.decode(await self._ask("online", {}), type=list[Online])

    async def kick(self, stream_id: UUID, session_id: UUID) -> None:
        await self._ask("kick", {"stream": stream_id, "session": session_id})

    async def finish(self, stream_id: UUID) -> Recording | None:
        answer = await self._ask("finish", {"stream": stream_id}, FINISH_SECONDS)
        return msgspec.json.decode(answer, type=Recording | None)

    async def _ask(self, verb: str, what: Mapping[str, object], timeout: float = TIMEOUT_SECONDS) -> bytes:
        settings = config.of(Settings)
        base = settings.control_url or f"http://127.0.0.1:{settings.port}"
        body = msgspec.json.encode(what)
        stamp = keys.stamp("control", verb.encode() + b"." + body)
        try:
            async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
                answer = await client.post(f"{base}/control/{verb}", content=body, headers={SIGNATURE: stamp})
                answer.raise_for_status()
                return answer.content
        except httpx.HTTPError as error:
            raise Unavailable from error

    def ingest(self, stream: Stream, media: str, rtmp: str) -> Ingest:
        secret = secret_of(stream.id, stream.key_version)
        return Ingest(
            rtmp_server=rtmp,
            rtmp_key=f"{stream.id}?k={secret}",
            whip_url=f"{media}/media/{stream.id}/whip",
            whip_token=secret,
            state="online" if stream.online else "offline",
        )

    def playback(self, stream: Stream, media: str, *, preview: bool) -> Playback:
        latency = LATENCY[stream.mode]
        base = f"{media}/media/{stream.id}"
        recorded = stream.recording_ms is not None
        return Playback(
            hls_url=f"{base}/replay.m3u8" if recorded else f"{base}/live.m3u8",
            whep_url=f"{base}/whep?token={preview_token(stream.id)}" if preview and not recorded else None,
            mode=stream.mode,
            part_seconds=latency.part,
            target_latency_seconds=latency.hold_back,
            kind="replay" if recorded else "live",
        )
