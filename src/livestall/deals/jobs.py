"""What time and other features start."""

from __future__ import annotations

from collections.abc import Sequence

from livestall import rooms
from livestall.base.db import Database, Tx
from livestall.base.jobs import Sweep
from livestall.base.outbox import Delivered, Listener
from livestall.deals import actions

BATCH = 100


async def tick(db: Database) -> int:
    return await db.run(lambda tx: actions.tick(tx, BATCH))


async def on_show_moved(tx: Tx, batch: Sequence[Delivered]) -> None:
    over = {
        one.event.subject
        for one in batch
        if isinstance(one.event, rooms.ShowMoved) and one.event.state not in rooms.OPEN
    }
    if over:
        await actions.end_with_shows(tx, over)


LISTENERS = [Listener("deals.shows", {rooms.ShowMoved: on_show_moved})]

SWEEPS = [Sweep("deals.tick", 1, tick, BATCH)]
