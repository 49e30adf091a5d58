"""The verbs of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from livestall.base import clock
from livestall.base.db import Tx
from livestall.base.errors import Invalid, SameIdOtherContents
from livestall.ledger import store
from livestall.ledger.model import (
    Account,
    AlreadySettled,
    Balance,
    Entry,
    NoSuchPromise,
    Overdrawn,
    Phase,
    Settlement,
    Transfer,
    check,
)


async def post(tx: Tx, transfers: Sequence[Transfer]) -> int:
    """Write `transfers`, all or none; returns how many were new. A replay of a (reference, kind) changes nothing.

    Locks the accounts that keep totals, in the order of their ids: call it last in the transaction of a sale. Raises
    Invalid, SameIdOtherContents (the key was used with other contents) or Overdrawn; then roll the transaction back.
    """
    wanted = check(transfers)
    if not wanted:
        return 0
    accounts = await _accounts(tx, {one.debit for one in wanted} | {one.credit for one in wanted})
    rows = [_entry(one, clock.now()) for one in wanted]
    fresh = await store.insert(tx, rows, accounts)
    if len(fresh) < len(rows):
        await _compare(tx, [one for one in wanted if one.id not in fresh])
    await _count(tx, [one for one in rows if one.id in fresh], {}, accounts)
    return len(fresh)


async def settle(tx: Tx, settlements: Sequence[Settlement]) -> int:
    """Post, void or expire pending transfers, each by a new row; returns how many were still open.

    Settling again in the same way changes nothing. Raises NoSuchPromise, AlreadySettled (in another way), Invalid.
    """
    wanted = sorted(settlements, key=lambda one: one.pending_id)
    if len({one.pending_id for one in wanted}) < len(wanted):
        raise Invalid(reason="a promise can be settled only once in a batch")
    pending, _ = await store.promises(tx, [one.pending_id for one in wanted])
    rows = [_settling_entry(one, pending.get(one.pending_id)) for one in wanted]
    accounts = await _accounts(tx, {one.debit for one in rows} | {one.credit for one in rows})
    fresh = await store.insert(tx, rows, accounts)
    if len(fresh) < len(rows):
        _, settled = await store.promises(tx, [one.pending_id for one in wanted])
        for row in rows:
            was = settled.get(row.pending_id or row.id)
            if row.id not in fresh and (was is None or (was.phase, was.amount) != (row.phase, row.amount)):
                raise AlreadySettled
    await _count(tx, [one for one in rows if one.id in fresh], pending, accounts)
    return len(fresh)


async def expire(tx: Tx, limit: int = 500) -> int:
    """Expire the promises whose time is over; returns how many."""
    due = await store.overdue(tx, clock.now(), limit)
    return await settle(tx, [Settlement(pending_id=one, phase=Phase.expired) for one in due])


def _entry(one: Transfer, now: datetime) -> Entry:
    phase = Phase.pending if one.pending else Phase.posted
    return Entry(
        id=one.id, debit=one.debit, credit=one.credit, amount=one.amount, currency=one.currency, kind=one.kind,
        reference=one.reference, phase=phase, pending_id=None, expires_at=one.expires_at, at=now,
    )  # fmt: skip


def _settling_entry(one: Settlement, promise: Entry | None) -> Entry:
    if promise is None:
        raise NoSuchPromise
    amount = promise.amount if one.amount is None else one.amount
    if one.phase is Phase.pending or not 0 < amount <= promise.amount:
        raise Invalid(reason="a promise is posted, voided or expired, for at most what was promised")
    if one.phase is not Phase.posted and amount != promise.amount:
        raise Invalid(reason="a promise is voided or expired as a whole")
    return Entry(
        id=one.id, debit=promise.debit, credit=promise.credit, amount=amount, currency=promise.currency,
        kind=f"{promise.kind}:{one.phase}", reference=promise.reference, phase=one.phase, pending_id=promise.id,
        expires_at=None, at=clock.now(),
    )  # fmt: skip


async def _accounts(tx: Tx, keys: set[Account]) -> dict[Account, int]:
    found = await store.account_ids(tx, keys)
    if missing := keys - found.keys():
        await store.open_accounts(tx, missing)
        found |= await store.account_ids(tx, missing)
    return found


async def _compare(tx: Tx, repeated: Sequence[Transfer]) -> None:
    """Raise SameIdOtherContents unless each of `repeated` is stored with the same contents."""
    stored = await store.with_keys(tx, [one.key for one in repeated], [one.id for one in repeated])
    by_key = {(one.reference, one.kind): one for one in stored}
    for one in repeated:
        was = by_key.get(one.key)
        if was is None or one.contents != (was.debit, was.credit, was.amount, was.currency, was.phase is Phase.pending):
            raise SameIdOtherContents


async def _count(
    tx: Tx, rows: Sequence[Entry], promises: Mapping[UUID, Entry], accounts: Mapping[Account, int]
) -> None:
    """Add the freshly stored `rows` to the totals of their accounts."""
    if not rows:
        return
    totals: dict[int, list[int]] = {}

    def add(account: Account, column: int, amount: int) -> None:
        totals.setdefault(accounts[account], [0, 0, 0, 0])[column] += amount

    for one in rows:
        if one.pending_id is not None:
            add(one.debit, 0, -promises[one.pending_id].amount)
            add(one.credit, 2, -promises[one.pending_id].amount)
        if one.phase in {Phase.pending, Phase.posted}:
            add(one.debit, 0 if one.phase is Phase.pending else 1, one.amount)
            add(one.credit, 2 if one.phase is Phase.pending else 3, one.amount)
    await store.lock_accounts(tx, list(totals))
    try:
        await store.add_to_totals(tx, {key: Balance(*columns) for key, columns in totals.items()})
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == "ledger_account_not_overdrawn":
            raise Overdrawn from error
        raise
