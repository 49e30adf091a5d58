"""Media time of an RTMP publisher: from its timestamps while they make sense, from the clock on the wall when not.

Timestamps are milliseconds in 32 bits: they wrap, start anywhere, and with broken encoders stand still, leap, run fast,
or let sound and picture drift apart. Whatever they do, the times given out advance about as fast as the wall clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

BACK_MS, LEAP_MS = 200, 5_000
"""A step back or ahead by more is a leap, unless as much time has passed."""
PAUSE_MS = 1_000
TOGETHER_MS = 1_500
"""After a leap of one track, the other that leaps as far stays in step with it."""
AHEAD_MS = 30_000
DRIFT_MS = 700
WINDOW_SECONDS = 10.0
FAULTS_MAX, FAULTS_SECONDS = 6, 10.0
EQUAL_MAX = 8
JITTER_MS = 400
VIDEO, AUDIO = "video", "audio"


class _Track:
    __slots__ = ("arrived", "equal", "least", "media", "offset", "raw", "step")

    def __init__(self, raw: int, offset: float) -> None:
        self.raw, self.offset = raw, offset
        self.media = self.arrived = 0.0
        self.least = float("inf")
        self.equal = 0
        self.step = 20.0


class MediaTime:
    """`base_ms` is where the publisher's media time starts; `now` gives seconds."""

    def __init__(self, base_ms: int, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._base, self._begin = float(base_ms), now()
        self._window = self._begin
        self._tracks: dict[str, _Track] = {}
        self._apart: float | None = None
        self._recent: deque[float] = deque(maxlen=FAULTS_MAX)
        self.by_arrival = False
        self.faults = 0
        self.fault_at = float("-inf")

    def of(self, kind: str, timestamp: int, duration_ms: float = 0.0) -> int:
        """Media milliseconds of a message of track `kind`; `duration_ms` where it is known (sound)."""
        now = self._now()
        track = self._tracks.get(kind) or self._join(kind, timestamp)
        if self.by_arrival:
            media = self._arrival(track, now, duration_ms)
        else:
            media = self._stamped(kind, track, timestamp, now)
        track.media, track.arrived = media, now
        return max(0, round(media))

    def _wall(self, now: float) -> float:
        return self._base + (now - self._begin) * 1000

    def _join(self, kind: str, timestamp: int) -> _Track:
        other = next(iter(self._tracks.values()), None)
        if other is None:
            track = _Track(timestamp, self._base - timestamp)
            track.media = self._base
        else:
            raw = other.raw + _signed(timestamp - other.raw)
            offset = other.offset
            if abs(raw + offset - other.media) > LEAP_MS:
                offset = other.media - raw
                self._fault(self._now())
            track = _Track(raw, offset)
            track.media = raw + offset
        track.arrived = self._now()
        self._tracks[kind] = track
        return track

    def _stamped(self, kind: str, track: _Track, timestamp: int, now: float) -> float:
        step = _signed(timestamp - track.raw)
        track.raw += step
        passed = (now - track.arrived) * 1000
        if step < -BACK_MS or step > LEAP_MS + passed:
            self._leap(kind, track, passed)
            self._fault(now)
        elif kind == VIDEO and step <= 0:
            track.equal += 1
            if step < 0 or track.equal == EQUAL_MAX:
                self._fault(now)
        else:
            track.equal, track.step = 0, step or track.step
        media = track.raw + track.offset
        ahead = media - self._wall(now)
        track.least = min(track.least, -ahead)
        if ahead > AHEAD_MS or track.equal >= EQUAL_MAX or self._chronic(now):
            return self._give_up(now)
        if now - self._window >= WINDOW_SECONDS:
            self._compare(now)
        return media

    def _leap(self, kind: str, track: _Track, passed: float) -> None:
        """Count on: in step with the other track if that leapt as far, else by one frame, or by a pause if there was
        one; less of a wait is the network's."""
        for name, other in self._tracks.items():
            if name != kind and abs(track.raw + other.offset - other.media) < TOGETHER_MS:
                track.offset = other.offset
                return
        track.offset = track.media + (track.step if passed < PAUSE_MS else min(passed, LEAP_MS)) - track.raw

    def _compare(self, now: float) -> None:
        """Sound and picture must stay as far apart, in their arrival, as they began."""
        self._window = now
        video, audio = self._tracks.get(VIDEO), self._tracks.get(AUDIO)
        if video and audio and video.least < float("inf") and audio.least < float("inf"):
            apart = audio.least - video.least
            if self._apart is None:
                self._apart = apart
            elif abs(apart - self._apart) > DRIFT_MS:
                audio.offset += apart - self._apart
                self._fault(now)
        for track in self._tracks.values():
            track.least = float("inf")

    def _arrival(self, track: _Track, now: float, duration_ms: float) -> float:
        wall, expected = self._wall(now), track.media + duration_ms
        if duration_ms and abs(wall - expected) < JITTER_MS:
            return expected
        return max(wall, track.media + 1)

    def _give_up(self, now: float) -> float:
        """These timestamps mean nothing: from now on the wall clock counts, beginning where the media is."""
        self._fault(now)
        self.by_arrival = True
        self._base, self._begin = max(one.media for one in self._tracks.values()) + 1, now
        return self._base

    def _fault(self, now: float) -> None:
        self.faults += 1
        self.fault_at = now
        self._recent.append(now)

    def _chronic(self, now: float) -> bool:
        return len(self._recent) == FAULTS_MAX and now - self._recent[0] < FAULTS_SECONDS


def _signed(difference: int) -> int:
    """A difference of 32-bit counters, between minus and plus half their range."""
    return (difference + (1 << 31)) % (1 << 32) - (1 << 31)
