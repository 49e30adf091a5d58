"""Tells rooms whether buying works: while the database is away the picture goes on, and the page says what does not."""

from __future__ import annotations

import asyncio

from livestall import live
from livestall.base.db import Database
from livestall.base.errors import Unavailable

LOOK_SECONDS = 1.0
ANSWER_SECONDS_MAX = 2.0
TOTAL = "buying"


class Buying:
    """Asks the database every second, over a connection of its own, and says so in every room when the answer turns."""

    def __init__(self, db: Database, channels: live.Channels) -> None:
        self._db = Database(db.dsn, minimum=0, maximum=1)
        self._channels = channels

    async def works(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX), self._db.read() as read:
                await read.fetchval("select 1")
        except (Unavailable, TimeoutError):
            return False
        return True

    async def run(self) -> None:
        try:
            while True:
                works = await self.works()
                for channel in self._channels.all():
                    if channel.is_open:
                        channel.set_total(TOTAL, works)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._db.close()
