"""A channel as it is open in one process: its numbers, its last events, its totals, and the snapshot for newcomers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from livestall.live import frames
from livestall.live.hub import Hub, Reader
from livestall.live.model import MISSED_MAX, LiveEvent, Total
from livestall.live.tick import Tick

SNAPSHOT_EVENTS_MAX = 100
SNAPSHOT_BYTES_MAX = 65_536
"""Events, and their bytes, after which a snapshot in memory is built anew for the next newcomer."""
SNAPSHOT_SECONDS_MAX = 30.0


class Channel:
    """One open channel in this process."""

    def __init__(self, channel: UUID, hub: Hub, tick: Tick, growing: frozenset[str] = frozenset()) -> None:
        self.id = channel
        self.readers: dict[Reader, None] = {}
        self.tick = tick
        self.totals: dict[str, Any] = {}
        self.recent: deque[tuple[int, bytes]] = deque(maxlen=MISSED_MAX)
        self.last = 0
        self.mark = 0
        self.heard_seq = self.heard_mark = 0
        """Numbers of the newest event and the newest totals that are known to exist; `last` and `mark` are here."""
        self.held: dict[int, LiveEvent] = {}
        """Events that came before one that is still missing."""
        self.snapshot_seq = 0
        self.snapshot_body = b""
        self.loaded_at = 0.0
        self.must_do_until = 0.0
        self.bytes_since = 0
        self.is_open = False
        self.early: list[tuple[int | None, LiveEvent | Sequence[Total]]] = []
        """What was said while the channel was being loaded: events, and totals with their number."""
        self.loading: asyncio.Task[None] | None = None
        self.idle_since: float | None = time.monotonic()
        self._hub = hub
        self._growing = growing

    @property
    def misses_events(self) -> bool:
        return self.heard_seq > self.last

    @property
    def misses_totals(self) -> bool:
        return self.heard_mark > self.mark

    @property
    def is_behind(self) -> bool:
        return self.misses_events or self.misses_totals

    def heard_of(self, seq: int, mark: int) -> None:
        """Events up to `seq` and totals up to `mark` exist."""
        self.heard_seq = max(self.heard_seq, seq)
        self.heard_mark = max(self.heard_mark, mark)

    def take(self, event: LiveEvent) -> bool:
        """Say a numbered event. False if events before it are missing here: it is kept until they have come. Those
        already said are ignored."""
        if event.seq != self.last + 1:
            if event.seq <= self.last:
                return True
            self.heard_of(event.seq, 0)
            if len(self.held) < MISSED_MAX:
                self.held[event.seq] = event
            return False
        self._say(event)
        while self.held:
            following = self.held.pop(self.last + 1, None)
            if following is None:
                return False
            self._say(following)
        return True

    def _say(self, event: LiveEvent) -> None:
        encoded = frames.event(event)
        self.last = event.seq
        self.bytes_since += len(encoded)
        self.recent.append((event.seq, encoded))
        self.tick.event(event.seq, event.kind, encoded)

    def caught_up(self) -> None:
        """All that the database has was taken: what still waits for something before it waits in vain."""
        self.held.clear()
        self.heard_seq = self.last

    def take_totals(self, mark: int | None, totals: Sequence[Total]) -> bool:
        """Say totals; `mark` is their number, None for those that have none. False if totals before them are missing:
        then all are read anew. Those already said are ignored."""
        if mark is not None:
            if mark <= self.mark:
                return True
            if mark != self.mark + 1:
                self.heard_of(0, mark)
                return False
            self.mark = mark
        for total in totals:
            self.set_total(total.slot, total.value, total.key)
        return True

    def renew(self, mark: int, totals: Mapping[str, Any]) -> None:
        """Take totals as they were read, at least as new as the number `mark`."""
        if mark < self.mark:
            return  # newer ones were said meanwhile
        self.mark = self.heard_mark = mark
        for slot, value in totals.items():
            if isinstance(value, Mapping):
                for key, one in value.items():
                    self.set_total(slot, one, key)
            else:
                self.set_total(slot, value)

    def set_total(self, slot: str, value: Any, key: str | None = None) -> None:
        if key is None:
            known = self.totals.get(slot)
            if known == value or (slot in self._growing and known is not None and value < known):
                return
            self.totals[slot] = value
        else:
            known = self.totals.setdefault(slot, {})
            if known.get(key) == value:
                return
            known[key] = value
        self.tick.total(slot, value, key)

    def between(self, seq: int, until: int) -> list[bytes] | None:
        """The events after `seq` up to `until`; None if memory does not reach back so far."""
        if seq >= until:
            return []
        if not self.recent or self.recent[0][0] > seq + 1:
            return None
        return [encoded for number, encoded in self.recent if seq < number <= until]

    def is_fresh(self) -> bool:
        now = time.monotonic()
        young = now - self.loaded_at < SNAPSHOT_SECONDS_MAX and self.bytes_since <= SNAPSHOT_BYTES_MAX
        young = young and self.last - self.snapshot_seq <= SNAPSHOT_EVENTS_MAX
        return (young or now < self.must_do_until) and self.between(self.snapshot_seq, self.last) is not None

    def missed(self, seq: int) -> bytes | None:
        """One message that brings a reader who has everything up to `seq` to the last flush; None if only a snapshot
        can."""
        flushed = self.tick.flushed
        encoded = self.between(seq, flushed) if seq <= self.last else None
        if encoded is None:
            return None
        first, last = (seq + 1, flushed) if encoded else (None, None)
        return frames.events(first, last, encoded, self.totals)

    def send_snapshot(self, reader: Reader, role: str) -> None:
        """The snapshot as it was built, the events since then that were already flushed, and the totals of now."""
        self._hub.send(reader, frames.snapshot(_with_role(self.snapshot_body, role)))
        since = self.missed(min(self.snapshot_seq, self.tick.flushed))
        if since is not None:
            self._hub.send(reader, since)


def _with_role(body: bytes, role: str) -> bytes:
    """Shared snapshots are a viewer's; for anyone else the first role in it, which is the reader's own, is changed."""
    return body if role == "viewer" else body.replace(b'"role":"viewer"', b'"role":' + frames.encode(role), 1)
