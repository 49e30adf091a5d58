"""Media servers the market can work with: our own process, and the neighbours that the settings name."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import NotFound
from livestall.video.backends.embedded import Embedded
from livestall.video.backends.mediamtx import MediaMtx
from livestall.video.backends.neighbour import hook_token
from livestall.video.backends.nginx_rtmp import NginxRtmp
from livestall.video.backends.port import HOME, MediaServer, Places, Publisher, Replays, Reply, Server
from livestall.video.backends.srs import Srs
from livestall.video.model import NAME, ServerKind, Settings

EMBEDDED = "embedded"
"""The name under which all media processes of our own send their hooks."""

KINDS: Mapping[ServerKind, Callable[[Server, Replays | None], MediaServer]] = {
    "mediamtx": MediaMtx, "srs": Srs, "nginx-rtmp": NginxRtmp
}  # fmt: skip
NAME_FILE = "name"
_home: dict[str, Replays] = {}


class Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of LIVESTALL_MEDIA__SERVERS. Addresses without a slash at their end: `rtmp` with the application
    ("rtmp://video.example/live"), `hls`, `whip` and `whep` as viewers and hosts reach them, `control` as the market's
    own processes do. `recordings` is the server's folder of recordings as a worker sees it."""

    name: Annotated[str, Meta(pattern=f"^{NAME}$")]
    kind: ServerKind
    rtmp: Annotated[str, Meta(pattern=r"^rtmps?://[^\s\"'<>]+/live$", max_length=300)]
    hls: Annotated[str, Meta(pattern=r"^https?://[^\s\"'<>]+[^/\s]$", max_length=300)]
    whip: Annotated[str, Meta(pattern=r"^(https?://[^\s\"'<>]+[^/\s])?$", max_length=300)] = ""
    whep: Annotated[str, Meta(pattern=r"^(https?://[^\s\"'<>]+[^/\s])?$", max_length=300)] = ""
    control: Annotated[str, Meta(pattern=r"^(https?://[^\s\"'<>]+[^/\s])?$", max_length=300)] = ""
    recordings: Annotated[str, Meta(max_length=300)] = ""
    segment_seconds: Annotated[float, Meta(ge=0.1, le=30)] = 2.0
    accepts: bool = True

    def server(self) -> Server:
        return Server(
            id=self.name, kind=self.kind, hls_url=self.hls, rtmp_url=self.rtmp, whip_url=self.whip, whep_url=self.whep,
            control_url=self.control, folder=self.recordings, segment_seconds=self.segment_seconds,
            accepts=self.accepts,
        )  # fmt: skip


@lru_cache(maxsize=8)
def _parse(text: str) -> Mapping[str, Server]:
    named = msgspec.json.decode(text.encode() or b"[]", type=list[Named])
    found = {one.name: one.server() for one in named}
    if len(found) != len(named) or EMBEDDED in found or any(one.kind == EMBEDDED for one in named):
        raise msgspec.ValidationError("each media server has a name of its own, and none is called or is embedded")
    return found


def neighbours() -> Mapping[str, Server]:
    """The servers that the settings name. Raises config.BadSettings with a sentence about the first mistake."""
    try:
        return _parse(config.of(Settings).servers.strip())
    except msgspec.MsgspecError as error:
        raise config.BadSettings(f"LIVESTALL_MEDIA__SERVERS: {error}") from error


def keep_replays(replays: Replays) -> None:
    """Where replays made of neighbours' recordings go; the media process of this machine serves them."""
    _home["replays"] = replays


def server_name(folder: Path) -> str:
    """The name of the media process that keeps its recordings in `folder`: made once, and kept there, so that replays
    are found again whatever the machine is called. Raises OSError."""
    file = folder / NAME_FILE
    try:
        name = file.read_text().strip()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{NAME_FILE}.{secrets.token_hex(4)}"
        fresh.write_text(f"media-{secrets.token_hex(4)}\n")
        with suppress(FileExistsError):  # of two that make a name at once, the first one counts
            file.hardlink_to(fresh)
        fresh.unlink()
        name = file.read_text().strip()
    return name if re.fullmatch(NAME, name) else "media"


def home_server_id() -> str | None:
    """Which of our media processes serves the replays that are made here."""
    replays = _home.get("replays")
    if replays is None:
        return None
    return config.of(Settings).name or server_name(replays.folder)


def adapter(server: Server) -> MediaServer:
    """What speaks that server's language."""
    if server.kind == EMBEDDED:
        return Embedded(server)
    return KINDS[server.kind](server, _home.get("replays"))


def by_name(name: str) -> MediaServer:
    """The adapter for hooks that come under `name`. Raises NotFound."""
    if name == EMBEDDED:
        return Embedded()
    found = neighbours().get(name)
    if found is None:
        raise NotFound
    return adapter(found)


def reachable(known: Iterable[Server]) -> dict[str, Server]:
    """Every server to ask who publishes: our own processes as they said themselves, or the one of this machine while
    none has; and the neighbours as the settings say today."""
    own = {one.id: one for one in known if one.kind == EMBEDDED} or {HOME.id: HOME}
    return {**own, **neighbours()}


__all__ = [
    "EMBEDDED", "HOME", "Embedded", "MediaServer", "Named", "Places", "Publisher", "Replays", "Reply", "Server",
    "adapter", "by_name", "home_server_id", "hook_token", "keep_replays", "neighbours", "reachable",
    "server_name",
]  # fmt: skip
