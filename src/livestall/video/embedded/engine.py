"""What is live in this process: streams, their publishers, takeovers, previews, and the end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from livestall.base import clock, config, ids
from livestall.base.errors import Invalid
from livestall.video.embedded import metrics, playlist, recorder
from livestall.video.embedded.chores import Chores, tell
from livestall.video.embedded.disk import Disk
from livestall.video.embedded.findings import Refused
from livestall.video.embedded.flv import FlvSink
from livestall.video.embedded.hooks import Market
from livestall.video.embedded.packager import Packager
from livestall.video.embedded.recorder import Index, Recorder
from livestall.video.embedded.rtmp import NotAdmitted, RtmpConnection
from livestall.video.embedded.stream import LiveStream, Session
from livestall.video.model import LATENCY, Grant, Hook, HookKind, Ingress, Online, Recording, Settings, StreamWarning

log = structlog.get_logger()
APP = "live"
EPOCH_LEAD_SECONDS = 10.0
REPLAYS_KEPT = 100
TAKEN_OVER = "another publisher with the same key took over"


class Engine:
    """All streams of this process. `folder` is the media folder, `market` answers and listens."""

    def __init__(self, folder: Path, market: Market, settings: Settings | None = None) -> None:
        self.folder = folder
        self.market = market
        self.settings = settings or config.of(Settings)
        self.streams: dict[UUID, LiveStream] = {}
        self.tag = secrets.token_hex(3)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self.disk = Disk(folder, warn_mb=self.settings.disk_warn_mb, reserve_mb=self.settings.disk_reserve_mb)
        self._chores = Chores(self.streams, self.settings, self.disk, self.on_disk, market.tell)
        self._opening: dict[UUID, asyncio.Lock] = {}
        self._known = asyncio.Condition()
        self._replays: dict[UUID, tuple[int, str]] = {}
        self.before_open: Callable[[UUID], Awaitable[None]] = _nothing
        """Awaited before a stream that is not in memory is opened: another process may have it."""

    async def start(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:  # shows are carried all the same
            log.error("no recordings: the media folder cannot be made", folder=str(self.folder), error=str(error))
        await self.market.start()
        self._chores.start()

    async def stop(self) -> None:
        """End every publisher and leave whole recordings."""
        await self._chores.stop()
        for stream in list(self.streams.values()):
            if stream.session is not None:
                self._throw_out(stream.session, "the media server stops")
            if stream.packager.recorder is not None:
                await stream.packager.recorder.finish()
        await self.market.stop()
        self._writer.shutdown(wait=True)

    async def on_disk(self, job: Callable[..., Any], *arguments: object) -> Any:
        """Run `job` on the one thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, job, *arguments)

    # --------------------------------------------------------- publishers

    async def admit(self, name: str, secret: str, protocol: Ingress, ip: str) -> LiveStream:
        """The stream that this publisher may send to. Raises NotAdmitted with a sentence for the host."""
        try:
            stream_id = ids.parse(name)
        except Invalid:
            raise NotAdmitted("the stream key is wrong; copy server and key from the studio again") from None
        publishing = sum(one.session is not None for one in self.streams.values())
        if publishing >= self.settings.publishers_max:
            raise NotAdmitted("this server carries as many streams as it can; try again later")
        grant = await self.market.authorise(stream_id, secret, protocol, ip)
        stream = await self._open(grant)
        if stream.packager.ended:
            raise NotAdmitted("this show has ended; plan a new one and use its key")
        return stream

    async def _open(self, grant: Grant) -> LiveStream:
        async with self._opening.setdefault(grant.stream_id, asyncio.Lock()):
            stream = self.streams.get(grant.stream_id)
            if stream is None:
                await self.before_open(grant.stream_id)
                folder = self.folder / str(grant.stream_id)
                found = await self.on_disk(recorder.load, folder)
                stream = LiveStream(grant.stream_id, folder, self._packager(grant, folder, found))
                self.streams[grant.stream_id] = stream
                async with self._known:
                    self._known.notify_all()
            elif stream.session is None:
                stream.packager.latency = LATENCY[grant.mode]
        self._opening.pop(grant.stream_id, None)
        return stream

    def _packager(self, grant: Grant, folder: Path, found: Index | None) -> Packager:
        """A new time line, or the one of the recording when this process came back after a crash."""
        segments = found.segments if found else []
        epoch = found.epoch if found else time.time() - EPOCH_LEAD_SECONDS
        return Packager(
            LATENCY[grant.mode],
            epoch=epoch,
            window=self.settings.window_segments,
            recorder=Recorder(folder, epoch, self._writer, self.disk) if self.settings.record else None,
            first_number=segments[-1].number + 1 if segments else 0,
            discontinuities=sum(one.discontinuity for one in segments),
            resumed=bool(segments),
        )

    def begin(self, stream: LiveStream, protocol: Ingress, close: Callable[[str], None]) -> tuple[Session, int]:
        """A publisher starts; the one before, if any, is thrown out. Returns its session and where its media time
        starts, in milliseconds."""
        if stream.session is not None:
            self._throw_out(stream.session, TAKEN_OVER)
        session = Session(stream, protocol, close)
        start = stream.packager.begin()
        stream.session = session
        stream.touched = time.monotonic()
        session.watch = asyncio.create_task(self._tell_when_seen(session, stream.packager.parts))
        metrics.ADMITTED.labels(protocol).inc()
        log.info("publisher accepted", stream=str(stream.id), protocol=protocol)
        return session, start

    async def _tell_when_seen(self, session: Session, parts: int) -> None:
        """The market hears of a publisher once there is a picture."""
        packager = session.stream.packager
        while packager.parts <= parts:
            await packager.wait(lambda: packager.parts > parts, 3600)
        session.told = True
        self._tell(session, "published", session.since, "")

    def end(self, session: Session, reason: str) -> None:
        """The publisher is gone. Its stream stays: it may come back. Safe to repeat."""
        if session.ended:
            return
        session.ended = True
        stream = session.stream
        if session.watch is not None:
            session.watch.cancel()
        if stream.session is session:
            stream.packager.pause()
            stream.session = None
            stream.relay = None
            stream.touched = time.monotonic()
        if not session.refused and session.findings.told:
            tell(self.market.tell, session, [])
        if session.told:
            self._tell(session, "unpublished", clock.now(), reason)
        log.info("publisher gone", stream=str(stream.id), reason=reason)

    def refuse(self, session: Session, error: Exception) -> None:
        """Its stream cannot be carried: the host is told why, and that stays until the next publisher."""
        session.refused = True
        warning = error.warning if isinstance(error, Refused) else StreamWarning("bad-stream", 0.0, str(error)[:200])
        tell(self.market.tell, session, [warning])

    def _throw_out(self, session: Session, reason: str) -> None:
        self.end(session, reason)
        session.close(reason)

    def _tell(self, session: Session, kind: HookKind, at: datetime, reason: str) -> None:
        self.market.tell(
            Hook(
                kind=kind,
                stream=session.stream.id,
                session=session.id,
                protocol=session.protocol,
                at=at,
                reason=reason[:200],
            )
        )

    # ------------------------------------------------------------ control

    def online(self) -> list[Online]:
        """The publishers whose picture arrives, with their health."""
        return [
            self.health(one.session) for one in self.streams.values() if one.session is not None and one.session.told
        ]

    def health(self, session: Session) -> Online:
        packager = session.stream.packager
        seconds = max(0.001, time.monotonic() - session.start_at)
        return Online(
            stream_id=session.stream.id,
            session_id=session.id,
            protocol=session.protocol,
            since=session.since,
            width=packager.video.width if packager.video else 0,
            height=packager.video.height if packager.video else 0,
            kbps=round((packager.bytes - session.start_bytes) / seconds / 125),
            fps=round((packager.frames - session.start_frames) / seconds, 1),
            keyframe_seconds=round(packager.keyframe_seconds, 2),
        )

    def kick(self, stream_id: UUID, session_id: UUID) -> None:
        stream = self.streams.get(stream_id)
        self.market.forget(stream_id)
        if stream is not None and stream.session is not None and stream.session.id == session_id:
            self._throw_out(stream.session, "the stream key was replaced")

    async def release(self, stream_id: UUID) -> None:
        """Another process takes the stream: end its publisher here and leave a whole recording to go on from."""
        stream = self.streams.pop(stream_id, None)
        if stream is None:
            return
        if stream.session is not None:
            self._throw_out(stream.session, TAKEN_OVER)
        if stream.packager.recorder is not None:
            await stream.packager.recorder.finish()

    async def finish(self, stream_id: UUID) -> Recording | None:
        """End the stream for good; also of a stream that only an earlier process knew. Safe to repeat."""
        self.market.forget(stream_id)
        stream = self.streams.get(stream_id)
        if stream is None:
            index = await self.index(stream_id)
        else:
            if stream.session is not None:
                self._throw_out(stream.session, "the show has ended")
            stream.packager.finish()
            stream.touched = time.monotonic()
            on_disk = stream.packager.recorder
            index = await on_disk.finish() if on_disk is not None else None
        return index.recording() if index is not None else None

    async def index(self, stream_id: UUID) -> Index | None:
        """What is recorded of a stream so far."""
        return await asyncio.to_thread(recorder.load, self.folder / str(stream_id))

    async def replay(self, stream_id: UUID) -> str | None:
        """The replay's playlist, read from disk once for all viewers; None if nothing is recorded."""
        folder = self.folder / str(stream_id)
        try:
            written = (folder / recorder.MEDIA_FILE).stat().st_mtime_ns
        except OSError:
            return None
        known = self._replays.get(stream_id)
        if known is not None and known[0] == written:
            return known[1]
        index = await self.index(stream_id)
        if index is None or index.recording() is None:
            return None
        while len(self._replays) >= REPLAYS_KEPT:
            del self._replays[next(iter(self._replays))]
        text = playlist.replay(index)
        self._replays[stream_id] = (written, text)
        return text

    async def wait_for(self, stream_id: UUID, seconds: float) -> LiveStream | None:
        """The stream, when a publisher brings it within that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._known:
                await self._known.wait_for(lambda: stream_id in self.streams)
        return self.streams.get(stream_id)

    # ---------------------------------------------------------------- RTMP

    def rtmp(self) -> RtmpConnection:
        """A protocol for one RTMP connection."""
        settings = self.settings
        return RtmpConnection(self._admit_rtmp, idle_seconds=settings.idle_seconds, kbps_max=settings.kbps_max)

    async def _admit_rtmp(self, connection: RtmpConnection, app: str, key: str) -> RtmpPublisher:
        name, _, query = key.partition("?")
        if app.partition("?")[0].strip("/") != APP:
            raise NotAdmitted(f"the server address must end in /{APP}; copy it from the studio again")
        secret = next((part[2:] for part in query.split("&") if part.startswith("k=")), "")
        stream = await self.admit(name.strip("/"), secret, "rtmp", connection.peer)
        session, start = self.begin(stream, "rtmp", connection.close)
        return RtmpPublisher(self, session, start)


class RtmpPublisher(FlvSink):
    """An RTMP publisher's media, and its end."""

    def __init__(self, engine: Engine, session: Session, start_ms: int) -> None:
        super().__init__(session.stream.packager, start_ms, session.findings)
        self._engine = engine
        self._session = session

    def refused(self, error: Exception) -> None:
        self._engine.refuse(self._session, error)

    def end(self, reason: str) -> None:
        self._engine.end(self._session, reason)


async def _nothing(_stream_id: UUID) -> None:
    return
