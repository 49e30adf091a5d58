"""`livestall first-run`: the one-time link that makes the operator, where no `livestall serve` prints it."""

from __future__ import annotations

import asyncio
import sys

import asyncpg

from livestall import accounts
from livestall.app import settings
from livestall.base import config
from livestall.base.db import Database
from livestall.base.errors import Unavailable


def run() -> int:
    """Print the link; one printed before stops working. 1 if there is an operator already or no database."""
    core = settings.load()
    if not core.database_url:
        print("livestall: set LIVESTALL_DATABASE_URL; `livestall serve` prints the link by itself", file=sys.stderr)
        return 2
    try:
        token = asyncio.run(_offer(core.database_url))
    except Unavailable:
        print("livestall: the database does not answer; check LIVESTALL_DATABASE_URL", file=sys.stderr)
        return 1
    except asyncpg.UndefinedTableError:
        print("livestall: the database has no tables yet; `livestall migrate` makes them", file=sys.stderr)
        return 1
    if token is None:
        print("livestall: there is an operator already", file=sys.stderr)
        return 1
    web = config.of(settings.Address).web or f"http://localhost:{config.of(settings.Web).port}"
    print(f"{web.rstrip('/')}/first-run?token={token}")
    return 0


async def _offer(url: str) -> str | None:
    db = Database(url, maximum=1)
    try:
        async with db.write() as tx:
            return await accounts.offer_first_run(tx)
    finally:
        await db.close()
