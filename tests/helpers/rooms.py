"""Somebody in a room who stays whatever happens: comes back with the number they have, and notes what they missed."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Self

import aiohttp
from yarl import URL

from helpers.market import AWAY
from livestall.app.demo.client import Json, Person, Refused, Socket

BACK_SECONDS = 0.2
HELLO_SECONDS = 8.0


class Viewer:
    """Watches a show's room. `seq` is the last number heard; `gaps` are numbers that were never heard nor skipped by a
    snapshot, or that a snapshot went back behind; `contradictions` numbers under which different things were heard;
    `longest_seconds` is the longest time without a room, `paused` whether buying is said to be paused."""

    def __init__(self, person: Person, show_id: str) -> None:
        self.person, self.show_id = person, show_id
        self.seq: int | None = None
        self.gaps: list[tuple[int, int]] = []
        self.contradictions: list[int] = []
        self._told: dict[int, tuple[str, Json]] = {}
        self.snapshots = self.comebacks = 0
        self.heard: list[Json] = []
        self.byes: list[str] = []
        self.paused = False
        self.state: str | None = None
        self.longest_seconds = 0.0
        self.socket: Socket | None = None
        self._inside = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> Self:
        self._task = asyncio.create_task(self._stay())
        return self

    @property
    def is_inside(self) -> bool:
        return self._inside.is_set() and self.socket is not None and not self.socket.closed

    async def _stay(self) -> None:
        left = time.monotonic()
        while True:
            self._inside.clear()
            socket = Socket(self.person, self.show_id, self._hear)
            try:
                await socket.open(self.seq)
                self.socket = socket
                async with asyncio.timeout(HELLO_SECONDS):
                    await self._inside.wait()
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - left)
                self.comebacks += 1
                await socket.until_closed()
                left = time.monotonic()
            except (*AWAY, Refused):
                pass
            finally:
                await socket.close()
            await asyncio.sleep(BACK_SECONDS)

    def _hear(self, frame: Json) -> None:
        kind = frame["type"]
        if kind == "snapshot":
            self.snapshots += 1
            if frame["seq"] < (self.seq or 0):
                self.gaps.append((self.seq or 0, frame["seq"]))
            self.seq = frame["seq"]
            self.state = frame["show"]["state"]
        elif kind == "events":
            self._take(frame)
        elif kind == "bye":
            self.byes.append(frame.get("code", ""))
            return
        buying = (frame.get("totals") or {}).get("buying")
        if buying is not None:
            self.paused = not buying
        self._inside.set()

    def _take(self, frame: Json) -> None:
        if frame.get("from") is not None:
            known = self.seq or 0
            if frame["from"] > known + 1:
                self.gaps.append((known, frame["from"]))
            self.seq = max(known, frame["to"])
        for event in frame.get("events", []):
            self.heard.append(event)
            what = event["kind"], event["body"]
            if self._told.setdefault(event["seq"], what) != what:
                self.contradictions.append(event["seq"])
            if event["kind"] == "show.moved":
                self.state = event["body"]["state"]

    def said(self, text: str) -> bool:
        """Whether the viewer heard this chat line."""
        return any(one["kind"] == "chat.said" and one["body"]["text"] == text for one in self.heard)

    def heard_of(self, kind: str, about: str) -> bool:
        """Whether the viewer heard of an event of that kind whose body has this id."""
        return any(one["kind"] == kind and one["body"].get("id") == about for one in self.heard)

    def report(self) -> Json:
        """What came of it, in plain values."""
        names = ("seq", "gaps", "contradictions", "comebacks", "longest_seconds")
        return {name: getattr(self, name) for name in names}

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.socket is not None:
            await self.socket.close()


class Picture:
    """A show's picture, as a player fetches it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def newest(self) -> tuple[int, str]:
        """The number of the newest whole segment, and its address. Raises aiohttp.ClientError while there is none."""
        async with self._session.get(self._url, timeout=aiohttp.ClientTimeout(5)) as answer:
            answer.raise_for_status()
            text = await answer.text()
        first = int((re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text) or [0, 0])[1])
        names = [line for line in text.splitlines() if line and not line.startswith("#")]
        if not names:
            raise aiohttp.ClientError("no segment yet")
        return first + len(names) - 1, str(answer.url.join(URL(names[-1], encoded=True)))

    async def loads(self) -> int:
        """The newest segment's number, once its bytes were read."""
        number, address = await self.newest()
        async with self._session.get(address, timeout=aiohttp.ClientTimeout(5)) as answer:
            answer.raise_for_status()
            assert len(await answer.read()) > 1000
        return number
