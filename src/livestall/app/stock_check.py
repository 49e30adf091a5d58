"""`livestall stock check`: does every pool say what its holds and movements say? --repair sets right what can be."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from livestall import stock
from livestall.app import postgres, settings
from livestall.base.db import Database
from livestall.base.errors import Unavailable

NAMES = ("on hand", "open", "held", "sold")


def run(*, as_json: bool, repair: bool) -> int:
    """Check, say what was found, and return 0 if nothing drifts (any more), 1 if something does, 2 without database."""
    core = settings.load()
    dsn = core.database_url or postgres.dsn_of_running(Path(core.data) / "postgres")
    if not dsn:
        print(
            "livestall: no database: set LIVESTALL_DATABASE_URL, or start the market (`livestall serve`) with the same "
            "LIVESTALL_DATA first",
            file=sys.stderr,
        )
        return 2
    try:
        pools, drifting, repairs = asyncio.run(_check(dsn, repair=repair))
    except Unavailable:
        print(
            "livestall: the database does not answer; start it, or check LIVESTALL_DATABASE_URL, and try again",
            file=sys.stderr,
        )
        return 2
    except asyncpg.UndefinedTableError:
        print("livestall: the database has no tables yet; `livestall migrate` makes them", file=sys.stderr)
        return 2
    left = len([one for one in repairs if one.refused]) if repair else len(drifting)
    if as_json:
        document: dict[str, Any] = {
            "pools": pools, "drifting": drifting, "drift_units": sum(one.drift_units for one in drifting),
            "repairs": repairs, "left": left,
        }  # fmt: skip
        print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        print("\n".join(words(pools, drifting, repairs)))
    return 1 if left else 0


async def _check(dsn: str, *, repair: bool) -> tuple[int, list[stock.Audit], list[stock.Repair]]:
    db = Database(dsn, maximum=1)
    try:
        async with db.read() as read:
            pools, _, drifting = await stock.audited(read)
        repairs = await db.run(stock.repair) if repair else []
    finally:
        await db.close()
    return pools, drifting, repairs


def words(pools: int, drifting: Sequence[stock.Audit], repairs: Sequence[stock.Repair]) -> list[str]:
    """What was found and done, a line each."""
    if not drifting and not repairs:
        return [f"{pools} pools checked: every number is what its holds and movements say. Drift 0."]
    lines = [f"{pools} pools checked, {len(drifting)} drift by {sum(one.drift_units for one in drifting)} units:"]
    for one in drifting:
        lines.append(f"  pool {one.pool_id} (variant {one.variant_id})")
        lines += [f"    {line}" for line in _differences(one)]
    for one in repairs:
        if one.refused:
            lines.append(f"  pool {one.pool_id} was not touched: {one.refused}")
            continue
        changes = ", ".join(
            f"{name} {old} → {new}" for name, old, new in zip(NAMES, one.before, one.after, strict=True) if old != new
        )
        lines.append(f"  pool {one.pool_id} repaired: {changes or 'movements added, numbers were right'}")
    if not repairs:
        lines.append("`livestall stock check --repair` sets right what can be set right safely.")
    return lines


def _differences(one: stock.Audit) -> list[str]:
    if one.is_missing:
        return [f"does not exist, but {one.open_holds} open and {one.posted_holds} paid units are held from it"]
    lines: list[str] = []
    if one.held != one.open_holds:
        lines.append(f"held says {one.held}, its open holds add up to {one.open_holds}")
    if one.sold != one.posted_holds:
        lines.append(f"sold says {one.sold}, its paid holds add up to {one.posted_holds}")
    for name, says, moved in zip(
        NAMES,
        (one.on_hand, one.open, one.held, one.sold),
        (one.moved.on_hand, one.moved.open, one.moved.held, one.moved.sold),
        strict=True,
    ):
        if says != moved:
            lines.append(f"{name} says {says}, its movements add up to {moved}")
    return lines
