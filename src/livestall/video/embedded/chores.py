"""What the media process does by the clock: previews, the disk, what hosts are told, forgetting streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from livestall.base import clock
from livestall.video.embedded import metrics
from livestall.video.embedded.disk import Disk
from livestall.video.embedded.h264 import annex_b
from livestall.video.embedded.poster import Painter
from livestall.video.embedded.stream import LiveStream, Session
from livestall.video.model import Hook, Settings, StreamWarning

log = structlog.get_logger()
POSTER_FILE = "poster.jpg"
KEEP_SECONDS = 600.0
KEEP_ENDED_SECONDS = 60.0
FORGET_EVERY, PAINT_EVERY, DISK_EVERY, LOOK_EVERY = 5.0, 0.25, 2.0, 1.0


class Chores:
    """Of the streams in `streams`. `on_disk` runs a job on the one thread that writes; `say` tells the market."""

    def __init__(
        self,
        streams: dict[UUID, LiveStream],
        settings: Settings,
        disk: Disk,
        on_disk: Callable[..., Awaitable[Any]],
        say: Callable[[Hook], None],
    ) -> None:
        self._streams, self._settings, self._disk, self._on_disk, self._say = streams, settings, disk, on_disk, say
        self._painter = Painter()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        chores = (self._paint_all(), self._forget_old(), self._look_at_disk(), self._look_at_publishers())
        self._tasks = [asyncio.create_task(one) for one in chores]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._painter.stop()

    # ------------------------------------------------------------ previews

    async def _paint_all(self) -> None:
        while True:
            await asyncio.sleep(PAINT_EVERY)
            for stream in list(self._streams.values()):
                due = time.monotonic() - stream.painted_at >= self._settings.poster_seconds
                keyframe = stream.packager.keyframe
                if due and keyframe is not None and keyframe[1] is not stream.painted_from:
                    stream.painted_at, stream.painted_from = time.monotonic(), keyframe[1]
                    await self._paint(stream, annex_b(*keyframe))

    async def _paint(self, stream: LiveStream, keyframe: bytes) -> None:
        try:
            picture = await self._painter.paint(keyframe)
            if picture is not None:
                stream.poster = picture
                await self._on_disk(_replace, stream.folder / POSTER_FILE, picture)
        except OSError as error:
            log.debug("the preview stays in memory", stream=str(stream.id), error=str(error))
        except Exception as error:  # a broken picture costs the preview, nothing else
            log.warning("no preview", stream=str(stream.id), error=repr(error))

    async def _forget_old(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY)
            now = time.monotonic()
            for stream in list(self._streams.values()):
                keep = KEEP_ENDED_SECONDS if stream.packager.ended else KEEP_SECONDS
                if stream.session is None and now - stream.touched > keep:
                    self._streams.pop(stream.id, None)
                    if stream.packager.recorder is not None:
                        await stream.packager.recorder.finish()

    # ---------------------------------------------------------- what is told

    async def _look_at_disk(self) -> None:
        while True:
            await asyncio.to_thread(self._disk.look)
            await asyncio.sleep(DISK_EVERY)

    async def _look_at_publishers(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now, paused = time.monotonic(), 0
            counted = {"rtmp": 0, "whip": 0}
            for stream in list(self._streams.values()):
                session = stream.session
                if session is None:
                    continue
                counted[session.protocol] += 1
                tell(self._say, session, session.findings.look(stream.packager, now))
                metrics.BYTES_IN.inc(stream.packager.bytes - stream.metered)
                stream.metered = stream.packager.bytes
                paused += stream.packager.recorder is not None and stream.packager.recorder.paused is not None
            metrics.PAUSED.set(paused)
            for protocol, count in counted.items():
                metrics.INGESTS.labels(protocol).set(count)


def tell(say: Callable[[Hook], None], session: Session, warnings: list[StreamWarning]) -> None:
    """The host is told when something changed."""
    if warnings == session.findings.told:
        return
    before = session.findings.told or []
    session.findings.told = warnings
    for code in {one.code for one in warnings} - {one.code for one in before}:
        metrics.WARNINGS.labels(code).inc()
        log.warning("publisher is not well", stream=str(session.stream.id), code=code)
    hook = Hook(
        kind="warned", stream=session.stream.id, session=session.id, protocol=session.protocol, at=clock.now(),
        warnings=warnings,
    )  # fmt: skip
    say(hook)


def _replace(path: Path, data: bytes) -> None:
    """Put a whole new file in place of the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(path)
