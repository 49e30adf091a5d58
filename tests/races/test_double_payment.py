"""One order paid on two pages at the same moment: one payment is taken, the other goes back. And its twin, without the
lock, which takes both."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from helpers.patience import PATIENCE_SECONDS
from livestall import payments
from livestall.base import clock, ids
from livestall.base.db import Database
from livestall.payments import store
from livestall.payments.actions import absorb
from livestall.payments.backends import Facts, Status
from livestall.payments.model import Session


async def two_pages(db: Database) -> tuple[UUID, list[Facts]]:
    """An order with two pages at the provider, both paid: the order, and what the provider will say."""
    order_id, now = ids.new(), clock.now()
    expected = payments.Expected(
        order_id=order_id, seller_id=ids.new(), amount=100, currency="CNY", expires_at=now + timedelta(minutes=5)
    )  # fmt: skip
    facts: list[Facts] = []
    async with db.write() as tx:
        await payments.expect(tx, [expected])
        (share,) = await store.shares(tx, order_ids=[order_id])
        for n in range(2):
            session = Session(
                id=ids.new(), payment_id=share.payment_id, backend="sandbox", external_id=None, status=Status.opening,
                version=0, amount=100, currency="CNY", return_url="/", pay_url=None, surplus=False,
                expires_at=expected.expires_at,
            )  # fmt: skip
            await store.insert_session(tx, session, now, now)
            await store.session_opened(tx, session.id, f"page-{n}", "/")
            if n == 0:
                await store.set_session_status(tx, [session.id], Status.closing)
            facts.append(
                Facts(
                    external_id=f"page-{n}", reference=str(session.id), version=2, status=Status.authorised, amount=100,
                    currency="CNY",
                )
            )  # fmt: skip
    return order_id, facts


async def pay_both_at_once(db: Database) -> list[str]:
    """Two workers hear of the two payments; the second begins before the first commits. What the order hears."""
    order_id, facts = await two_pages(db)

    async def second() -> None:
        async with db.write() as tx:
            await absorb.absorb(tx, "sandbox", [facts[1]])

    async with db.write() as first:
        await absorb.absorb(first, "sandbox", [facts[0]])
        task = asyncio.create_task(second())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not task.done() and not await blocked(db):
                await asyncio.wait([task], timeout=0.01)
    await task
    async with db.read() as read:
        rows = await read.fetch("select topic from outbox where subject = $1 order by xid, id", order_id)
    return sorted(row["topic"] for row in rows)


async def blocked(db: Database) -> bool:
    """Whether a connection to this database waits for a lock."""
    async with db.read() as read:
        return await read.fetchval(
            """select exists (select 1 from pg_stat_activity
                               where wait_event_type = 'Lock' and datname = current_database())"""
        )


async def test_one_of_two_payments_is_taken(db: Database) -> None:
    assert await pay_both_at_once(db) == ["payment.authorised", "payment.surplus"]


async def test_twin_without_the_lock_both_are_taken(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK", "")
    async with db.write() as tx:
        await tx.execute("drop index payment_session_one_taken")
    assert await pay_both_at_once(db) == ["payment.authorised", "payment.authorised"]


async def test_without_the_lock_the_database_still_refuses(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK", "")
    with pytest.raises(asyncpg.UniqueViolationError):
        await pay_both_at_once(db)
