"""What time starts in the ledger."""

from __future__ import annotations

from livestall.base.db import Database
from livestall.base.jobs import Sweep
from livestall.ledger import actions

BATCH = 500


async def expire(db: Database) -> int:
    return await db.run(lambda tx: actions.expire(tx, BATCH))


SWEEPS = [Sweep("ledger.expire", 15, expire, BATCH)]
