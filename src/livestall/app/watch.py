"""What a process says about itself, on a port of its own: /metrics, /health (it is alive), /ready (it takes work)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from livestall.app import handoff, settings
from livestall.base import config, metrics
from livestall.base.db import Database
from livestall.base.errors import Unavailable

log = structlog.get_logger()
OFFSETS = {"web": 0, "live": 20, "media": 40, "work": 60, "serve": 80}
"""Added to the setting's port, with the process's number: the third gateway is at port + 22."""

ASK_SECONDS = 2.0
REQUEST_BYTES_MAX = 8192
AGAIN_SECONDS = 0.1
TAKEN_TRIES = 100
PLAIN = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"

Check = Callable[[], Awaitable[str]]
"""What keeps the process from its work, as a sentence; empty when nothing does."""

Refresh = Callable[[], Awaitable[None]]
"""Brings numbers up to date that only the database knows; called before each look."""


def port_of(plane: str, number: int) -> int | None:
    """Where process `number` of `plane` is watched; None when nothing is."""
    base = config.of(settings.Watch).port
    return base + OFFSETS[plane] + number if base else None


def database_answers(db: Database) -> Check:
    async def check() -> str:
        try:
            async with db.read() as read:
                await read.fetchval("select 1")
        except Unavailable:
            return "no connection to PostgreSQL"
        return ""

    return check


class Watch:
    """Serves one process's numbers until closed. The port may still be another's: the one whose place this process
    takes. It is waited for, and nothing else waits for it."""

    def __init__(self, plane: str, checks: Sequence[Check] = (), refresh: Sequence[Refresh] = ()) -> None:
        self._plane = plane
        self._checks, self._refresh = checks, refresh
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.leaving = False

    def start(self) -> None:
        port = port_of(self._plane, handoff.number())
        if port is not None:
            self._tasks = [asyncio.create_task(self._serve(port)), asyncio.create_task(metrics.watch_loop())]

    async def _serve(self, port: int) -> None:
        host = config.of(settings.Watch).host
        for tried in itertools.count():
            try:
                self._server = await asyncio.start_server(self._answer, host, port)
                return
            except OSError as error:
                if tried == TAKEN_TRIES:
                    log.warning("cannot be watched: choose LIVESTALL_WATCH__PORT", port=port, error=error.strerror)
                await asyncio.sleep(AGAIN_SECONDS)

    def leave(self) -> None:
        """Free the port for the process that takes this one's place."""
        self.leaving = True
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(2 * ASK_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, _, rest = head[:REQUEST_BYTES_MAX].partition(b" ")
                path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
                status, kind, body = (
                    await self.look(path) if method == b"GET" else ("405 Method Not Allowed", PLAIN, b"")
                )
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                    "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    async def look(self, path: str) -> tuple[str, str, bytes]:
        """Status line, media type and body of the answer for `path`."""
        if path == "/metrics":
            await self._bring_up_to_date()
            return "200 OK", METRICS, await metrics.exposition()
        if path == "/health":
            return "200 OK", PLAIN, b"alive\n"
        if path == "/ready":
            wrong = await self.missing()
            return ("503 Service Unavailable", PLAIN, f"{wrong}\n".encode()) if wrong else ("200 OK", PLAIN, b"ready\n")
        return "404 Not Found", PLAIN, b"/metrics /health /ready\n"

    async def missing(self) -> str:
        """What keeps this process from its work; empty when nothing does."""
        if self.leaving:
            return "another process takes this one's place"
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found = await asyncio.gather(*(check() for check in self._checks))
        except TimeoutError:
            return f"no answer within {ASK_SECONDS:g} s"
        return "; ".join(one for one in found if one)

    async def _bring_up_to_date(self) -> None:
        for refresh in self._refresh:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    await refresh()
            except (Unavailable, TimeoutError):
                log.info("some numbers could not be brought up to date")
