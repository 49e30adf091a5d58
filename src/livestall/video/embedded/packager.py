"""LL-HLS in memory: samples in, parts and segments out, nothing transcoded.

Media time is one axis for the whole life of a stream: 0 is at `epoch`, and a publisher who comes back continues where
the clock is. Stream time (EXT-X-PROGRAM-DATE-TIME) is epoch-free: arrival minus media time, the least of it lately, for
a frame can arrive late but never early.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from livestall.video.embedded import fmp4
from livestall.video.embedded.fmp4 import AUDIO, VIDEO, VIDEO_RATE, Run, Sample, Track
from livestall.video.embedded.recorder import Recorder
from livestall.video.model import Latency

SEGMENT_SECONDS_MAX = 12.0
OPENING_SECONDS = 1.0
"""A stream's very first segment is cut short, since players start only on a whole one."""
WINDOW_BYTES_MAX = 64 << 20
SEGMENT_BYTES_MAX = 24 << 20
AUDIO_SAMPLES_MAX = 700
FRAME_SECONDS_MAX = 5.0
DEFAULT_FRAME = VIDEO_RATE // 30
SLACK = 0.001


class Part:
    __slots__ = ("data", "duration", "independent")

    def __init__(self, data: bytes, duration: float, *, independent: bool) -> None:
        self.data, self.duration, self.independent = data, duration, independent


class Segment:
    """`number` is the media sequence number, `started_at` Unix seconds of stream time, `init` an index of inits."""

    __slots__ = ("discontinuity", "done", "duration", "first", "init", "media_start", "number", "parts", "started_at")

    def __init__(
        self, number: int, started_at: float, init: int, media_start: int, *, discontinuity: bool, first: bool
    ) -> None:
        self.number, self.started_at, self.init, self.media_start = number, started_at, init, media_start
        self.discontinuity, self.first = discontinuity, first
        self.parts: list[Part] = []
        self.duration = 0.0
        self.done = False

    @property
    def size(self) -> int:
        return sum(len(part.data) for part in self.parts)


class StreamClock:
    """Stream time from media time, by the least delay seen. Follows a drifting encoder slowly, a step in seconds."""

    WINDOW_SECONDS = 10.0
    CREEP = 0.000_03

    def __init__(self) -> None:
        self.offset: float | None = None
        self._lately = float("inf")
        self._since = 0.0

    def restart(self) -> None:
        self.offset = None
        self._lately = float("inf")

    def saw(self, media: float, now: float) -> None:
        """A frame of media time `media` arrived at `now`, both in seconds."""
        delay = now - media
        if self.offset is None:
            self.offset, self._since = delay, now
        self.offset = min(delay, self.offset + self.CREEP)
        self._lately = min(self._lately, delay)
        if now - self._since >= self.WINDOW_SECONDS:
            behind = self._lately - self.offset
            if behind > 0.25:
                self.offset += min(0.1, behind / 2)
            self._since, self._lately = now, float("inf")

    def at(self, media: float) -> float:
        return media + (self.offset or 0.0)


class Packager:
    """One stream. Not for threads; all times in seconds unless named otherwise."""

    def __init__(
        self,
        latency: Latency,
        *,
        epoch: float,
        window: int = 8,
        recorder: Recorder | None = None,
        first_number: int = 0,
        discontinuities: int = 0,
        resumed: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.latency, self.epoch, self.window = latency, epoch, window
        self.recorder = recorder
        self.next_number = first_number
        self.dropped_discontinuities = discontinuities
        self.segments: deque[Segment] = deque()
        self.current: Segment | None = None
        self.inits: dict[int, bytes] = {}
        self.ended = False
        self.version = 0
        self.clock = StreamClock()
        self.keyframe: tuple[bytes, bytes] | None = None
        self.frames = self.bytes = 0
        self.keyframe_seconds = 0.0
        self._now = now
        self._waiters: list[asyncio.Future[None]] = []
        self.parts = self._next_init = 0
        self._began = self._discontinuity = resumed
        self._video: Track | None = None
        self._audio: Track | None = None
        self._last_end = 0
        self._reset()

    # -------------------------------------------------------- publishers

    def begin(self) -> int:
        """A publisher starts: its tracks are unknown, its picture begins with a keyframe. Returns where its media time
        starts, in milliseconds."""
        self.pause()
        self._discontinuity = self._began
        self._began = True
        self._video = self._audio = None
        self._reset()
        self.clock.restart()
        at = round((self._now() - self.epoch) * 1000)
        return max(at, self._last_end * 1000 // VIDEO_RATE + 100)

    def _reset(self) -> None:
        self._pending: tuple[int, Sample] | None = None
        self._frames: list[Sample] = []
        self._frames_at = self._frames_units = 0
        self._sounds: list[Sample] = []
        self._sounds_at = 0
        self._next_sound: int | None = None
        self._stale_init = self._fresh = self._wait_key = True
        self._last_key: int | None = None
        self._current_bytes = 0

    @property
    def video(self) -> Track | None:
        return self._video

    @property
    def audio(self) -> Track | None:
        return self._audio

    @property
    def codecs(self) -> str:
        return ",".join(track.codec for track in (self._video, self._audio) if track)

    def set_video(self, track: Track) -> None:
        if self._video != track:
            self._cut_for_new_tracks()
            self._video = track

    def set_audio(self, track: Track) -> None:
        if self._audio != track:
            self._cut_for_new_tracks()
            self._audio = track
            self._next_sound = None

    def _cut_for_new_tracks(self) -> None:
        self._flush()
        if self._close():
            self._discontinuity = True
        self._sounds = []
        self._stale_init = True

    # ------------------------------------------------------------- media

    def add_video(self, time_units: int, shift: int, data: bytes, *, key: bool) -> None:
        """A frame with decoding time and shift at 90 kHz; time never goes back here, whatever the encoder says."""
        now = self._now()
        if self._video is None or (self._wait_key and not key):
            return
        self._wait_key = False
        if self._pending is not None:
            time_units = max(time_units, self._pending[0] + 90)
        time_units = max(time_units, self._last_end + 1)
        self.clock.saw(time_units / VIDEO_RATE, now)
        self.frames += 1
        self.bytes += len(data)
        if key:
            if self._last_key is not None:
                self.keyframe_seconds = (time_units - self._last_key) / VIDEO_RATE
            self._last_key = time_units
            self.keyframe = (self._video.config, data)
        self._take_pending(time_units, key=key)
        self._pending = (time_units, Sample(0, data, key, shift))

    def _take_pending(self, following: int, *, key: bool) -> None:
        """The frame before becomes a sample, now that its duration is known; cut where a cut is due."""
        if self._pending is None:
            return
        at, frame = self._pending
        duration = following - at
        if duration > FRAME_SECONDS_MAX * VIDEO_RATE:
            duration = DEFAULT_FRAME
        segment = self._add(at, frame._replace(duration=duration))
        run = self._frames_units / VIDEO_RATE
        length, opening = segment.duration + run, not self.segments
        least = self.latency.segment * (0.45 if opening else 1.0) - 0.05
        most = OPENING_SECONDS if opening else SEGMENT_SECONDS_MAX
        if (key and length >= least) or length >= most or self._current_bytes > SEGMENT_BYTES_MAX:
            self._flush()
            self._close()
        elif run + duration / VIDEO_RATE > self.latency.part + SLACK:
            self._flush()

    def _add(self, at: int, frame: Sample) -> Segment:
        if self.current is None:
            self._open(at)
        if not self._frames:
            self._frames_at = at
        self._frames.append(frame)
        self._frames_units += frame.duration
        self._current_bytes += len(frame.data)
        self._last_end = at + frame.duration
        assert self.current is not None
        return self.current

    def _open(self, at: int) -> None:
        if self._stale_init:
            self._new_init()
        self.current = Segment(
            self.next_number,
            self._stream_time(at, first=self._fresh),
            self._next_init - 1,
            at,
            discontinuity=self._discontinuity,
            first=self._fresh,
        )
        self._discontinuity = self._fresh = False
        self._current_bytes = 0

    def _stream_time(self, at: int, *, first: bool) -> float:
        """Stream time of a segment that starts at media time `at`; it never goes back."""
        before = self.segments[-1] if self.segments else None
        least = 0.0 if before is None else before.started_at + (before.duration if first else 0.001)
        return max(self.clock.at(at / VIDEO_RATE), least)

    def _new_init(self) -> None:
        data = fmp4.init_section([track for track in (self._video, self._audio) if track])
        self.inits[self._next_init] = data
        self._next_init += 1
        self._stale_init = False
        if self.recorder:
            self.recorder.start(data)

    def add_audio(self, time_units: int, data: bytes, duration: int = 1024) -> None:
        """An AAC frame, times at the track's rate. A late one is dropped: sound never steps back."""
        if self._audio is None or self._wait_key:
            return
        self.bytes += len(data)
        slack = self._audio.rate // 10
        if self._next_sound is not None and self._next_sound - time_units > slack:
            return
        if self._next_sound is None or time_units - self._next_sound > slack:
            if self._sounds:
                self._flush()
            self._sounds = []
            self._next_sound = max(time_units, self._next_sound or 0)
        if len(self._sounds) >= AUDIO_SAMPLES_MAX:
            return  # no picture any more: sound alone must not fill the memory
        if not self._sounds:
            self._sounds_at = self._next_sound
        self._sounds.append(Sample(duration, data))
        self._next_sound += duration

    # ----------------------------------------------------------- cutting

    def _flush(self) -> None:
        """What was gathered becomes a part."""
        segment = self.current
        if not self._frames or segment is None:
            return
        runs = [Run(VIDEO, self._frames_at, self._frames)]
        if self._sounds:
            runs.append(Run(AUDIO, max(0, self._sounds_at), self._sounds))
        self.parts += 1
        data = fmp4.fragment(self.parts, runs)
        duration = self._frames_units / VIDEO_RATE
        segment.parts.append(Part(data, duration, independent=self._frames[0].key))
        segment.duration += duration
        if self.recorder:
            self.recorder.part(data)
        self._frames, self._sounds = [], []
        self._frames_units = 0
        self._wake()

    def _close(self) -> bool:
        segment = self.current
        if segment is None or not segment.parts:
            return False
        if segment.first:  # the burst at the start arrives late: by now the clock knows better
            segment.started_at = self._stream_time(segment.media_start, first=True)
        segment.done = True
        self.segments.append(segment)
        self.next_number += 1
        self.current = None
        if self.recorder:
            self.recorder.close_segment(
                segment.number, segment.duration, segment.started_at, discontinuity=segment.discontinuity
            )
        self._trim()
        self._wake()
        return True

    def _trim(self) -> None:
        total = sum(one.size for one in self.segments)
        while len(self.segments) > self.window or (total > WINDOW_BYTES_MAX and len(self.segments) > 2):
            gone = self.segments.popleft()
            total -= gone.size
            self.dropped_discontinuities += gone.discontinuity
        used = {one.init for one in self.segments} | {self._next_init - 1}
        self.inits = {number: data for number, data in self.inits.items() if number in used}

    def pause(self) -> None:
        """The publisher is gone; what it sent becomes a whole segment."""
        if self._pending is not None:
            at, frame = self._pending
            self._pending = None
            self._add(at, frame._replace(duration=DEFAULT_FRAME))
        self._flush()
        self._close()

    def finish(self) -> None:
        self.pause()
        self.ended = True
        self._wake()

    # ----------------------------------------------------------- waiting

    def _wake(self) -> None:
        self.version += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, at most so long; returns whether it does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            left = end - loop.time()
            if left <= 0:
                return False
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            timer = loop.call_later(left, lambda w=waiter: w.done() or w.set_result(None))
            try:
                await waiter
            finally:
                timer.cancel()
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return True

    def has(self, number: int, part: int | None = None) -> bool:
        """Whether that segment (that part of it) is there, or never will be."""
        if self.ended or number < self.next_number:
            return True
        return (
            part is not None
            and number == self.next_number
            and self.current is not None
            and len(self.current.parts) > part
        )

    def segment(self, number: int) -> Segment | None:
        if self.current is not None and self.current.number == number:
            return self.current
        return next((one for one in self.segments if one.number == number), None)
