"""Recordings of other media servers (FLV, MP4) made into a replay of ours: one fMP4 file and its index, nothing coded
anew. H.264 and AAC only; what else a file holds is left out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

import av
import av.error
import msgspec
import structlog

from livestall.video.embedded import fmp4
from livestall.video.embedded.fmp4 import AUDIO, VIDEO, VIDEO_RATE, Run, Sample, Track
from livestall.video.embedded.h264 import BadVideo
from livestall.video.embedded.recorder import INDEX_FILE, MEDIA_FILE, Head, Init, Stored, load
from livestall.video.model import Recording

log = structlog.get_logger()
SEGMENT_SECONDS = 2.0
SEGMENT_SECONDS_MAX = 12.0
FRAME_UNITS = VIDEO_RATE // 25
STEP_SECONDS_MAX = 5.0
"""A longer pause between two frames is a broken time, and is closed."""


class _Writer:
    """The two files of a replay while they grow. `epoch` in Unix seconds is media time 0."""

    def __init__(self, media: BinaryIO, index: BinaryIO, epoch: float) -> None:
        self._media, self._index, self.epoch = media, index, epoch
        self.number = 0
        self._at = 0
        self._line(Head(epoch))

    def _line(self, entry: Head | Init | Stored) -> None:
        self._index.write(msgspec.json.encode(entry) + b"\n")

    def _append(self, data: bytes) -> int:
        at = self._at
        self._media.write(data)
        self._at += len(data)
        return at

    def init(self, tracks: Sequence[Track]) -> None:
        data = fmp4.init_section(tracks)
        self._line(Init(self._append(data), len(data)))

    def segment(self, runs: Sequence[Run], duration: float, *, discontinuity: bool) -> None:
        """`runs` begins with the picture's."""
        data = fmp4.fragment(self.number + 1, runs)
        started_at = self.epoch + runs[0].start / VIDEO_RATE
        gap = discontinuity and self.number > 0
        self._line(Stored(self.number, self._append(data), len(data), duration, started_at, gap))
        self.number += 1


def assemble(parts: Sequence[tuple[datetime, Path]], format_name: Literal["flv", "mov"], target: Path) -> None:
    """Write the replay of `parts`, each with the time of its first picture, into the folder `target`. All or nothing;
    a part that cannot be read is left out. Raises OSError. Takes about a second for each hour of video."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=target) as folder:
        media_path, index_path = Path(folder) / MEDIA_FILE, Path(folder) / INDEX_FILE
        with media_path.open("wb") as media, index_path.open("wb") as index:
            writer = _Writer(media, index, parts[0][0].timestamp())
            end = 0.0
            for started_at, path in parts:
                start = max(end, started_at.timestamp() - writer.epoch)
                try:
                    end = _take(writer, path, format_name, start)
                except (av.error.FFmpegError, BadVideo, StopIteration) as error:
                    log.warning("a recording cannot be read and is left out", file=str(path), error=repr(error))
        if writer.number:
            # The index is the promise, so it comes last.
            media_path.replace(target / MEDIA_FILE)
            index_path.replace(target / INDEX_FILE)


def make_replay(
    parts: Sequence[tuple[datetime, Path]], format_name: Literal["flv", "mov"], target: Path
) -> Recording | None:
    """What `target` holds after taking in `parts`; without any, what it held before. Raises OSError."""
    if parts:
        assemble(sorted(parts), format_name, target)
    index = load(target)
    return index.recording() if index is not None else None


def _take(writer: _Writer, path: Path, format_name: str, start: float) -> float:
    """Append one file whose media begins at `start` seconds; returns where it ends."""
    with av.open(str(path), format=format_name, options={"protocol_whitelist": "file"}) as container:
        pictures = next(one for one in container.streams.video if one.codec_context.name == "h264")
        sounds = next((one for one in container.streams.audio if one.codec_context.name == "aac"), None)
        tracks = [fmp4.video_track(bytes(pictures.codec_context.extradata or b""))]
        if sounds is not None and sounds.codec_context.extradata:
            tracks.append(fmp4.audio_track(bytes(sounds.codec_context.extradata)))
        else:
            sounds = None
        writer.init(tracks)
        used = [one for one in (pictures, sounds) if one is not None]
        cutter = _Cutter(writer, tracks, start)
        for packet in _whole(container, used):
            if packet.stream is pictures:
                cutter.picture(packet)
            else:
                cutter.sound(packet)
        return cutter.close()


def _whole(container: Any, used: Sequence[Any]) -> Iterator[Any]:
    """The packets up to the end, or to where a file that was cut off stops making sense."""
    try:
        for packet in container.demux(used):
            if packet.dts is not None and packet.size:
                yield packet
    except av.error.FFmpegError as error:
        log.warning("a recording ends early", error=repr(error))


class _Cutter:
    """Gathers packets of one file and writes a segment at each keyframe that is due."""

    def __init__(self, writer: _Writer, tracks: Sequence[Track], start: float) -> None:
        self._writer = writer
        self._rate = tracks[1].rate if len(tracks) > 1 else 0
        self._at = self._sound_at = start
        self._first: float | None = None
        self._last: float | None = None
        self._frames: list[tuple[int, Sample]] = []
        self._sounds: list[Sample] = []
        self._sounds_at = 0
        self._fresh = True
        self._key = False

    def picture(self, packet: Any) -> None:
        dts = float(packet.dts * packet.time_base)
        if self._first is None:
            if not packet.is_keyframe:
                return
            self._first = dts
        elif self._last is not None:
            step = dts - self._last
            self._at += step if 0 < step <= STEP_SECONDS_MAX else FRAME_UNITS / VIDEO_RATE
        self._last = dts
        length = self._at - self._frames[0][0] / VIDEO_RATE if self._frames else 0.0
        due = packet.is_keyframe and length >= SEGMENT_SECONDS - 0.05
        if self._frames and (due or length >= SEGMENT_SECONDS_MAX):
            self._cut(round(self._at * VIDEO_RATE))
        shift = 0 if packet.pts is None else round(float((packet.pts - packet.dts) * packet.time_base) * VIDEO_RATE)
        at = round(self._at * VIDEO_RATE)
        if self._frames:
            at = max(at, self._frames[-1][0] + 1)
        self._frames.append((at, Sample(0, bytes(packet), bool(packet.is_keyframe), shift)))

    def sound(self, packet: Any) -> None:
        if self._first is None:
            return
        wanted = float(packet.dts * packet.time_base) - self._first + self._offset()
        if not self._sounds or abs(wanted - self._sound_at) > 0.1:
            if wanted < self._sound_at - 0.1:
                return  # sound never steps back
            if self._sounds:
                wanted = self._sound_at  # a gap inside a segment would shift what follows
            else:
                self._sound_at = max(wanted, self._sound_at) if not self._fresh else max(wanted, 0.0)
                self._sounds_at = round(self._sound_at * self._rate)
        self._sounds.append(Sample(1024, bytes(packet)))
        self._sound_at += 1024 / self._rate

    def _offset(self) -> float:
        """From the file's time to ours: what the pictures say."""
        assert self._last is not None
        assert self._first is not None
        return self._at - (self._last - self._first)

    def _cut(self, end: int) -> None:
        samples: list[Sample] = []
        for index, (at, frame) in enumerate(self._frames):
            following = self._frames[index + 1][0] if index + 1 < len(self._frames) else end
            samples.append(frame._replace(duration=max(1, following - at)))
        start = self._frames[0][0]
        runs = [Run(VIDEO, start, samples)]
        if self._sounds:
            runs.append(Run(AUDIO, self._sounds_at, self._sounds))
        duration = sum(one.duration for one in samples) / VIDEO_RATE
        self._writer.segment(runs, duration, discontinuity=self._fresh)
        self._fresh = False
        self._frames, self._sounds = [], []

    def close(self) -> float:
        """Write what is left; returns the end in seconds."""
        if not self._frames:
            return self._at
        end = self._frames[-1][0] + FRAME_UNITS
        self._cut(end)
        return end / VIDEO_RATE
