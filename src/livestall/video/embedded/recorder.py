"""One growing fMP4 file per stream, and an index beside it, one JSON line an entry.

Both only grow, so a process that is killed leaves a good recording up to the last part that was written; `load` finds
the parts that the index does not know yet. All disk work is done by one writer thread: a slow or full disk must not
stop the show, so viewers may have been shown a part that a kill keeps from the recording.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from livestall.video.embedded import fmp4, metrics
from livestall.video.embedded.disk import Disk, reason_of
from livestall.video.model import Gap, GapReason, Recording

log = structlog.get_logger()
MEDIA_FILE, INDEX_FILE = "recording.mp4", "index.jsonl"
BACKLOG_BYTES_MAX = 64 << 20
COMPLAIN_SECONDS = 30.0
REBUILT_SECONDS = 2.0
GAPS_MAX = 1000


class Head(msgspec.Struct, frozen=True, tag="head"):
    """First line. Media time 0 is at `epoch`, Unix seconds."""

    epoch: float


class Hole(msgspec.Struct, frozen=True, tag="gap"):
    """What the disk did not take, in Unix seconds of stream time; lies before the segment that follows it."""

    started_at: float
    ended_at: float
    reason: GapReason


class Init(msgspec.Struct, frozen=True, tag="init"):
    at: int
    size: int


class Stored(msgspec.Struct, frozen=True, tag="segment"):
    """A segment in the file; `started_at` in Unix seconds of stream time."""

    number: int
    at: int
    size: int
    duration: float
    started_at: float
    discontinuity: bool


Entry = Head | Init | Stored | Hole
_decoder = msgspec.json.Decoder(Entry)


class Index(msgspec.Struct):
    """What a recording holds. `size` is the length of the good part of the media file."""

    epoch: float
    entries: list[Init | Stored | Hole]
    size: int = 0

    @property
    def segments(self) -> list[Stored]:
        return [one for one in self.entries if isinstance(one, Stored)]

    def recording(self) -> Recording | None:
        """None when there is nothing to watch."""
        segments = self.segments
        milliseconds = round(sum(one.duration for one in segments) * 1000)
        if milliseconds <= 0:
            return None
        gaps = [
            Gap(datetime.fromtimestamp(one.started_at, UTC), datetime.fromtimestamp(one.ended_at, UTC), one.reason)
            for one in self.entries
            if isinstance(one, Hole)
        ]
        return Recording(datetime.fromtimestamp(segments[0].started_at, UTC), milliseconds, gaps[:GAPS_MAX])


def load(folder: Path) -> Index | None:
    """The recording in `folder`, with what the index missed when the process was killed; None if there is none."""
    try:
        lines = (folder / INDEX_FILE).read_bytes().splitlines()
        length = (folder / MEDIA_FILE).stat().st_size
        head = _decoder.decode(lines[0])
    except (OSError, IndexError, msgspec.MsgspecError):
        return None
    if not isinstance(head, Head):
        return None
    index = Index(head.epoch, [])
    for line in lines[1:]:
        try:
            entry = _decoder.decode(line)
        except msgspec.MsgspecError:
            continue  # the torn last line of a killed process
        if isinstance(entry, Hole):
            index.entries.append(entry)
        elif not isinstance(entry, Head) and entry.at + entry.size <= length:
            index.entries.append(entry)
            index.size = entry.at + entry.size
    if index.size < length:
        _take_tail(folder, index)
    return index


def _take_tail(folder: Path, index: Index) -> None:
    """Add what lies in the media file after the last entry of the index."""
    with (folder / MEDIA_FILE).open("rb") as file:
        file.seek(index.size)
        tail = file.read()
    segments = index.segments
    number = segments[-1].number + 1 if segments else 0
    group: list[fmp4.Found] = []
    fresh = not segments

    def close() -> None:
        nonlocal number, fresh
        if group:
            first, last = group[0], group[-1]
            duration = sum(one.duration for one in group)
            size = last.at + last.size - first.at
            index.entries.append(
                Stored(number, first.at, size, duration, index.epoch + first.start, discontinuity=fresh and number > 0)
            )
            index.size = last.at + last.size
            number, fresh = number + 1, False
            group.clear()

    for piece in fmp4.scan(tail, index.size):
        if piece.init:
            close()
            index.entries.append(Init(piece.at, piece.size))
            index.size = piece.at + piece.size
            fresh = True
            continue
        if piece.key and sum(one.duration for one in group) >= REBUILT_SECONDS - 0.1:
            close()
        group.append(piece)
    close()


class Recorder:
    """Writes one stream's recording. The calls never wait and never fail; what the disk refuses is left out, segment by
    segment, and written down as a gap. Each new segment tries the disk again, as long as `disk` lets it."""

    def __init__(self, folder: Path, epoch: float, writer: Executor, disk: Disk | None = None) -> None:
        self._folder = folder
        self._epoch = epoch
        self._writer = writer
        self._disk = disk
        self._backlog = 0
        self._media = self._index = -1
        self._init = b""
        self._init_stored = False
        self._segment_at: int | None = None
        self._broken: GapReason | None = None
        self._hole: Hole | None = None
        self._complained = float("-inf")
        self.missing_seconds = 0.0

    @property
    def paused(self) -> GapReason | None:
        """Why nothing is recorded just now."""
        return self._hole.reason if self._hole is not None else None

    def start(self, init: bytes) -> None:
        """The segments that follow belong to `init`."""
        self._submit(self._take_init, init)

    def part(self, data: bytes) -> None:
        if self._backlog + len(data) > BACKLOG_BYTES_MAX:
            self._submit(self._lose, b"")
        else:
            self._submit(self._write_part, data)

    def close_segment(self, number: int, duration: float, started_at: float, *, discontinuity: bool) -> None:
        meta = Stored(number, 0, 0, duration, started_at, discontinuity)
        self._writer.submit(self._close_segment, meta)

    async def finish(self) -> Index | None:
        """Everything is written when this returns; a gap that is still open is in the answer all the same."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._close_files)
        index = await loop.run_in_executor(self._writer, load, self._folder)
        if index is not None and self._hole is not None and self._hole not in index.entries:
            index.entries.append(self._hole)
        return index

    def _submit(self, job: Callable[[bytes], None], data: bytes) -> None:
        self._backlog += len(data)
        metrics.RECORDER_BACKLOG.inc(len(data))
        self._writer.submit(self._run, job, data)

    def _run(self, job: Callable[[bytes], None], data: bytes) -> None:
        self._backlog -= len(data)
        metrics.RECORDER_BACKLOG.dec(len(data))
        job(data)

    # ------------------------------------------------ on the writer thread

    def _open(self) -> None:
        if self._media >= 0:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        found = load(self._folder)
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND
        media = os.open(self._folder / MEDIA_FILE, flags, 0o644)
        try:
            index = os.open(self._folder / INDEX_FILE, flags, 0o644)
        except OSError:
            os.close(media)
            raise
        self._media, self._index = media, index
        try:
            self._settle(found)
        except OSError:
            self._close_files()
            raise

    def _settle(self, found: Index | None) -> None:
        """What `load` recovered becomes part of the index; a torn part at the end is cut off."""
        entries = [Head(self._epoch)] if found is None else [Head(found.epoch), *found.entries]
        fresh = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        os.ftruncate(self._media, 0 if found is None else found.size)
        if os.fstat(self._index).st_size != len(fresh):
            os.ftruncate(self._index, 0)
            self._append(self._index, fresh)

    def _take_init(self, init: bytes) -> None:
        self._init, self._init_stored = init, False

    def _lose(self, _: bytes = b"") -> None:
        self._break("disk-slow", "the disk is too slow")

    def _write_part(self, data: bytes) -> None:
        if self._broken is not None:
            return
        try:
            if self._segment_at is None:
                if self._disk is not None and not self._disk.may_write:
                    self._break("disk-full", "the disk is full up to its reserve")
                    return
                self._open()
                if not self._init_stored:
                    at = self._append(self._media, self._init)
                    self._append_line(Init(at, len(self._init)))
                    self._init_stored = True
                self._segment_at = os.fstat(self._media).st_size
            self._append(self._media, data)
            metrics.RECORDED_BYTES.inc(len(data))
        except OSError as error:
            self._break(reason_of(error), str(error))

    def _close_segment(self, meta: Stored) -> None:
        if self._broken is None and self._segment_at is not None:
            self._keep(meta)
        if self._broken is not None:
            self._widen(meta, self._broken)
        self._segment_at = self._broken = None

    def _keep(self, meta: Stored) -> None:
        """The segment is whole on the disk: the index learns of it, and of the gap before it."""
        assert self._segment_at is not None
        try:
            size = os.fstat(self._media).st_size - self._segment_at
            gap = meta.discontinuity or self._hole is not None
            if self._hole is not None:
                self._append_line(self._hole)
            self._append_line(Stored(meta.number, self._segment_at, size, meta.duration, meta.started_at, gap))
        except OSError as error:
            self._break(reason_of(error), str(error))
            return
        if self._hole is not None:
            log.warning("recording goes on", folder=str(self._folder), missing_seconds=round(_length(self._hole), 1))
            self._hole = None
            self._complained = float("-inf")

    def _widen(self, meta: Stored, reason: GapReason) -> None:
        end = meta.started_at + meta.duration
        metrics.MISSING_SECONDS.labels(reason).inc(meta.duration)
        self.missing_seconds += meta.duration
        hole = self._hole
        self._hole = Hole(meta.started_at, end, reason) if hole is None else Hole(hole.started_at, end, hole.reason)

    def _append(self, file: int, data: bytes) -> int:
        """Append all of `data` or nothing; returns where it lies. Raises OSError."""
        at = os.fstat(file).st_size
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, at)
            raise
        return at

    def _append_line(self, entry: Entry) -> None:
        self._append(self._index, msgspec.json.encode(entry) + b"\n")

    def _break(self, reason: GapReason, words: str) -> None:
        """The segment at hand is lost; so that no torn part stays, the file is cut back to where it began."""
        self._broken = reason
        if self._segment_at is not None:
            with suppress(OSError):
                os.ftruncate(self._media, self._segment_at)
        if time.monotonic() - self._complained > COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            log.error("recording is interrupted, the show goes on", folder=str(self._folder), error=words)

    def _close_files(self) -> None:
        if self._hole is not None and self._index >= 0:
            with suppress(OSError):
                self._append_line(self._hole)
        for file in (self._media, self._index):
            if file >= 0:
                os.close(file)
        self._media = self._index = -1


def _length(hole: Hole) -> float:
    return hole.ended_at - hole.started_at
