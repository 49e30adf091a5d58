"""All SQL of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from livestall.base.db import Read, Tx
from livestall.ledger.model import RULES, Account, Balance, Entry, Owner, Phase, Purpose

ACCOUNT_KEYS = """unnest($1::text[], $2::uuid[], $3::text[], $4::text[])
                  as k(owner_kind, owner_id, purpose, currency)"""


def _key_arrays(accounts: Sequence[Account]) -> tuple[list[str], list[UUID], list[str], list[str]]:
    return (
        [one.owner_kind for one in accounts],
        [one.owner_id for one in accounts],
        [one.purpose for one in accounts],
        [one.currency for one in accounts],
    )


def _account(row: Any, prefix: str = "") -> Account:
    return Account(
        Owner(row[f"{prefix}owner_kind"]),
        row[f"{prefix}owner_id"],
        Purpose(row[f"{prefix}purpose"]),
        row["currency"],
    )


async def account_ids(read: Read, accounts: Iterable[Account]) -> dict[Account, int]:
    """The row ids of those accounts that exist."""
    rows = await read.fetch(
        f"""select a.id, a.owner_kind, a.owner_id, a.purpose, a.currency from {ACCOUNT_KEYS}
              join ledger_account a using (owner_kind, owner_id, purpose, currency)""",
        *_key_arrays(sorted(accounts)),
    )
    return {_account(row): row["id"] for row in rows}


async def open_accounts(tx: Tx, accounts: Iterable[Account]) -> None:
    """Make the rows that are missing, in the order of their keys."""
    ordered = sorted(accounts)
    await tx.execute(
        f"""insert into ledger_account (owner_kind, owner_id, purpose, currency, keeps_totals, may_overdraw)
            select k.owner_kind, k.owner_id, k.purpose, k.currency, r.keeps_totals, r.may_overdraw
              from {ACCOUNT_KEYS}
              join unnest($5::text[], $6::boolean[], $7::boolean[]) as r(purpose, keeps_totals, may_overdraw)
                using (purpose)
            on conflict do nothing""",
        *_key_arrays(ordered),
        list(RULES),
        [rule.keeps_totals for rule in RULES.values()],
        [rule.may_overdraw for rule in RULES.values()],
    )


async def insert(tx: Tx, rows: Sequence[Entry], accounts: Mapping[Account, int]) -> set[UUID]:
    """Store `rows`, leaving out those whose id, key or settled promise is there already; returns the ids stored."""
    stored = await tx.fetch(
        """insert into ledger_transfer
               (id, debit_account, credit_account, amount, currency, kind, reference, phase, pending_id, expires_at, at)
           select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[],
                                $7::uuid[], $8::text[], $9::uuid[], $10::timestamptz[], $11::timestamptz[])
           on conflict do nothing returning id""",
        [one.id for one in rows],
        [accounts[one.debit] for one in rows],
        [accounts[one.credit] for one in rows],
        [one.amount for one in rows],
        [one.currency for one in rows],
        [one.kind for one in rows],
        [one.reference for one in rows],
        [one.phase for one in rows],
        [one.pending_id for one in rows],
        [one.expires_at for one in rows],
        [one.at for one in rows],
    )
    return {row["id"] for row in stored}


async def lock_accounts(tx: Tx, account_ids_: Sequence[int]) -> None:
    """Lock the rows that keep totals, in the order of their ids (the last locks of a sale's transaction)."""
    await tx.fetch(
        "select 1 from ledger_account where id = any($1) and keeps_totals order by id for no key update",
        sorted(account_ids_),
    )


async def add_to_totals(tx: Tx, deltas: Mapping[int, Balance]) -> None:
    """Add `deltas` to the totals kept. The caller holds the rows' locks. The CHECK refuses an overdraft."""
    changes = [(key, delta) for key, delta in sorted(deltas.items()) if delta != Balance()]
    await tx.execute(
        """update ledger_account a
              set debits_pending = a.debits_pending + d.debits_pending,
                  debits_posted = a.debits_posted + d.debits_posted,
                  credits_pending = a.credits_pending + d.credits_pending,
                  credits_posted = a.credits_posted + d.credits_posted
             from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                  as d(id, debits_pending, debits_posted, credits_pending, credits_posted)
            where a.id = d.id and a.keeps_totals""",
        [key for key, _ in changes],
        [delta.debits_pending for _, delta in changes],
        [delta.debits_posted for _, delta in changes],
        [delta.credits_pending for _, delta in changes],
        [delta.credits_posted for _, delta in changes],
    )


TRANSFERS = """select t.id, t.amount, t.currency, t.kind, t.reference, t.phase, t.pending_id, t.expires_at, t.at,
                      d.owner_kind as debit_owner_kind, d.owner_id as debit_owner_id, d.purpose as debit_purpose,
                      c.owner_kind as credit_owner_kind, c.owner_id as credit_owner_id, c.purpose as credit_purpose
                 from ledger_transfer t
                 join ledger_account d on d.id = t.debit_account join ledger_account c on c.id = t.credit_account"""


def _entry(row: Any) -> Entry:
    return Entry(
        id=row["id"],
        debit=_account(row, "debit_"),
        credit=_account(row, "credit_"),
        amount=row["amount"],
        currency=row["currency"],
        kind=row["kind"],
        reference=row["reference"],
        phase=Phase(row["phase"]),
        pending_id=row["pending_id"],
        expires_at=row["expires_at"],
        at=row["at"],
    )


async def with_keys(read: Read, keys: Sequence[tuple[UUID, str]], transfer_ids: Sequence[UUID]) -> list[Entry]:
    """The transfers with one of these business keys or ids."""
    rows = await read.fetch(
        f"""{TRANSFERS} where t.id = any($3)
            or (t.reference, t.kind) in (select * from unnest($1::uuid[], $2::text[]))""",
        [reference for reference, _ in keys],
        [kind for _, kind in keys],
        list(transfer_ids),
    )
    return [_entry(row) for row in rows]


async def of_references(read: Read, references: Sequence[UUID]) -> list[Entry]:
    rows = await read.fetch(f"{TRANSFERS} where t.reference = any($1) order by t.number", list(references))
    return [_entry(row) for row in rows]


async def all_entries(read: Read) -> list[Entry]:
    """Every transfer there is; for proofs and exports of small ledgers."""
    return [_entry(row) for row in await read.fetch(f"{TRANSFERS} order by t.number")]


async def promises(tx: Tx, transfer_ids: Sequence[UUID]) -> tuple[dict[UUID, Entry], dict[UUID, Entry]]:
    """The pending transfers with these ids, and how those that are settled were settled, by the pending one's id."""
    rows = await tx.fetch(
        f"{TRANSFERS} where (t.id = any($1) and t.phase = 'pending') or t.pending_id = any($1)", list(transfer_ids)
    )
    found = [_entry(row) for row in rows]
    pending = {one.id: one for one in found if one.phase is Phase.pending}
    return pending, {one.pending_id: one for one in found if one.pending_id is not None}


async def overdue(read: Read, now: datetime, limit: int) -> list[UUID]:
    """Promises past their expiry that nobody settled."""
    rows = await read.fetch(
        """select id from ledger_transfer p where expires_at <= $1
             and not exists (select 1 from ledger_transfer s where s.pending_id = p.id) order by expires_at limit $2""",
        now, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


SUMS = """select s.account_id,
                 coalesce(sum(s.amount) filter (where s.debit and s.phase = 'pending'), 0)::bigint as debits_pending,
                 coalesce(sum(s.amount) filter (where s.debit and s.phase = 'posted'), 0)::bigint as debits_posted,
                 coalesce(sum(s.amount) filter (where s.credit and s.phase = 'pending'), 0)::bigint as credits_pending,
                 coalesce(sum(s.amount) filter (where s.credit and s.phase = 'posted'), 0)::bigint as credits_posted
            from (select t.debit_account as account_id, true as debit, false as credit, t.* from ledger_transfer t
                  union all select t.credit_account, false, true, t.* from ledger_transfer t) s
           where (s.phase = 'posted' or (s.phase = 'pending'
                  and not exists (select 1 from ledger_transfer x where x.pending_id = s.id)))"""


async def balances(read: Read, accounts: Sequence[Account]) -> dict[Account, Balance]:
    """Totals of those accounts that exist: kept ones from their rows, the others summed from the transfers."""
    rows = await read.fetch(
        f"""select a.owner_kind, a.owner_id, a.purpose, a.currency, t.*
              from {ACCOUNT_KEYS} join ledger_account a using (owner_kind, owner_id, purpose, currency)
              left join lateral (
                  select a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted where a.keeps_totals
                  union all
                  select s.debits_pending, s.debits_posted, s.credits_pending, s.credits_posted
                    from ({SUMS} and s.account_id = a.id group by s.account_id) s where not a.keeps_totals
              ) t on true""",
        *_key_arrays(sorted(set(accounts))),
    )
    return {
        _account(row): Balance(
            row["debits_pending"] or 0,
            row["debits_posted"] or 0,
            row["credits_pending"] or 0,
            row["credits_posted"] or 0,
        )
        for row in rows
    }


async def drift(read: Read) -> int:
    """How many accounts keep totals that differ from the sums of their transfers."""
    return await read.fetchval(
        f"""select count(*) from ledger_account a left join ({SUMS} group by s.account_id) s on s.account_id = a.id
             where a.keeps_totals
               and (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted) is distinct from
                   (coalesce(s.debits_pending, 0), coalesce(s.debits_posted, 0),
                    coalesce(s.credits_pending, 0), coalesce(s.credits_posted, 0))"""
    )
