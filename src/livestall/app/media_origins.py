"""Where pictures come from: the origins of every media server, which the policy of the pages has to allow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import structlog

from livestall import video
from livestall.app import settings
from livestall.base import config
from livestall.base.db import Database
from livestall.base.errors import Unavailable
from livestall.video.backends.port import at_port

log = structlog.get_logger()
EVERY_SECONDS = 3.0
_ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")


def origins(host: str, servers: Sequence[str] = ()) -> list[str]:
    """The media servers of this machine and those that say they are at `servers`, for who came by the name `host`."""
    public, media = config.of(settings.Address).media, config.of(settings.Media)
    own = [public] if public else [f"{scheme}://{host}:{media.port}" for scheme in ("http", "https")]
    ports = [str(media.port + number) for number in range(1, media.processes)]
    ports += [one[1:] for one in servers if one.startswith(":")]
    further = [at_port(one, port) for port in ports for one in own]
    named = [one for one in servers if not one.startswith(":")]
    return list(dict.fromkeys(filter(None, map(_origin, [*own, *further, *named]))))


def _origin(address: str) -> str:
    """Without its path; empty for what is no address: it would end up in a header."""
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if _ORIGIN.fullmatch(origin) else ""


class MediaOrigins:
    """What the market knows of its media servers, kept so that a page needs no database to be answered."""

    def __init__(self) -> None:
        self._servers: Sequence[str] = ()

    def of(self, host: str) -> list[str]:
        """All of them, for somebody who came by the host name `host`."""
        return origins(host, self._servers)

    async def look(self, db: Database) -> None:
        """Ask the market. Keeps what is known while the database is away."""
        try:
            async with db.read() as read:
                self._servers = await video.media_addresses(read)
        except Unavailable:
            log.debug("media servers are looked up when the database is back")

    async def keep_looking(self, db: Database) -> None:
        """Ask for ever, until cancelled."""
        while True:
            await self.look(db)
            await asyncio.sleep(EVERY_SECONDS)
