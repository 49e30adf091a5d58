"""One growing fMP4 file per stream, and an index beside it, one JSON line an entry.

Both only grow, so a process that is killed leaves a good recording up to its last part; `load` finds the parts that the
index does not know yet. All disk work is done by one writer thread: a slow or full disk must not stop the show.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from livestall.video.embedded import fmp4
from livestall.video.model import Recording

log = structlog.get_logger()
MEDIA_FILE, INDEX_FILE = "recording.mp4", "index.jsonl"
BACKLOG_BYTES_MAX = 64 << 20
COMPLAIN_SECONDS = 30.0
REBUILT_SECONDS = 2.0


class Head(msgspec.Struct, frozen=True, tag="head"):
    """First line. Media time 0 is at `epoch`, Unix seconds."""

    epoch: float


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


Entry = Head | Init | Stored
_decoder = msgspec.json.Decoder(Entry)


class Index(msgspec.Struct):
    """What a recording holds. `size` is the length of the good part of the media file."""

    epoch: float
    entries: list[Init | Stored]
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
        return Recording(datetime.fromtimestamp(segments[0].started_at, UTC), milliseconds)


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
        if not isinstance(entry, Head) and entry.at + entry.size <= length:
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
    """Writes one stream's recording. The calls never wait and never fail; what the disk refuses is left out."""

    def __init__(self, folder: Path, epoch: float, writer: Executor) -> None:
        self._folder = folder
        self._epoch = epoch
        self._writer = writer
        self._backlog = 0
        self._media = self._index = -1
        self._init = b""
        self._init_stored = False
        self._segment_at: int | None = None
        self._broken = False
        self._lost = False
        self._complained = 0.0

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
        """Everything is written when this returns."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._close_files)
        return await loop.run_in_executor(self._writer, load, self._folder)

    def _submit(self, job: object, data: bytes) -> None:
        self._backlog += len(data)
        self._writer.submit(self._run, job, data)

    def _run(self, job: object, data: bytes) -> None:
        self._backlog -= len(data)
        assert callable(job)
        job(data)

    # ------------------------------------------------ on the writer thread

    def _open(self) -> None:
        if self._media >= 0:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        found = load(self._folder)
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND
        media = os.open(self._folder / MEDIA_FILE, flags, 0o644)
        index = os.open(self._folder / INDEX_FILE, flags, 0o644)
        # What `load` recovered becomes part of the index; a torn part at the end is cut off.
        entries = [Head(self._epoch)] if found is None else [Head(found.epoch), *found.entries]
        fresh = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        os.ftruncate(media, 0 if found is None else found.size)
        if os.fstat(index).st_size != len(fresh):
            os.ftruncate(index, 0)
            os.write(index, fresh)
        self._media, self._index = media, index

    def _take_init(self, init: bytes) -> None:
        self._init, self._init_stored = init, False

    def _lose(self, _: bytes = b"") -> None:
        self._broken = self._lost = True

    def _write_part(self, data: bytes) -> None:
        if self._broken:
            return
        try:
            self._open()
            if self._segment_at is None:
                if not self._init_stored:
                    at = self._append(self._media, self._init)
                    self._append_line(Init(at, len(self._init)))
                    self._init_stored = True
                self._segment_at = os.fstat(self._media).st_size
            self._append(self._media, data)
        except OSError as error:
            self._fail(error)

    def _close_segment(self, meta: Stored) -> None:
        if not self._broken and self._segment_at is not None:
            size = os.fstat(self._media).st_size - self._segment_at
            gap = meta.discontinuity or self._lost
            entry = Stored(meta.number, self._segment_at, size, meta.duration, meta.started_at, gap)
            try:
                self._append_line(entry)
                self._lost = False
            except OSError as error:
                self._fail(error)
        self._segment_at = None
        self._broken = False  # the next segment tries the disk again

    def _append(self, file: int, data: bytes) -> int:
        """Append all of `data` or nothing; returns where it lies. Raises OSError."""
        at = os.fstat(file).st_size
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError:
            os.ftruncate(file, at)
            raise
        return at

    def _append_line(self, entry: Entry) -> None:
        self._append(self._index, msgspec.json.encode(entry) + b"\n")

    def _fail(self, error: OSError) -> None:
        self._broken = self._lost = True
        if self._segment_at is not None:
            os.ftruncate(self._media, self._segment_at)
        if time.monotonic() - self._complained > COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            log.error("recording is interrupted, the show goes on", folder=str(self._folder), error=str(error))

    def _close_files(self) -> None:
        for file in (self._media, self._index):
            if file >= 0:
                os.close(file)
        self._media = self._index = -1
