"""What time starts in video: finishing closed streams, throwing out old keys, staying in step with media servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from livestall.base import clock
from livestall.base.db import Database, Tx
from livestall.base.errors import Unavailable
from livestall.base.jobs import Sweep
from livestall.video import actions, store
from livestall.video.backends import HOME, Publisher, Server, adapter, home_server_id, neighbours, reachable
from livestall.video.model import Online, Publishing, Recording, Stopping, Stream

log = structlog.get_logger()
BATCH = 50
SILENCE_SECONDS = 15.0
"""A media server that does not answer for this long is taken for dead, and its streams for stopped."""
GIVE_UP = timedelta(minutes=10)
"""A recording that another server of the show has is not waited for longer."""
EVERY_SECONDS = 1.5


async def settle(db: Database) -> int:
    """Finish the streams that were closed, and throw out publishers whose key was rotated."""
    async with db.read() as read:
        closed = await store.unfinished(read, BATCH, clock.now() - actions.ALIVE)
        unwanted = await store.to_kick(read, BATCH)
        known = await store.servers(read)
    servers = reachable(known.values())
    settled = 0
    for one in closed:
        try:
            await _settle_one(db, one, servers)
            settled += 1
        except Unavailable:
            continue  # its server is away: the others must not wait for it
    for who in unwanted:
        try:
            await adapter(_server(servers, who.server_id)).kick(Publisher(who.stream_id, who.session_id, who.client_id))
        except Unavailable:
            continue
        async with db.write() as tx:
            await store.kicked(tx, who.stream_id, who.session_id)
        settled += 1
    return settled


async def _settle_one(db: Database, one: store.Closed, servers: Mapping[str, Server]) -> None:
    """Of several servers that carried a show, the longest recording is its replay. Raises Unavailable."""
    best: tuple[Server, Recording] | None = None
    missing = False
    for server_id in one.server_ids or [None]:
        server = _server(servers, server_id)
        try:
            recording = await adapter(server).finish(one.stream_id)
        except Unavailable:
            missing = True
            continue
        if recording is not None and (best is None or recording.duration_ms > best[1].duration_ms):
            best = (server, recording)
    if missing and (best is None or clock.now() - one.closed_at < GIVE_UP):
        raise Unavailable
    async with db.write() as tx:
        if best is not None:
            own = best[0].kind == HOME.kind
            await store.keep_replay_at(tx, one.stream_id, (best[0].id if own else home_server_id()) or None)
        await actions.recorded(tx, one.stream_id, best[1] if best else None)


def _server(servers: Mapping[str, Server], server_id: str | None) -> Server:
    """The server of that name. One that has no name, or is no longer named, is the one of this machine."""
    own = next((one for one in servers.values() if one.kind == HOME.kind), HOME)
    return own if server_id is None else servers.get(server_id, own)


class Reconciler:
    """Brings `stream` in step with what the media servers say: a notice may be lost, the state may not."""

    def __init__(self) -> None:
        self._silent_since: dict[str, float] = {}

    async def run(self, db: Database) -> int:
        # The database is read first: a session in it that the later answer of a media server lacks has ended.
        async with db.read() as read:
            believed = await store.online(read)
            known = await store.servers(read)
        servers, named = reachable(known.values()), neighbours()
        answers = dict(zip(servers, await asyncio.gather(*map(self._ask, servers.values())), strict=True))
        now, alive = clock.now(), clock.now() - actions.ALIVE
        dead = {
            server_id
            for server_id, answer in answers.items()
            if answer is None
            and self._is_dead(server_id)
            and not (server_id in known and known[server_id].seen_at > alive)
        }
        gone = [one for one in known if one in dead or (one not in servers and known[one].seen_at < alive)]
        stopped = [
            Stopping(one.id, one.session_id, one.protocol or "rtmp", now, "the media server lost it", one.server_id)
            for one in believed
            if one.session_id is not None and _is_gone(one, answers, dead, {*gone, *_strangers(one, known, alive)})
        ]
        started = _new(believed, answers)

        async def write(tx: Tx) -> None:
            for server_id, answer in answers.items():
                if answer is None:
                    continue
                if server_id in named:
                    await store.saw_server(tx, named[server_id], now)
                await store.touch_server(tx, server_id, len(answer), now)
            await actions.rescue(tx, gone)
            await actions.unpublished(tx, stopped)
            await actions.published(tx, started, seen=True)

        if stopped or started or gone or any(answers):
            await db.run(write)
        return 0

    async def _ask(self, server: Server) -> list[Online] | None:
        try:
            answer = await adapter(server).online()
        except Unavailable:
            self._silent_since.setdefault(server.id, time.monotonic())
            return None
        self._silent_since.pop(server.id, None)
        return answer

    def _is_dead(self, server_id: str) -> bool:
        since = self._silent_since.get(server_id)
        return since is not None and time.monotonic() - since >= SILENCE_SECONDS


Answers = Mapping[str, "Sequence[Online] | None"]


def _strangers(stream: Stream, known: Collection[str], alive: datetime) -> list[str]:
    """The stream's server if it never said that it is there, though it has had the time. (One that has just started
    takes publishers before it is known.)"""
    server_id, since = stream.server_id, stream.online_since
    return [server_id] if server_id is not None and server_id not in known and since and since < alive else []


def _is_gone(stream: Stream, answers: Answers, dead: set[str], gone: set[str]) -> bool:
    """Whether no server lists this stream's publisher, and the one that should has answered, is dead or is gone."""
    for server_id, answer in answers.items():
        for one in answer or ():
            if one.session_id == stream.session_id or (
                one.stream_id == stream.id and actions.same_publisher(stream, server_id, one.client_id, one.since)
            ):
                return False
    if stream.server_id is not None and stream.server_id in answers:
        return answers[stream.server_id] is not None or stream.server_id in dead
    if stream.server_id is not None:
        return stream.server_id in gone
    # Nobody says where it is: every one must have answered, or be dead.
    return all(answer is not None or server_id in dead for server_id, answer in answers.items())


def _new(believed: Sequence[Stream], answers: Answers) -> list[Publishing]:
    """The publishers that a server lists and the database does not know. One who was there before the current one,
    which is listed too, is not new: it is about to be thrown out."""
    streams = {one.id: one for one in believed}
    sessions = {one.session_id for one in believed}
    listed = {one.session_id for answer in answers.values() for one in answer or ()}
    found: list[Publishing] = []
    for server_id, answer in answers.items():
        for one in answer or ():
            stream = streams.get(one.stream_id)
            known = one.session_id in sessions or (
                stream is not None and actions.same_publisher(stream, server_id, one.client_id, one.since)
            )
            is_left = (
                stream is not None
                and stream.session_id in listed
                and stream.online_since is not None
                and one.since <= stream.online_since
            )
            if not known and not is_left:
                found.append(
                    Publishing(one.stream_id, one.session_id, one.protocol, one.since, server_id or None, one.client_id)
                )
    return found


SWEEPS = [
    Sweep("video.settle", 1.0, settle, BATCH),
    Sweep("video.reconcile", EVERY_SECONDS, Reconciler().run),
]
