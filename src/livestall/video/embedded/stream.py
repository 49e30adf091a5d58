"""A stream in memory, and a publisher of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from livestall.base import clock, ids
from livestall.video.embedded.findings import Findings
from livestall.video.embedded.packager import Packager
from livestall.video.model import Ingress


class Session:
    """One publisher from its admission to its end."""

    def __init__(self, stream: LiveStream, protocol: Ingress, close: Callable[[str], None]) -> None:
        self.id = ids.new()
        self.stream = stream
        self.protocol: Ingress = protocol
        self.since: datetime = clock.now()
        self.close = close
        self.told = False
        self.ended = False
        self.refused = False
        self.findings = Findings()
        self.watch: asyncio.Task[None] | None = None
        self.start_at = time.monotonic()
        self.start_frames, self.start_bytes = stream.packager.frames, stream.packager.bytes


class LiveStream:
    """A stream in memory; `folder` holds its recording and its newest preview."""

    def __init__(self, stream_id: UUID, folder: Path, packager: Packager) -> None:
        self.id = stream_id
        self.folder = folder
        self.packager = packager
        self.session: Session | None = None
        self.poster: bytes | None = None
        self.painted_from: bytes | None = None
        self.painted_at = 0.0
        self.metered = packager.bytes
        self.touched = time.monotonic()
        self.cached_playlist: tuple[int, bytes] | None = None
        self.relay: Any = None
        """The WHIP publisher's tracks, for previews; see rtc.py."""
