"""Two gateways on one port with a bus: everyone hears everything, before, while and after they are replaced."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Iterator

import pytest

from helpers.market import Served, seed, until
from helpers.patience import PATIENCE_SECONDS
from helpers.redis_server import RedisServer
from livestall.app.demo.client import Door, Json, Person, Socket
from livestall.base import ids

VIEWERS = 12
SECRET = "7f" * 32


@pytest.fixture
def served() -> Iterator[Served]:
    redis = RedisServer()
    redis.start()
    market = Served(live__processes=2, bus_url=redis.url, secret=SECRET)
    try:
        market.start()
        yield market
    finally:
        market.stop()
        market.remove()
        redis.kill()


class Viewer:
    """Somebody who stays: comes back with the last number after each bye, and keeps what was said."""

    def __init__(self, person: Person, show_id: str) -> None:
        self.person, self.show_id = person, show_id
        self.said: dict[int, str] = {}
        self.byes = 0
        self.seq: int | None = None
        self.retry_seconds = 0.1
        self.socket: Socket | None = None

    def _hear(self, frame: Json) -> None:
        if frame["type"] == "bye":
            self.byes += 1
            self.retry_seconds = max(0.0, frame["retry_seconds"])
        if frame["type"] == "snapshot":
            self.said |= {-number: one["text"] for number, one in enumerate(frame["chat"], 1)}
        for event in frame.get("events", []):
            assert event["seq"] not in self.said or self.said[event["seq"]] == event["body"].get("text")
            if event["kind"] == "chat.said":
                self.said[event["seq"]] = event["body"]["text"]
        self.seq = frame.get("to") or frame.get("seq") or self.seq

    async def stay(self) -> None:
        while True:
            self.socket = await Socket(self.person, self.show_id, self._hear).open(self.seq)
            await self.socket.until_closed()
            await asyncio.sleep(self.retry_seconds)

    def has(self, text: str) -> bool:
        return text in self.said.values()


async def test_two_gateways_are_one_and_are_replaced_without_a_gap(served: Served):
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1)
        show = await cast.live_show(planned_at="2030-01-01T20:00:00Z")
        viewers = [Viewer(await cast.buyer(f"Viewer {number}"), show["id"]) for number in range(VIEWERS)]
        tasks = [asyncio.create_task(one.stay()) for one in viewers]
        path, lines = f"/api/shows/{show['id']}/chat", itertools.count()

        async def say(text: str) -> None:
            speaker = viewers[next(lines) % VIEWERS].person  # chat has a pace for each person
            await asyncio.sleep(0.1)
            await speaker.post(path, {"id": ids.new(), "text": text})

            async def everyone() -> bool:
                return all(one.has(text) for one in viewers)

            await until(everyone, what=f"everyone hearing {text!r}")

        await say("before")
        reload = asyncio.create_task(asyncio.to_thread(cli_reload, served))
        number = 0
        while not reload.done():
            number += 1
            await say(f"while {number}")
        assert reload.result().returncode == 0, reload.result().stderr
        await say("after")
        assert all(one.byes >= 1 for one in viewers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in viewers:
            if one.socket is not None:
                await one.socket.close()


def cli_reload(served: Served) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "livestall.app.cli", "reload"]
    return subprocess.run(
        command, env=served.environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
