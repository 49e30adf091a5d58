"""Whether the disk can take recordings: looked at every few seconds, and told apart by what went wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Literal

import structlog

from livestall.video.embedded import metrics
from livestall.video.model import GapReason

log = structlog.get_logger()
MEGABYTE = 1_000_000
AGAIN = 1.1
"""Recording resumes when this many times the reserve is free, so that it does not flutter."""
DiskState = Literal["good", "low", "full"]
REASONS: dict[int, GapReason] = {
    errno.ENOSPC: "disk-full", errno.EDQUOT: "disk-full", errno.EFBIG: "disk-full", errno.EROFS: "read-only",
    errno.EACCES: "read-only", errno.EPERM: "read-only",
}  # fmt: skip


def reason_of(error: OSError) -> GapReason:
    return REASONS.get(error.errno or 0, "disk-error")


class Disk:
    """The disk under `folder`. `reserve_mb` is left free for others, PostgreSQL above all; `warn_mb` comes first."""

    def __init__(self, folder: Path, *, warn_mb: int, reserve_mb: int) -> None:
        self._folder = folder
        self._warn, self._reserve = warn_mb * MEGABYTE, reserve_mb * MEGABYTE
        self.free: int | None = None
        self.state: DiskState = "good"

    def look(self) -> None:
        """Blocks for a system call. A folder that cannot be asked counts as good: writing will tell."""
        try:
            found = os.statvfs(self._folder)
        except OSError:
            self.free = None
            return
        self.free = free = found.f_bavail * found.f_frsize
        metrics.DISK_FREE.set(free)
        needed = self._reserve * (AGAIN if self.state == "full" else 1)
        state: DiskState = "full" if free < needed else "low" if free < self._warn else "good"
        if state != self.state:
            (log.info if state == "good" else log.warning)("disk of the recordings", state=state, free_bytes=free)
            self.state = state

    @property
    def may_write(self) -> bool:
        return self.state != "full"
