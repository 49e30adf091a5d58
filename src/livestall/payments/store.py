"""All SQL of payments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from livestall.base import ids
from livestall.base.db import Read, Tx
from livestall.base.money import Money
from livestall.payments.backends import Facts, Kind, Status
from livestall.payments.model import Expected, Extension, OrderPayment, Payment, Request, Session, Share, State

LOCK = "for no key update"
"""How payments are locked before anything is decided about them; the race tests' twins switch it off."""

PAYMENT = "p.id, p.state, p.amount, p.currency, p.refunded, p.expires_at, p.session_id"
SESSION = """s.id, s.payment_id, s.backend, s.external_id, s.status, s.version, s.amount, s.currency, s.return_url,
             s.pay_url, s.surplus, s.expires_at"""


def _payment(row: Any) -> Payment:
    return Payment(
        id=row["id"], state=State(row["state"]), amount=row["amount"], currency=row["currency"],
        refunded=row["refunded"], expires_at=row["expires_at"], session_id=row["session_id"],
    )  # fmt: skip


def _session(row: Any) -> Session:
    fields: dict[str, Any] = {name: row[name] for name in Session.__struct_fields__}
    fields["status"] = Status(row["status"])
    return Session(**fields)


def _request(row: Any) -> Request:
    return Request(
        id=row["id"], session_id=row["session_id"], order_id=row["order_id"], kind=Kind(row["kind"]),
        amount=row["amount"], reason=row["reason"], attempts=row["attempts"],
    )  # fmt: skip


async def insert_expected(tx: Tx, expected: Sequence[Expected], now: datetime) -> int:
    """Store what is expected; an order that has its payment already keeps it. Returns how many were new."""
    return await tx.execute(
        """with e as (
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[])
                          as e(id, order_id, seller_id, amount, currency, expires_at)
                where not exists (select 1 from payment_order o where o.order_id = e.order_id)
           ), p as (
               insert into payment (id, state, amount, currency, expires_at, created_at)
               select id, 'expected', amount, currency, expires_at, $7 from e
           )
           insert into payment_order (order_id, payment_id, seller_id, amount)
           select order_id, id, seller_id, amount from e""",
        [ids.new() for _ in expected],
        [one.order_id for one in expected],
        [one.seller_id for one in expected],
        [one.amount for one in expected],
        [one.currency for one in expected],
        [one.expires_at for one in expected],
        now,
    )


async def extend(tx: Tx, extensions: Sequence[Extension]) -> int:
    return await tx.execute(
        """update payment p set expires_at = greatest(p.expires_at, x.expires_at)
             from unnest($1::uuid[], $2::timestamptz[]) as x(order_id, expires_at) join payment_order o using (order_id)
            where p.id = o.payment_id and p.state = 'expected'""",
        [one.order_id for one in extensions],
        [one.expires_at for one in extensions],
    )


async def shares(read: Read, *, order_ids: Sequence[UUID] = (), payment_ids: Sequence[UUID] = ()) -> list[Share]:
    rows = await read.fetch(
        """select order_id, payment_id, amount from payment_order
            where order_id = any($1) or payment_id = any($2) order by order_id""",
        list(order_ids), list(payment_ids),
    )  # fmt: skip
    return [Share(row["order_id"], row["payment_id"], row["amount"]) for row in rows]


async def lock_payments(tx: Tx, payment_ids: Iterable[UUID]) -> dict[UUID, Payment]:
    """The payments, locked in the order of their ids until `tx` ends."""
    rows = await tx.fetch(
        f"select {PAYMENT} from payment p where p.id = any($1) order by p.id {LOCK}", sorted(set(payment_ids))
    )
    return {row["id"]: _payment(row) for row in rows}


async def overdue(tx: Tx, before: datetime, limit: int) -> dict[UUID, Payment]:
    """Payments never paid whose time was over `before`, locked; those that someone is busy with are left out."""
    rows = await tx.fetch(
        f"""select {PAYMENT} from payment p where p.state = 'expected' and p.expires_at < $1
             order by p.expires_at limit $2 for no key update skip locked""",
        before, limit,
    )  # fmt: skip
    return {row["id"]: _payment(row) for row in rows}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`moves` are the states passed through, in order; `refunded` is added."""

    payment_id: UUID
    moves: tuple[State, ...] = ()
    session_id: UUID | None = None
    refunded: int = 0
    reason: str | None = None


async def move(tx: Tx, changes: Sequence[Change], now: datetime) -> None:
    """Write changes that the rules allow, and the history with them. The caller holds the payments' locks."""
    if not changes:
        return
    await tx.execute(
        """update payment p set state = coalesce(c.state, p.state), session_id = coalesce(c.session_id, p.session_id),
                                refunded = p.refunded + c.refunded, reason = coalesce(c.reason, p.reason)
             from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[])
                  as c(id, state, session_id, refunded, reason)
            where p.id = c.id""",
        [one.payment_id for one in changes],
        [one.moves[-1] if one.moves else None for one in changes],
        [one.session_id for one in changes],
        [one.refunded for one in changes],
        [one.reason for one in changes],
    )
    history = [(one.payment_id, state, one.reason) for one in changes for state in one.moves]
    await tx.execute(
        """insert into payment_history (payment_id, state, reason, at)
           select h.*, $4 from unnest($1::uuid[], $2::text[], $3::text[]) as h""",
        [row[0] for row in history], [row[1] for row in history], [row[2] for row in history], now,
    )  # fmt: skip


async def history(read: Read, payment_id: UUID) -> list[State]:
    """The states a payment moved to, in order; `expected`, where it began, is not written."""
    rows = await read.fetch("select state from payment_history where payment_id = $1 order by n", payment_id)
    return [State(row["state"]) for row in rows]


async def of_orders(read: Read, order_ids: Sequence[UUID]) -> dict[UUID, OrderPayment]:
    """Each order's payment as its buyer sees it."""
    rows = await read.fetch(
        f"""select o.order_id, {PAYMENT}, s.method, s.refusal
              from payment_order o join payment p on p.id = o.payment_id
              left join lateral (select method, refusal from payment_session s where s.payment_id = p.id
                                  order by (s.id = p.session_id) desc, s.opened_at desc limit 1) s on true
             where o.order_id = any($1)""",
        list(order_ids),
    )
    return {
        row["order_id"]: OrderPayment(
            id=row["id"], state=State(row["state"]), amount=Money(row["amount"], row["currency"]),
            refunded=Money(row["refunded"], row["currency"]), expires_at=row["expires_at"], method=row["method"],
            refusal=row["refusal"],
        )
        for row in rows
    }  # fmt: skip


# Sessions


async def current_session(read: Read, payment_id: UUID) -> Session | None:
    """The session that is offered to the buyer now."""
    row = await read.fetchrow(
        f"select {SESSION} from payment_session s where s.payment_id = $1 and s.status in ('opening', 'open')",
        payment_id,
    )
    return None if row is None else _session(row)


async def insert_session(tx: Tx, session: Session, now: datetime, first_look_at: datetime) -> None:
    await tx.execute(
        """insert into payment_session
               (id, payment_id, backend, status, amount, currency, return_url, expires_at, opened_at, next_look_at)
           values ($1, $2, $3, 'opening', $4, $5, $6, $7, $8, $9)""",
        session.id, session.payment_id, session.backend, session.amount, session.currency, session.return_url,
        session.expires_at, now, first_look_at,
    )  # fmt: skip


async def session_opened(tx: Tx, session_id: UUID, external_id: str, pay_url: str) -> None:
    await tx.execute(
        """update payment_session set external_id = $2, pay_url = $3,
                  status = case when status = 'opening' then 'open' else status end where id = $1""",
        session_id, external_id, pay_url,
    )  # fmt: skip


async def set_session_status(tx: Tx, session_ids: Sequence[UUID], status: Status) -> None:
    """For the statuses that are ours to say: closing, expired before it was opened."""
    await tx.execute("update payment_session set status = $2 where id = any($1)", list(session_ids), status)


async def sessions(read: Read, session_ids: Sequence[UUID]) -> dict[UUID, Session]:
    rows = await read.fetch(f"select {SESSION} from payment_session s where s.id = any($1)", list(session_ids))
    return {row["id"]: _session(row) for row in rows}


async def open_sessions(read: Read, payment_ids: Sequence[UUID]) -> list[Session]:
    rows = await read.fetch(
        f"""select {SESSION} from payment_session s
             where s.payment_id = any($1) and s.status in ('opening', 'open') order by s.id""",
        list(payment_ids),
    )
    return [_session(row) for row in rows]


async def record_facts(tx: Tx, rows: Sequence[tuple[UUID, Facts, bool, bool]]) -> None:
    """Store what the provider said: (session id, facts, take, surplus). "open" never reopens what we are closing."""
    await tx.execute(
        """update payment_session s
              set version = f.version, external_id = coalesce(s.external_id, f.external_id),
                  status = case when f.status = 'open' then s.status else f.status end,
                  method = coalesce(f.method, s.method), refusal = f.refusal,
                  taken = s.taken or f.take, surplus = s.surplus or f.surplus
             from unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                         $8::boolean[]) as f(id, version, external_id, status, method, refusal, take, surplus)
            where s.id = f.id""",
        [row[0] for row in rows], [row[1].version for row in rows], [row[1].external_id for row in rows],
        [row[1].status for row in rows], [row[1].method for row in rows], [row[1].refusal for row in rows],
        [row[2] for row in rows], [row[3] for row in rows],
    )  # fmt: skip


async def claim_looks(tx: Tx, now: datetime, limit: int, pauses: Sequence[int]) -> list[Session]:
    """Open sessions about which the provider is to be asked now; the next time is set at once."""
    rows = await tx.fetch(
        f"""update payment_session s set looks = s.looks + 1,
                   next_look_at = $1 + make_interval(secs => ($3::integer[])[least(s.looks + 1, cardinality($3)) + 1])
             where s.id in (select id from payment_session where next_look_at <= $1 and external_id is not null
                               and status in ('opening', 'open', 'closing')
                             order by next_look_at limit $2 for update skip locked)
             returning {SESSION}""",
        now, limit, list(pauses),
    )  # fmt: skip
    return [_session(row) for row in rows]


async def never_opened(tx: Tx, before: datetime, limit: int) -> int:
    """Close the sessions whose provider never answered and whose time was over `before`: nobody saw their page."""
    return await tx.execute(
        """update payment_session set status = 'expired'
            where id in (select id from payment_session where status in ('opening', 'closing') and external_id is null
                            and expires_at < $1 order by expires_at limit $2 for update skip locked)""",
        before, limit,
    )  # fmt: skip


# Requests


DESK = "at the provider's desk"
"""The reason on record of refunds that nobody asked of us."""

REQUEST = "r.id, r.session_id, r.order_id, r.kind, r.amount, r.reason, r.attempts"


async def add_requests(tx: Tx, requests: Sequence[Request], now: datetime, *, state: str = "waiting") -> int:
    """Store requests to carry out; those that are there already (same id, or the session's capture or void) stay."""
    if not requests:
        return 0
    return await tx.execute(
        """insert into payment_request
               (id, session_id, order_id, kind, amount, reason, state, next_try_at, created_at)
           select r.*, $7, $8, $8
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[]) as r
           on conflict do nothing""",
        [one.id for one in requests], [one.session_id for one in requests], [one.order_id for one in requests],
        [one.kind for one in requests], [one.amount for one in requests], [one.reason for one in requests], state, now,
    )  # fmt: skip


async def requests_of(read: Read, session_ids: Sequence[UUID], states: Sequence[str]) -> list[Request]:
    rows = await read.fetch(
        f"""select {REQUEST} from payment_request r where r.session_id = any($1) and r.state = any($2)
             order by r.created_at, r.id""",
        list(session_ids), list(states),
    )  # fmt: skip
    return [_request(row) for row in rows]


async def request_with_id(read: Read, request_id: UUID) -> Request | None:
    row = await read.fetchrow(f"select {REQUEST} from payment_request r where r.id = $1", request_id)
    return None if row is None else _request(row)


async def promised_back(read: Read, order_id: UUID) -> int:
    """Minor units of an order given back or about to be."""
    return await read.fetchval(
        """select coalesce(sum(amount), 0)::bigint from payment_request
            where order_id = $1 and kind = 'refund' and state in ('waiting', 'done')""",
        order_id,
    )


async def withdraw_requests(tx: Tx, session_ids: Sequence[UUID], kind: Kind) -> None:
    """Take back what was asked for and not answered yet. A worker that is asking this moment is not stopped: what the
    provider then says is believed."""
    await tx.execute(
        """update payment_request set state = 'withdrawn'
            where session_id = any($1) and kind = $2 and state = 'waiting'""",
        list(session_ids), kind,
    )  # fmt: skip


async def claim_requests(tx: Tx, now: datetime, lease: timedelta, limit: int) -> list[tuple[Request, Session]]:
    """Requests that are due, each leased to the caller until `now + lease`, with their sessions."""
    rows = await tx.fetch(
        f"""update payment_request r set attempts = r.attempts + 1, next_try_at = $1 + $2
             where r.id in (select q.id from payment_request q join payment_session s on s.id = q.session_id
                             where q.state = 'waiting' and q.next_try_at <= $1 and s.external_id is not null
                             order by q.next_try_at limit $3 for update of q skip locked)
             returning {REQUEST}""",
        now, lease, limit,
    )  # fmt: skip
    requests = [_request(row) for row in rows]
    found = await sessions(tx, [one.session_id for one in requests])
    return [(one, found[one.session_id]) for one in requests]


async def finish_request(tx: Tx, request_id: UUID, state: str, error: str | None = None) -> bool:
    """Close a waiting request; False if it was closed already."""
    return bool(
        await tx.execute(
            "update payment_request set state = $2, error = $3 where id = $1 and state = 'waiting'",
            request_id, state, error,
        )
    )  # fmt: skip


async def retry_request(tx: Tx, request_id: UUID, at: datetime, error: str) -> None:
    await tx.execute(
        "update payment_request set next_try_at = $2, error = $3 where id = $1 and state = 'waiting'",
        request_id, at, error,
    )  # fmt: skip


async def refund_ids(read: Read, session_id: UUID) -> set[UUID]:
    rows = await read.fetch("select id from payment_request where session_id = $1 and kind = 'refund'", session_id)
    return {row["id"] for row in rows}


async def finish_refunds(tx: Tx, session_id: UUID, keys: Sequence[UUID | None]) -> list[Request]:
    """Close the refunds with these ids, and those made at the provider's desk; returns the ones that were not yet."""
    rows = await tx.fetch(
        f"""update payment_request r set state = 'done'
             where r.session_id = $1 and r.kind = 'refund' and r.state <> 'done' and (r.id = any($2) or r.reason = $3)
             returning {REQUEST}""",
        session_id, list(keys), DESK,
    )  # fmt: skip
    return sorted((_request(row) for row in rows), key=lambda one: one.id)


async def given_back(read: Read, order_id: UUID) -> int:
    """Minor units of an order that the provider has given back."""
    return await read.fetchval(
        """select coalesce(sum(amount), 0)::bigint from payment_request
            where order_id = $1 and kind = 'refund' and state = 'done'""",
        order_id,
    )


# Notices


async def insert_notice(tx: Tx, backend: str, external_id: str, raw: bytes, now: datetime) -> bool:
    """Store a notice as it came; False if it came before."""
    return bool(
        await tx.execute(
            """insert into payment_notice (id, backend, external_id, raw, received_at) values ($1, $2, $3, $4, $5)
               on conflict (backend, external_id) do nothing""",
            ids.new(), backend, external_id, raw, now,
        )
    )  # fmt: skip


async def claim_notices(tx: Tx, limit: int) -> list[tuple[UUID, str, bytes]]:
    """Notices that nobody has settled, in the order they came: (id, backend, raw), locked until `tx` ends."""
    rows = await tx.fetch(
        """select id, backend, raw from payment_notice where outcome is null
            order by received_at, id limit $1 for update skip locked""",
        limit,
    )
    return [(row["id"], row["backend"], row["raw"]) for row in rows]


async def notices_settled(tx: Tx, outcomes: Mapping[UUID, str], now: datetime) -> None:
    await tx.execute(
        """update payment_notice n set outcome = o.outcome, settled_at = $3
             from unnest($1::uuid[], $2::text[]) as o(id, outcome) where n.id = o.id""",
        list(outcomes), list(outcomes.values()), now,
    )  # fmt: skip
