"""What the adapters of other people's media servers share: proof of hooks, keys, HTTP to the server, replays.

Such a server authorises through its hook; everything else about its publishers we learn by asking it, because none of
them repeats a lost callback. Its recordings are files in a folder that a worker can read.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import msgspec
import structlog

from livestall.base import ids, keys
from livestall.base.errors import Invalid, Unavailable
from livestall.video.backends.port import Capability, Places, Publisher, Replays, Server
from livestall.video.model import BadHook, HookKind, Ingest, Online, Playback, Recording, Stream, secret_of

log = structlog.get_logger()
APP = "live"
TIMEOUT_SECONDS = 3.0
TOKEN_LENGTH = 40
ANSWER_BYTES_MAX = 8 << 20
FIELDS_MAX = 100
LEAVE_SECONDS = 5.0


def hook_token(server_id: str) -> str:
    """What that server's hooks must carry, as `token` in their URL."""
    return keys.sign("media-hook", server_id)[:TOKEN_LENGTH]


def session_of(server_id: str, stream_id: UUID, client_id: str, since: datetime) -> UUID:
    """An id for a publisher that its server knows by `client_id` only: the same for the same start (to two seconds), so
    that two who ask at once mean one session."""
    seconds = round(since.timestamp() / 2) * 2
    digest = hashlib.sha256(f"{server_id}|{stream_id}|{client_id}|{seconds}".encode()).digest()
    return UUID(int=int.from_bytes(digest[:16], "big"))


def stream_of(name: object) -> UUID:
    """The stream that a published name means. Raises BadName."""
    try:
        return ids.parse(str(name).strip("/"))
    except Invalid:
        raise BadName from None


class BadName(BadHook):
    """Somebody publishes under a name that is no stream of ours: refused like a wrong key."""

    code = "bad-stream-name"
    en = "There is no such stream. Copy server and key from the studio again."
    zh = "推流名称不存在，请从直播后台重新复制服务器地址和密钥。"


def form(body: bytes) -> Mapping[str, str]:
    """The fields of a form. Of a name that comes twice the first counts: what the publisher adds to its URL is appended
    by the server, and must not pass for the server's own words. Raises Invalid."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Invalid(reason="the body is not a form") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def json_object(body: bytes) -> Mapping[str, Any]:
    """Raises Invalid."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(reason="the body is not a JSON object") from error


def text(fields: Mapping[str, Any], name: str, limit: int = 200) -> str:
    value = fields.get(name)
    return value[:limit] if isinstance(value, str) else ""


class Neighbour(ABC):
    """One such server. `replays` is None where this process makes none."""

    capabilities: frozenset[Capability] = frozenset()
    edge_delay_seconds: float | None = None
    """Null where playlists carry stream time; else how long after its newest picture the playlist is written."""
    part_seconds = 0.0
    recording_format: Literal["flv", "mov"] = "flv"

    def __init__(self, server: Server, replays: Replays | None = None) -> None:
        self.server = server
        self.replays = replays

    def prove(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Raises BadHook unless the notice carries this server's token."""
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if not keys.same((query.get("token") or bearer)[:200], hook_token(self.server.id)):
            raise BadHook

    def proven(
        self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str], actions: Mapping[str, HookKind]
    ) -> tuple[Mapping[str, Any], HookKind]:
        """The fields of a notice in JSON, and what its action is called here. Raises BadHook, and Invalid for an
        action that is none of these."""
        self.prove(headers, query)
        fields = json_object(body)
        action = text(fields, "action", 40)
        kind = actions.get(action)
        if kind is None:
            raise Invalid(reason=f"{self.server.kind} has no action {action!r}")
        return fields, kind

    async def ask(self, path: str, method: str = "GET", *, missing_is_fine: bool = False) -> bytes:
        """The body of the answer. Raises Unavailable."""
        if not self.server.control_url:
            raise Unavailable
        url = f"{self.server.control_url.rstrip('/')}{path}"
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.request(method, url)
        except httpx.HTTPError as error:
            raise Unavailable from error
        if missing_is_fine and answer.status_code == 404:
            return b""
        if not answer.is_success or len(answer.content) > ANSWER_BYTES_MAX:
            raise Unavailable
        return answer.content

    @abstractmethod
    async def online(self) -> list[Online]: ...

    @abstractmethod
    async def kick(self, who: Publisher) -> None: ...

    def seen(self, name: object, client_id: str, since: datetime, **health: Any) -> Online | None:
        """A publisher as the poll shows it; None for one that is not of this market."""
        try:
            stream_id = stream_of(name)
        except BadName:
            return None
        session = session_of(self.server.id, stream_id, client_id, since)
        return Online(
            stream_id=stream_id, session_id=session, client_id=client_id[:100], since=since,
            protocol=health.pop("protocol", "rtmp"), **health,
        )  # fmt: skip

    # ---------------------------------------------------------- addresses

    def whip(self, stream: Stream) -> str | None:
        del stream
        return None

    def whep(self, stream: Stream) -> str | None:
        del stream
        return None

    @abstractmethod
    def hls(self, stream: Stream) -> str: ...

    def ingest(self, stream: Stream, places: Places) -> Ingest:
        del places
        secret = secret_of(stream.id, stream.key_version)
        whip = self.whip(stream)
        return Ingest(
            rtmp_server=self.server.rtmp_url,
            rtmp_key=f"{stream.id}?k={secret}",
            whip_url=whip,
            whip_token=secret if whip else None,
            state="online" if stream.online else "offline",
            server_kind=self.server.kind,
            moved_at=None if stream.online else stream.moved_at,
        )

    def playback(self, stream: Stream, places: Places, *, preview: bool) -> Playback:
        del places
        return Playback(
            hls_url=self.hls(stream),
            whep_url=self.whep(stream) if preview else None,
            mode=stream.mode,
            part_seconds=self.part_seconds,
            target_latency_seconds=self.target_latency_seconds(),
            kind="live",
            edge_delay_seconds=self.edge_delay_seconds,
        )

    def target_latency_seconds(self) -> float:
        """Plain HLS is safe three segments behind its end."""
        return self.server.segment_seconds * 3

    def poster(self, stream: Stream, places: Places) -> str | None:
        del stream, places
        return None

    # ------------------------------------------------------------ replays

    @abstractmethod
    def recorded_files(self, stream_id: UUID) -> Iterable[Path]:
        """The server's recordings of a stream, in any order."""

    async def finish(self, stream_id: UUID) -> Recording | None:
        """Throw out whoever is left, and make the server's recordings a replay of ours. Safe to repeat."""
        left = [one for one in await self.online() if one.stream_id == stream_id]
        for one in left:
            await self.kick(Publisher(stream_id, one.session_id, one.client_id))
        if left:
            raise Unavailable  # it closes its files now; the next look finds them whole
        if not self.server.folder:
            return None
        return await asyncio.to_thread(self._assemble, stream_id)

    def _assemble(self, stream_id: UUID) -> Recording | None:
        if self.replays is None or not Path(self.server.folder).is_dir():
            log.warning("recordings of this server are not reachable here", server=self.server.id)
            raise Unavailable
        found = [(_started(path), path) for path in self.recorded_files(stream_id) if path.stat().st_size > 0]
        return self.replays.make(found, self.recording_format, self.replays.folder / str(stream_id))


_STAMP = re.compile(r"(?<!\d)(1\d{9})(?:(\d{3})|[-.](\d{1,6}))?(?!\d)")


def _started(path: Path) -> datetime:
    """When a recording began: the last Unix time in its name, else what the file system says."""
    stamps: Sequence[re.Match[str]] = list(_STAMP.finditer(path.stem))
    if not stamps:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    match = stamps[-1]
    fraction = float(f"0.{match[2] or match[3] or 0}")
    return datetime.fromtimestamp(int(match[1]) + fraction, UTC)


def secret_in(query: str) -> str:
    """The `k=…` of a stream key's query; empty if there is none."""
    try:
        pairs = parse_qsl(query.lstrip("?"), max_num_fields=FIELDS_MAX)
    except ValueError:
        return ""
    return next((value for name, value in pairs if name == "k"), "")[:200]


__all__ = [
    "APP", "BadName", "Neighbour", "form", "hook_token", "json_object", "secret_in", "session_of", "stream_of", "text",
]  # fmt: skip
