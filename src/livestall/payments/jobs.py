"""What time starts in payments: notices to use, requests to carry out, silent sessions to look at, overdue money."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import structlog

from livestall.base import clock, config
from livestall.base.db import Database, Read
from livestall.base.errors import Unavailable
from livestall.base.jobs import Sweep
from livestall.base.metrics import Gauge
from livestall.payments import actions, store
from livestall.payments.backends import ProviderRefused
from livestall.payments.model import Session, Settings, look_seconds

log = structlog.get_logger()
T = TypeVar("T")
AT_ONCE_MAX = 10
NOTICES = Gauge("livestall_payments_waiting_notices", "Notices of providers that are not used yet")
NOTICE_AGE = Gauge("livestall_payments_notice_age_seconds", "Age of the oldest notice that is not used yet")
BATCH = 50


async def measure(read: Read) -> None:
    """Bring the numbers of what waits here up to date."""
    notices, oldest = await read.fetchrow(
        "select count(*), min(received_at) from payment_notice where outcome is null"
    ) or (0, None)
    NOTICES.set(notices)
    NOTICE_AGE.set(0 if oldest is None else (clock.now() - oldest).total_seconds())


async def _side_by_side(items: Sequence[T], run: Callable[[T], Awaitable[None]]) -> None:
    """Run over all items, at most AT_ONCE_MAX at a time; one that fails is logged and tried again when it is due."""
    gate = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(item: T) -> None:
        async with gate:
            try:
                await run(item)
            except Unavailable as away:
                log.warning("provider or database away", error=repr(away.__cause__ or away))
            except Exception:
                log.exception("work on a payment failed")

    await asyncio.gather(*(one(item) for item in items))


async def settle_notices(db: Database) -> int:
    return await db.run(actions.settle_notices)


async def carry_out(db: Database) -> int:
    claimed = await db.run(lambda tx: store.claim_requests(tx, clock.now(), actions.LEASE, BATCH))
    await _side_by_side(claimed, lambda one: actions.carry_out(db, *one))
    return len(claimed)


async def look(db: Database) -> int:
    pauses = [look_seconds(looks) for looks in range(12)]
    claimed = await db.run(lambda tx: store.claim_looks(tx, clock.now(), BATCH, pauses))

    async def one(session: Session) -> None:
        try:
            await actions.look(db, session)
        except ProviderRefused as no:
            log.error("provider does not know its session", session_id=str(session.id), refusal=no.reason)

    await _side_by_side(claimed, one)
    return len(claimed)


async def fail_overdue(db: Database) -> int:
    before = clock.now() - timedelta(seconds=config.of(Settings).grace_seconds)
    closed = await db.run(lambda tx: store.never_opened(tx, before, BATCH))
    return max(closed, await db.run(lambda tx: actions.fail_overdue(tx, 500)))


SWEEPS = [
    Sweep("payments.settle", 0.3, settle_notices, 200),
    Sweep("payments.carry_out", 0.5, carry_out, BATCH),
    Sweep("payments.look", 2, look, BATCH),
    Sweep("payments.fail_overdue", 10, fail_overdue),
]
