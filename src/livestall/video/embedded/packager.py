"""LL-HLS in memory: samples in, parts and segments out, nothing transcoded.

Media time is one axis for the whole life of a stream: 0 is at `epoch`, and a publisher who comes back continues where
the clock is. Stream time (EXT-X-PROGRAM-DATE-TIME) is epoch-free: arrival minus media time, the least of it lately, for
a frame can arrive late but never early.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from livestall.video.embedded import fmp4, metrics
from livestall.video.embedded.bell import Bell
from livestall.video.embedded.fmp4 import AUDIO, VIDEO, VIDEO_RATE, Run, Sample, Track
from livestall.video.embedded.recorder import Recorder
from livestall.video.embedded.segments import Part, Segment, StreamClock
from livestall.video.embedded.still import CARD, CARD_FRAME
from livestall.video.model import Latency

SEGMENT_SECONDS_MAX = 40.0
"""Segments begin with keyframes, so that who joins finds one; only an encoder that sends none for longer is cut."""
OPENING_SECONDS = 1.0
"""A stream's very first segment is cut short, since players start only on a whole one; and those that follow it are no
longer than others until the second keyframe, since players who begin with whole ones go on with whole ones until they
are near the edge: they would see this second, and then nothing new for as long as that takes."""
WINDOW_SECONDS_MAX = 60.0
WINDOW_BYTES_MAX = 64 << 20
SEGMENT_BYTES_MAX = 32 << 20
AUDIO_SAMPLES_MAX = 700
FRAME_SECONDS_MAX = 5.0
STILL_SECONDS, CARD_SECONDS = 2.0, 5.0
CARD_UNITS = 5 * VIDEO_RATE
"""Sound without a picture: so long until the last picture stands still, or a dark card when there was none yet."""
DEFAULT_FRAME = VIDEO_RATE // 30
SLACK = 0.001


def _whole(seconds: float) -> int:
    return math.ceil(seconds - 0.01)


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
        self.clock = StreamClock()
        self.keyframe: tuple[bytes, bytes] | None = None
        self.frames = self.bytes = 0
        self.keyframe_seconds = 0.0
        self.now = now
        self._bell = Bell()
        self.parts = self._next_init = 0
        self._began = self._discontinuity = resumed
        self.target = 1
        self._last_end = 0
        self._reset()

    # -------------------------------------------------------- publishers

    def begin(self) -> int:
        """A publisher starts: its tracks are unknown, its picture begins with a keyframe. Returns where its media time
        starts, in milliseconds."""
        self.pause()
        self._discontinuity = self._began
        self._began = True
        self._reset()
        self.target = max([1, *(_whole(one.duration) for one in self.segments)])
        self.clock.restart()
        at = round((self.now() - self.epoch) * 1000)
        return max(at, self._last_end * 1000 // VIDEO_RATE + 100)

    def _reset(self) -> None:
        self._video: Track | None = None
        self._audio: Track | None = None
        self._camera: Track | None = None
        self._next_audio: Track | None = None
        self._started = self.still = False
        self._heard_from: float | None = None
        self._pending: tuple[int, Sample] | None = None
        self._frames: list[Sample] = []
        self._frames_at = self._frames_units = 0
        self._sounds: list[Sample] = []
        self._sounds_at = 0
        self._next_sound: int | None = None
        self._stale_init = self._fresh = self._wait_key = True
        self._last_key: int | None = None
        self._current_bytes = 0
        self._came = self._part_came = 0.0

    @property
    def video(self) -> Track | None:
        """What the publisher announced last; it counts from its next keyframe."""
        return self._camera

    @property
    def audio(self) -> Track | None:
        return self._next_audio or self._audio

    @property
    def keyframe_interval(self) -> float:
        """Seconds between the last two keyframes, or since the last one if that is longer."""
        if self._last_key is None or self._pending is None:
            return self.keyframe_seconds
        return max(self.keyframe_seconds, (self._pending[0] - self._last_key) / VIDEO_RATE)

    def set_video(self, track: Track) -> None:
        if self._camera != track:
            self._wait_key = True
            self._camera = track

    def set_audio(self, track: Track) -> None:
        """Takes effect at once before the first picture, afterwards with the next keyframe: a cut needs one."""
        self._next_audio = track if self._started and track != self._audio else None
        if not self._started:
            self._audio = track

    # ------------------------------------------------------------- media

    def add_video(self, time_units: int, shift: int, data: bytes, *, key: bool) -> None:
        """A frame with decoding time and shift at 90 kHz; time never goes back here, whatever the encoder says."""
        if self._camera is None or (self._wait_key and not key):
            return
        time_units = self._ordered(time_units)
        if self._pending is not None and time_units - self._pending[0] > FRAME_SECONDS_MAX * VIDEO_RATE:
            self._break_off(time_units)
            if not key:
                self._wait_key = True
                return
        self._wait_key = self.still = False
        self.clock.saw(time_units / VIDEO_RATE, self.now())
        self.frames += 1
        self.bytes += len(data)
        if key:
            if self._last_key is not None:
                self.keyframe_seconds = (time_units - self._last_key) / VIDEO_RATE
            self._last_key = time_units
            self.keyframe = (self._camera.config, data)
        self._frame(self._camera, time_units, shift, data, key=key)

    def _ordered(self, time_units: int) -> int:
        if self._pending is not None:
            time_units = max(time_units, self._pending[0] + 90)
        return max(time_units, self._last_end + 1)

    def _frame(self, track: Track, time_units: int, shift: int, data: bytes, *, key: bool) -> None:
        self._take_pending(time_units, key=key)
        if key and (track != self._video or self._next_audio is not None):
            self._cut_for_new_tracks()
            self._video = track
            if self._next_audio is not None:
                self._audio, self._next_audio, self._next_sound = self._next_audio, None, None
        self._started = True
        self._came = self.now()
        self._pending = (time_units, Sample(0, data, key, shift))

    def _cut_for_new_tracks(self) -> None:
        self._flush()
        self._close()
        self._discontinuity = self._discontinuity or self._video is not None
        self._sounds = []
        self._stale_init = True

    def _break_off(self, time_units: int) -> None:
        """Neither picture nor sound for long: what follows is another piece of the time line."""
        self._take_pending(time_units, key=False)
        self._flush()
        self._close()
        self._discontinuity = True
        self._pending = None

    def _stand_still(self, sound_units: int) -> None:
        """There is sound at `sound_units` (90 kHz); without a picture for long, the last one is shown again."""
        at = sound_units if self._pending is None else self._pending[0]
        since = sound_units - (self._heard_from or 0) if self._pending is None else sound_units - at
        if not self.still and since < (CARD_SECONDS if not self._started else STILL_SECONDS) * VIDEO_RATE:
            return
        track, data = self._video, self.keyframe[1] if self.keyframe is not None else b""
        if track is None or self.keyframe is None or self.keyframe[0] != track.config:
            track, data = CARD, CARD_FRAME
        step = round(self.latency.part * 0.8 * VIDEO_RATE)
        at = max(at + step, sound_units - CARD_UNITS) if self._pending is not None else at
        while at <= sound_units:
            self.still = self._wait_key = True
            self._last_key = None
            self._frame(track, self._ordered(at), 0, data, key=True)
            at += step

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
        if segment.parts and not segment.parts[0].independent:  # it began without a keyframe, and ends with the next
            least, most = 0.0, most if self.keyframe_seconds else self.latency.segment
        if (key and length >= least) or length >= most or self._current_bytes > SEGMENT_BYTES_MAX:
            self._flush()
            self._close()
        elif run + duration / VIDEO_RATE > self.latency.part + SLACK:
            self._flush()

    def _add(self, at: int, frame: Sample) -> Segment:
        if self.current is None:
            self._open(at)
        if not self._frames:
            self._frames_at, self._part_came = at, self._came
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
        if self._audio is None or self._next_audio is not None:
            return
        self.bytes += len(data)
        at = time_units * VIDEO_RATE // self._audio.rate
        self._heard_from = at if self._heard_from is None else self._heard_from
        self._stand_still(at)
        if not self._started:
            return
        slack = self._audio.rate // 10
        if self._next_sound is not None and self._next_sound - time_units > slack:
            return
        gap = 0 if self._next_sound is None else time_units - self._next_sound
        if self._next_sound is None or gap > self._audio.rate:
            self._flush()
            self._sounds = []
            self._next_sound, gap = time_units, 0
        if gap > slack:  # a short hole would halt players: the sound before it, or this one, lasts as long
            if self._sounds:
                self._sounds[-1] = self._sounds[-1]._replace(duration=self._sounds[-1].duration + gap)
                self._next_sound += gap
            else:
                duration += gap
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
        metrics.PARTS.inc()
        metrics.PART_LAG.observe(max(0.0, self.now() - self._part_came - duration))
        self._frames, self._sounds = [], []
        self._frames_units = 0
        self._bell.ring()

    def _close(self) -> bool:
        segment = self.current
        if segment is None or not segment.parts:
            return False
        if segment.first:  # the burst at the start arrives late: by now the clock knows better
            segment.started_at = self._stream_time(segment.media_start, first=True)
        segment.done = True
        self.target = max(self.target, _whole(segment.duration))
        self.segments.append(segment)
        self.next_number += 1
        self.current = None
        if self.recorder:
            self.recorder.close_segment(
                segment.number, segment.duration, segment.started_at, discontinuity=segment.discontinuity
            )
        self._trim()
        self._bell.ring()
        return True

    def _trim(self) -> None:
        total = sum(one.size for one in self.segments)
        seconds = sum(one.duration for one in self.segments)
        longest = max(WINDOW_SECONDS_MAX, 3 * self.target, self.window * self.latency.segment)
        while (
            len(self.segments) > self.window
            or (total > WINDOW_BYTES_MAX and len(self.segments) > 2)
            or seconds - self.segments[0].duration > longest + 0.5
        ):
            gone = self.segments.popleft()
            total -= gone.size
            seconds -= gone.duration
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
        self._bell.ring()

    # ----------------------------------------------------------- waiting

    @property
    def version(self) -> int:
        return self._bell.version

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, at most so long; returns whether it does."""
        return await self._bell.wait(condition, seconds)

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
