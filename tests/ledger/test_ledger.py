"""The ledger: every transfer balances, replays change nothing, and nobody spends what they do not have."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from livestall import ledger
from livestall.base import clock, ids
from livestall.base.db import Database
from livestall.base.errors import Invalid, SameIdOtherContents
from livestall.ledger import Account, Balance, Owner, Phase, Purpose, Settlement, Transfer, house
from livestall.ledger.store import all_entries

CLEARING = house(Purpose.clearing, "CNY")
FEE = house(Purpose.market_fee, "CNY")


def payable(seller_id: UUID) -> Account:
    return Account(Owner.seller, seller_id, Purpose.payable, "CNY")


def move(debit: Account, credit: Account, amount: int, kind: str = "sale", **more: object) -> Transfer:
    fields = {"reference": ids.new(), **more}
    return Transfer(debit=debit, credit=credit, amount=amount, currency="CNY", kind=kind, **fields)  # type: ignore[arg-type]


async def post(db: Database, *transfers: Transfer) -> int:
    async with db.write() as tx:
        return await ledger.post(tx, transfers)


async def amounts(db: Database, *accounts: Account) -> list[int]:
    async with db.read() as read:
        found = await ledger.balances(read, accounts)
    return [found.get(one, Balance()).amount for one in accounts]


async def test_a_sale_is_split_and_every_side_sees_its_part(db: Database) -> None:
    seller, order = payable(ids.new()), ids.new()
    assert await post(
        db,
        move(CLEARING, seller, 9_000, "sale.seller", reference=order),
        move(CLEARING, FEE, 1_000, "sale.fee", reference=order),
    ) == 2  # fmt: skip
    assert await amounts(db, CLEARING, seller, FEE) == [-10_000, 9_000, 1_000]
    async with db.read() as read:
        assert {one.kind for one in await ledger.transfers_of(read, [order])} == {"sale.seller", "sale.fee"}
        assert await ledger.drift(read) == 0


async def test_a_replay_changes_nothing_even_with_a_new_id(db: Database) -> None:
    seller, order = payable(ids.new()), ids.new()
    assert await post(db, move(CLEARING, seller, 500, reference=order)) == 1
    assert await post(db, move(CLEARING, seller, 500, reference=order)) == 0
    again = move(CLEARING, seller, 500, reference=order)
    assert await post(db, again, again, move(CLEARING, seller, 7)) == 1
    assert await amounts(db, seller) == [507]


async def test_the_same_key_with_other_contents_is_its_own_error(db: Database) -> None:
    seller, order = payable(ids.new()), ids.new()
    first = move(CLEARING, seller, 500, reference=order)
    await post(db, first)
    with pytest.raises(SameIdOtherContents):
        await post(db, move(CLEARING, seller, 501, reference=order))
    with pytest.raises(SameIdOtherContents):
        await post(db, move(CLEARING, seller, 500, id=first.id))
    with pytest.raises(SameIdOtherContents):
        await post(db, move(CLEARING, seller, 1, "x", reference=order), move(CLEARING, seller, 2, "x", reference=order))
    assert await amounts(db, seller) == [500]


async def test_nobody_spends_what_they_do_not_have(db: Database) -> None:
    seller = payable(ids.new())
    await post(db, move(CLEARING, seller, 100))
    with pytest.raises(ledger.Overdrawn):
        await post(db, move(seller, CLEARING, 101, "payout"))
    assert await post(db, move(seller, CLEARING, 100, "payout")) == 1
    assert await amounts(db, seller, CLEARING) == [0, 0]


async def test_two_payouts_at_once_cannot_spend_the_same_money(db: Database) -> None:
    seller = payable(ids.new())
    await post(db, move(CLEARING, seller, 100))
    done = await asyncio.gather(
        *(post(db, move(seller, CLEARING, 60, "payout")) for _ in range(5)), return_exceptions=True
    )
    assert sorted(map(str, done)) == sorted(["1", *[str(ledger.Overdrawn())] * 4])
    assert await amounts(db, seller) == [40]


async def test_a_promise_counts_at_once_and_is_settled_once(db: Database) -> None:
    seller = payable(ids.new())
    promise = move(seller, CLEARING, 80, "payout", pending=True)
    await post(db, move(CLEARING, seller, 100), promise)
    async with db.read() as read:
        assert (await ledger.balances(read, [seller]))[seller] == Balance(80, 0, 0, 100)
    with pytest.raises(ledger.Overdrawn):
        await post(db, move(seller, CLEARING, 21, "payout"))
    async with db.write() as tx:
        assert await ledger.settle(tx, [Settlement(pending_id=promise.id, phase=Phase.posted, amount=50)]) == 1
    async with db.write() as tx:
        assert await ledger.settle(tx, [Settlement(pending_id=promise.id, phase=Phase.posted, amount=50)]) == 0
    with pytest.raises(ledger.AlreadySettled):
        async with db.write() as tx:
            await ledger.settle(tx, [Settlement(pending_id=promise.id, phase=Phase.voided)])
    with pytest.raises(ledger.NoSuchPromise):
        async with db.write() as tx:
            await ledger.settle(tx, [Settlement(pending_id=ids.new(), phase=Phase.voided)])
    async with db.read() as read:
        assert (await ledger.balances(read, [seller, CLEARING])) == {
            seller: Balance(0, 50, 0, 100),
            CLEARING: Balance(0, 100, 0, 50),
        }
        assert await ledger.drift(read) == 0


async def test_a_promise_that_nobody_keeps_expires(db: Database) -> None:
    seller = payable(ids.new())
    until = clock.now() + timedelta(minutes=5)
    await post(db, move(CLEARING, seller, 100), move(seller, FEE, 100, "fee", pending=True, expires_at=until))
    async with db.write() as tx:
        assert await ledger.expire(tx) == 0
    with clock.travel(301):
        async with db.write() as tx:
            assert await ledger.expire(tx) == 1
        async with db.write() as tx:
            assert await ledger.expire(tx) == 0
    async with db.read() as read:
        assert (await ledger.balances(read, [seller]))[seller].available == 100
        assert await ledger.drift(read) == 0


@pytest.mark.parametrize(
    "bad",
    [
        move(CLEARING, FEE, 0),
        move(CLEARING, FEE, -5),
        move(CLEARING, FEE, 10**18),
        move(CLEARING, CLEARING, 5),
        move(CLEARING, house(Purpose.market_fee, "USD"), 5),
        move(CLEARING, FEE, 5, kind=""),
        move(CLEARING, FEE, 5, expires_at=clock.now()),
    ],
)
async def test_an_impossible_transfer_is_refused_and_spoils_the_whole_batch(db: Database, bad: Transfer) -> None:
    with pytest.raises(Invalid):
        await post(db, move(CLEARING, FEE, 1), bad)
    async with db.read() as read:
        assert await all_entries(read) == []


@pytest.mark.parametrize(
    "sql", ["update ledger_transfer set amount = 1", "delete from ledger_transfer", "truncate ledger_transfer"]
)
async def test_the_database_itself_refuses_to_rewrite_history(db: Database, sql: str) -> None:
    await post(db, move(CLEARING, FEE, 5))
    with pytest.raises(asyncpg.RestrictViolationError):
        async with db.write() as tx:
            await tx.execute(sql)


async def test_first_sales_of_new_sellers_at_once_do_not_block_each_other(db: Database) -> None:
    sellers = [payable(ids.new()) for _ in range(20)]

    async def batch(order: list[Account]) -> int:
        return await db.run(lambda tx: ledger.post(tx, [move(CLEARING, one, 10) for one in order]))

    assert sum(await asyncio.gather(*(batch(sellers[n:] + sellers[:n]) for n in range(8)))) == 160
    assert await amounts(db, *sellers) == [80] * 20
    async with db.read() as read:
        assert await ledger.drift(read) == 0
