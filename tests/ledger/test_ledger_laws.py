"""Laws of the ledger, on any sequence of batches that hypothesis can think of."""

from __future__ import annotations

from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livestall import ledger
from livestall.base.db import Database
from livestall.base.errors import Refusal
from livestall.ledger import Account, Balance, Owner, Phase, Purpose, Settlement, Transfer, house
from livestall.ledger.model import sums
from livestall.ledger.store import all_entries

PEOPLE = [Account(Owner.seller, UUID(int=n), Purpose.payable, "CNY") for n in (1, 2)]
ACCOUNTS = [house(Purpose.clearing, "CNY"), house(Purpose.market_fee, "CNY"), *PEOPLE]
REFERENCES = [UUID(int=100 + n) for n in range(6)]

transfers = st.builds(
    lambda accounts, amount, kind, reference, pending: Transfer(
        debit=accounts[0], credit=accounts[1], amount=amount, currency="CNY", kind=kind, reference=reference,
        pending=pending,
    ),
    st.permutations(ACCOUNTS), st.integers(1, 50), st.sampled_from(["sale", "refund"]), st.sampled_from(REFERENCES),
    st.booleans(),
)  # fmt: skip
settlements = st.tuples(st.integers(0, 20), st.sampled_from([Phase.posted, Phase.voided]), st.booleans())
batches = st.lists(st.one_of(st.lists(transfers, min_size=1, max_size=6), settlements), min_size=1, max_size=12)


async def run(db: Database, batch: list[Transfer] | tuple[int, Phase, bool]) -> None:
    try:
        async with db.write() as tx:
            if isinstance(batch, list):
                await ledger.post(tx, batch)
                return
            pending = [one for one in await all_entries(tx) if one.phase is Phase.pending]
            if pending:
                chosen = pending[batch[0] % len(pending)]
                part = max(1, chosen.amount // 2) if batch[2] and batch[1] is Phase.posted else None
                await ledger.settle(tx, [Settlement(pending_id=chosen.id, phase=batch[1], amount=part)])
    except Refusal:
        pass  # a refused batch must leave nothing behind; the laws below see to that


async def state(db: Database) -> tuple[list[ledger.Entry], dict[Account, Balance]]:
    async with db.read() as read:
        return await all_entries(read), await ledger.balances(read, ACCOUNTS)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches)
async def test_debits_equal_credits_and_totals_equal_sums(
    db: Database, sequence: list[list[Transfer] | tuple[int, Phase, bool]]
) -> None:
    for batch in sequence:
        await run(db, batch)
    entries, balances = await state(db)
    assert sum(one.debits_posted for one in balances.values()) == sum(one.credits_posted for one in balances.values())
    assert sum(one.debits_pending for one in balances.values()) == sum(one.credits_pending for one in balances.values())
    recomputed = sums(entries)
    assert {account: recomputed.get(account, Balance()) for account in balances} == balances
    assert all(balances.get(one, Balance()).available >= 0 for one in PEOPLE)
    async with db.read() as read:
        assert await ledger.drift(read) == 0
    for batch in sequence:  # the replay: what is there stays, whatever it is answered
        if isinstance(batch, list) and {one.key for one in batch} <= {(one.reference, one.kind) for one in entries}:
            await run(db, batch)
    assert await state(db) == (entries, balances)
