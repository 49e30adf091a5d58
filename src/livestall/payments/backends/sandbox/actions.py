"""The verbs of the sandbox provider. Every change raises the session's version and writes a notice to be sent."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import msgspec

from livestall.base import clock
from livestall.base.db import Read, Tx
from livestall.payments.backends.sandbox import store
from livestall.payments.backends.sandbox.model import (
    LATE_SECONDS,
    REFUSED,
    Behaviour,
    Card,
    KeyReused,
    NewSession,
    NoSession,
    Notice,
    NotNow,
    Session,
    Stored,
)


async def open_session(tx: Tx, key: str, new: NewSession) -> Session:
    """The session of this idempotency key. Raises Invalid, KeyReused."""
    new.check()
    request_hash = hashlib.sha256(msgspec.json.encode(new)).hexdigest()
    session_id = "ss_" + secrets.token_urlsafe(24)
    stored, first_hash = await store.insert_session(tx, session_id, key, request_hash, new, clock.now())
    if first_hash != request_hash:
        raise KeyReused
    return await shown(tx, stored)


async def shown(read: Read, stored: Stored) -> Session:
    return stored.shown(await store.refunds(read, stored.id))


async def locked(tx: Tx, session_id: str) -> Stored:
    """The session, locked, and expired if its time is over. Raises NoSession."""
    stored = await store.lock_session(tx, session_id)
    if stored is None:
        raise NoSession
    if stored.status == "open" and stored.expires_at <= clock.now():
        return await _change(tx, msgspec.structs.replace(stored, status="expired"))
    return stored


async def _change(tx: Tx, stored: Stored, kind: str | None = None) -> Stored:
    """Save a changed session with its next version, and write the notice about it."""
    changed = msgspec.structs.replace(stored, version=stored.version + 1)
    await store.save(tx, changed)
    behaviour, now = Behaviour(changed.behaviour), clock.now()
    if behaviour is not Behaviour.never:
        notice = Notice(f"session.{kind or changed.status}", now, await shown(tx, changed))
        late = timedelta(seconds=LATE_SECONDS if behaviour is Behaviour.late else 0)
        await store.insert_notice(
            tx, "msg_" + secrets.token_urlsafe(18), changed.id, msgspec.json.encode(notice),
            copies=2 if behaviour is Behaviour.twice else 1, at=now + late, now=now,
        )  # fmt: skip
    return changed


async def pay(tx: Tx, session_id: str, token: str, card: Card) -> Stored:
    """The buyer's click on "pay". The same click again (`token`), or one after the first was taken, changes nothing."""
    stored = await locked(tx, session_id)
    if stored.status != "open" or await store.attempt(tx, session_id, token) is not None:
        return stored
    await store.insert_attempt(tx, session_id, token, card.behaviour, clock.now())
    if card.behaviour in REFUSED:
        return await _change(tx, msgspec.structs.replace(stored, refusal=str(card.behaviour)), "refused")
    return await _change(
        tx,
        msgspec.structs.replace(
            stored, status="authorised", refusal=None, behaviour=str(card.behaviour), card_brand=card.brand,
            card_last4=card.last4,
        ),
    )  # fmt: skip


async def _repeated(tx: Tx, stored: Stored, key: str, kind: str, amount: int) -> bool:
    was = await store.movement(tx, stored.id, key)
    if was is not None and was != (kind, amount):
        raise KeyReused
    return was is not None


async def capture(tx: Tx, session_id: str, key: str, amount: int) -> tuple[Session, bool]:
    """Take what is set aside, as a whole; False with the session when the bank refuses. Raises NotNow, NoSession."""
    stored = await locked(tx, session_id)
    if await _repeated(tx, stored, key, "capture", amount):
        return await shown(tx, stored), True
    if stored.status != "authorised" or amount != stored.amount:
        raise NotNow(status=stored.status)
    if stored.behaviour == Behaviour.capture_refused:
        failed = await _change(tx, msgspec.structs.replace(stored, status="failed", refusal="capture-refused"))
        return await shown(tx, failed), False
    await store.insert_movement(tx, session_id, key, "capture", amount, clock.now())
    done = await _change(tx, msgspec.structs.replace(stored, status="captured", captured=amount))
    return await shown(tx, done), True


async def void(tx: Tx, session_id: str, key: str) -> Session:
    """Let go of what is set aside, or close a session that nobody paid. Raises NotNow, NoSession."""
    stored = await locked(tx, session_id)
    if await _repeated(tx, stored, key, "void", stored.amount) or stored.status == "voided":
        return await shown(tx, stored)
    if stored.status not in {"open", "authorised"}:
        raise NotNow(status=stored.status)
    await store.insert_movement(tx, session_id, key, "void", stored.amount, clock.now())
    return await shown(tx, await _change(tx, msgspec.structs.replace(stored, status="voided")))


async def refund(tx: Tx, session_id: str, key: str, amount: int) -> Session:
    """Give back a part or all of what was taken. Raises NotNow (also when it is more than is left), NoSession."""
    stored = await locked(tx, session_id)
    if await _repeated(tx, stored, key, "refund", amount):
        return await shown(tx, stored)
    if stored.status != "captured" or stored.refunded + amount > stored.captured:
        raise NotNow(status=stored.status)
    await store.insert_movement(tx, session_id, key, "refund", amount, clock.now())
    changed = msgspec.structs.replace(stored, refunded=stored.refunded + amount)
    return await shown(tx, await _change(tx, changed, "refunded"))


async def expire(tx: Tx, limit: int) -> int:
    """Close the sessions that nobody paid in time."""
    due = await store.lock_expired(tx, clock.now(), limit)
    for one in due:
        await _change(tx, msgspec.structs.replace(one, status="expired"))
    return len(due)
