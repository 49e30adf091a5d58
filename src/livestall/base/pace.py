"""Pacing: so much a second and so much at once, for each account or device.

One small file holds everybody's pace, mapped into the memory of all processes of a host: five gateways of one machine
keep one count, and no claim waits for a network. A host counts for itself; nothing is lost if the file is.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import structlog

from livestall.base import keys

log = structlog.get_logger()
SETS = 16_384
WAYS = 4
SLOT = struct.Struct("=Qd")
SLOTS = struct.Struct("=" + WAYS * "Qd")
SLOT_BYTES = SLOT.size
SET_BYTES = WAYS * SLOT_BYTES
PRIME = 2**130 - 5
"""Larger than any id, so that no two are alike to begin with."""
KEY_MASK = 2**64 - 1
OLD_SECONDS = 7 * 86_400
BOOT = Path("/proc/sys/kernel/random/boot_id")


class Pace:
    """Keeps for each key the moment at which its burst is whole again (GCRA), in a table of fixed size.

    `path` is shared with other processes of this host; None keeps the pace of this process alone. There is no lock: two
    processes that count the same key at the very same moment may count one for two, which is less than a lock costs
    everybody. When four others that are still being paced fall on the same place of the table, the one that has least
    to wait is forgotten.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._file: int | None = None
        size = SETS * SET_BYTES
        if path is None:
            self._table = mmap.mmap(-1, size)
        else:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, size)
            self._table = mmap.mmap(self._file, size)
        self._kinds: dict[str, tuple[int, int]] = {}

    def take(self, kind: str, who: UUID, per_second: float, burst: int) -> float:
        """0 if `who` may go on, and it is counted; else the seconds to wait, and nothing is counted."""
        times, plus = self._kinds.get(kind) or self._learn(kind)
        key = (times * who.int + plus) % PRIME & KEY_MASK or 1
        offset = key % SETS * SET_BYTES
        now = self._now()
        one, one_at, two, two_at, three, three_at, four, four_at = SLOTS.unpack_from(self._table, offset)
        if key == one:
            whole_at = one_at
        elif key == two:
            whole_at, offset = two_at, offset + SLOT_BYTES
        elif key == three:
            whole_at, offset = three_at, offset + 2 * SLOT_BYTES
        elif key == four:
            whole_at, offset = four_at, offset + 3 * SLOT_BYTES
        else:
            times_here = one_at, two_at, three_at, four_at
            whole_at, offset = now, offset + times_here.index(min(times_here)) * SLOT_BYTES
        whole_at = max(whole_at, now) + 1 / per_second
        wait = whole_at - now - burst / per_second
        if wait > 1e-9:
            return wait
        SLOT.pack_into(self._table, offset, key, whole_at)
        return 0.0

    def _learn(self, kind: str) -> tuple[int, int]:
        """The secret line on which the ids of a kind lie, so that nobody can choose one that shares another's place: a
        universal hash (Carter and Wegman 1979), a third of the cost of a keyed digest."""
        secret = hashlib.sha512(keys.sign("pace", kind).encode()).digest()
        times, plus = (int.from_bytes(part, "little") % (PRIME - 1) + 1 for part in (secret[:32], secret[32:]))
        self._kinds[kind] = times, plus
        return times, plus

    def close(self) -> None:
        self._table.close()
        if self._file is not None:
            os.close(self._file)


_folder: list[Path] = []
_state: dict[str, Pace] = {}


def use(folder: Path) -> None:
    """Keep the pace in `folder`, together with the other processes of this host that do. Called once at start."""
    _folder[:] = [folder]
    _state.clear()


def _open() -> Pace:
    """The file of this host in the folder given; a count of this process alone without one."""
    if not _folder:
        return Pace()
    folder = _folder[0]
    boot = BOOT.read_text().strip()[:8] if BOOT.exists() else "boot"  # the clock starts anew with the machine
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("pace-*"):
            if old.stat().st_mtime < time.time() - OLD_SECONDS:
                old.unlink(missing_ok=True)
        return Pace(folder / f"pace-{boot}")
    except OSError as error:
        log.warning("the pace of accounts is kept by this process alone", folder=str(folder), error=repr(error))
        return Pace()


def take(kind: str, who: UUID, per_second: float, burst: int) -> float:
    """See Pace.take."""
    pace = _state.get("pace")
    if pace is None:
        pace = _state["pace"] = _open()
    return pace.take(kind, who, per_second, burst)
