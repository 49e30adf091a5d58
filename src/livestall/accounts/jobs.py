"""What time starts in accounts."""

from __future__ import annotations

from livestall.accounts import actions
from livestall.base.db import Database
from livestall.base.jobs import Sweep


async def forget_old(db: Database) -> int:
    return await db.run(actions.forget_old)


SWEEPS = [Sweep("accounts.forget-old", 60, forget_old)]
