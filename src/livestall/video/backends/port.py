"""The one port behind which every media server stands, and what the market keeps of each server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base.errors import Conflict, Forbidden
from livestall.video.model import NAME, Grant, Hook, Ingest, Online, Playback, Recording, ServerKind, Stream

Capability = Literal["rtmp", "whip", "hls", "llhls", "whep", "pdt", "record", "takeover"]
"""What a server can: ways in, ways out, stream time in its playlists (pdt), recording, and whether a second publisher
with the same key replaces the first (takeover) instead of being refused."""

Url = Annotated[str, Meta(max_length=300, pattern=r"^[^\s\"'<>]*$")]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A media server as the market knows it. Addresses are public and without a slash at their end; empty ones are made
    from the name under which a person reaches the market, ":8003" the same at that port. `control_url` is where the
    market itself reaches it.

    `folder`: of our own process the name of the folder that holds its recordings, which others may share; of another
    server the path under which a worker finds its recordings (empty: no replays). `clock_skew_seconds` is how far its
    host is ahead of the market's database; null while it does not know.
    """

    id: Annotated[str, Meta(pattern=f"^({NAME})?$")]
    kind: ServerKind
    hls_url: Url = ""
    rtmp_url: Url = ""
    whip_url: Url = ""
    whep_url: Url = ""
    control_url: Url = ""
    folder: Annotated[str, Meta(max_length=300)] = ""
    segment_seconds: Annotated[float, Meta(ge=0.1, le=30)] = 2.0
    accepts: bool = True
    publishers: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    clock_skew_seconds: Annotated[float, Meta(ge=-1e12, le=1e12)] | None = None
    clock_error_seconds: Annotated[float, Meta(ge=0, le=1e6)] | None = None


class KnownServer(Server, frozen=True, kw_only=True):
    """A row of `media_server`."""

    seen_at: datetime


HOME = Server(id="", kind="embedded")
"""The media process of this machine, before it has said its name."""


class Places(msgspec.Struct, frozen=True):
    """Addresses for whoever asks, by the name they reached us under: `media` like "http://host:8002", `rtmp` like
    "rtmp://host:1935/live"."""

    media: str
    rtmp: str = ""


def at_port(address: str, port: str) -> str:
    """The same address at another port: for processes of ours that share a machine. Of a portable address, which stands
    for one that is not known here, it is the mark for that port."""
    scheme, there, rest = address.partition("://")
    if not there:
        return f"{address.rstrip(':')}-{port}:"
    host, slash, path = rest.partition("/")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return f"{scheme}://{name}:{port}{slash}{path}"


class Reply(msgspec.Struct, frozen=True):
    """The HTTP answer that this server's contract asks for."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Publisher(msgspec.Struct, frozen=True):
    """Whom to throw out: `client_id` is what the server calls it."""

    stream_id: UUID
    session_id: UUID
    client_id: str | None = None


class MakeReplay(Protocol):
    """Makes a replay of ours of recordings, each with the time of its first picture, in the folder `target`; without
    any, looks what is there. Raises OSError."""

    def __call__(
        self, parts: Sequence[tuple[datetime, Path]], format_name: Literal["flv", "mov"], target: Path
    ) -> Recording | None: ...


class Replays(msgspec.Struct, frozen=True):
    """Where replays of neighbours' recordings are made, and by whom."""

    folder: Path
    make: MakeReplay


class MediaServer(Protocol):
    """The video plane as the market sees it; one adapter per vendor's contract."""

    capabilities: frozenset[Capability]

    def parse_hook(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hook:
        """The normalised hook. Raises BadHook when it is not proven to come from the server, Invalid if malformed."""
        ...

    def reply(self, answer: Grant | Conflict | Forbidden | None, hook: Hook | None = None) -> Reply:
        """A grant, a refusal, or None: the notice was taken in."""
        ...

    async def online(self) -> list[Online]:
        """Who publishes now. Raises Unavailable when the server does not answer."""
        ...

    async def kick(self, who: Publisher) -> None:
        """End that publisher if it is still there. Raises Unavailable."""
        ...

    async def finish(self, stream_id: UUID) -> Recording | None:
        """End the stream for good and close its recording (None: nothing was recorded). Raises Unavailable."""
        ...

    def ingest(self, stream: Stream, places: Places) -> Ingest: ...

    def playback(self, stream: Stream, places: Places, *, preview: bool) -> Playback: ...

    def poster(self, stream: Stream, places: Places) -> str | None:
        """The newest picture of the stream, as an address; None where the server makes none."""
        ...
