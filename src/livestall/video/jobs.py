"""What time starts in video: finishing closed streams, throwing out old keys, staying in step with the media server."""

from __future__ import annotations

import time

from livestall.base import clock
from livestall.base.db import Database, Tx
from livestall.base.errors import Unavailable
from livestall.base.jobs import Sweep
from livestall.video import actions, store
from livestall.video.backends import server
from livestall.video.model import Publishing, Stopping

BATCH = 50
SILENCE_SECONDS = 15.0
"""A media server that does not answer for this long is taken for dead, and its streams for stopped."""


async def settle(db: Database) -> int:
    """Finish the streams that were closed, and throw out publishers whose key was rotated."""
    async with db.read() as read:
        closed = await store.unfinished(read, BATCH)
        unwanted = await store.to_kick(read, BATCH)
    media = server()
    for stream_id in closed:
        recording = await media.finish(stream_id)
        async with db.write() as tx:
            await actions.recorded(tx, stream_id, recording)
    for stream_id, session_id in unwanted:
        await media.kick(stream_id, session_id)
        async with db.write() as tx:
            await store.kicked(tx, stream_id, session_id)
    return len(closed) + len(unwanted)


class Reconciler:
    """Brings `stream` in step with what the media server says: a notice may be lost, the state may not."""

    def __init__(self) -> None:
        self._silent_since: float | None = None

    async def run(self, db: Database) -> int:
        # The database is read first: a session in it that the later answer of the media server lacks has ended.
        async with db.read() as read:
            believed = {one.session_id: one for one in await store.online(read)}
        try:
            real = {one.session_id: one for one in await server().online()}
            self._silent_since = None
        except Unavailable:
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since < SILENCE_SECONDS:
                return 0
            real = {}
        now = clock.now()
        stopped = [
            Stopping(one.id, session, one.protocol or "rtmp", now, "the media server lost it")
            for session, one in believed.items()
            if session is not None and session not in real
        ]
        started = [
            Publishing(one.stream_id, session, one.protocol, one.since)
            for session, one in real.items()
            if session not in believed
        ]
        if stopped or started:

            async def write(tx: Tx) -> None:
                await actions.unpublished(tx, stopped)
                await actions.published(tx, started)

            await db.run(write)
        return 0


SWEEPS = [
    Sweep("video.settle", 1.0, settle, BATCH),
    Sweep("video.reconcile", 3.0, Reconciler().run),
]
