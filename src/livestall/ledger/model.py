"""The words and rules of the ledger: accounts, transfers in one or two phases, balances. No I/O.

A transfer moves an amount from one debit account to one credit account, so every row balances by itself. Nothing is
ever edited: a mistake is put right by a correcting transfer with a kind of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from livestall.base import ids
from livestall.base.errors import Conflict, Invalid, NotFound, SameIdOtherContents
from livestall.base.money import AMOUNT_MAX, MINOR_DIGITS

HOUSE = UUID(int=0)
"""The owner of the market's own accounts that are not split by seller."""

BATCH_MAX = 1000
"""Most transfers in one call."""


class Owner(StrEnum):
    house = "house"  # the market itself
    seller = "seller"
    creator = "creator"
    buyer = "buyer"


class Purpose(StrEnum):
    """What an account is for. Credit balances are what the market owes, debit balances what it holds or is owed."""

    clearing = "clearing"  # money at the payment provider; house, debit
    market_fee = "market-fee"  # what the market earns; house, credit
    payable = "payable"  # earned by its owner, to be paid out; never overdrawn
    estimated = "estimated"  # a commission that may still fall with a refund; never overdrawn
    owed = "owed"  # what its owner owes the market, when a refund exceeds what was left to pay out; debit


class Rule(msgspec.Struct, frozen=True):
    """`keeps_totals`: running totals in the row (not for accounts that every sale touches). `may_overdraw`: debits may
    exceed credits."""

    keeps_totals: bool
    may_overdraw: bool


RULES: Mapping[Purpose, Rule] = {
    Purpose.clearing: Rule(keeps_totals=False, may_overdraw=True),
    Purpose.market_fee: Rule(keeps_totals=False, may_overdraw=True),
    Purpose.payable: Rule(keeps_totals=True, may_overdraw=False),
    Purpose.estimated: Rule(keeps_totals=True, may_overdraw=False),
    Purpose.owed: Rule(keeps_totals=True, may_overdraw=True),
}


class Phase(StrEnum):
    pending = "pending"  # promised: counts against the debit account at once, reaches the credit account when posted
    posted = "posted"  # done
    voided = "voided"  # the promise was taken back
    expired = "expired"  # nobody kept the promise in time


class Account(msgspec.Struct, frozen=True, order=True):
    """The key of an account; the row is made when a transfer first names it."""

    owner_kind: Owner
    owner_id: UUID
    purpose: Purpose
    currency: str


def house(purpose: Purpose, currency: str, seller_id: UUID = HOUSE) -> Account:
    """An account of the market; one per seller when `seller_id` is given, so that sellers never share a row."""
    return Account(Owner.house, seller_id, purpose, currency)


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of `amount` minor units. (`reference`, `kind`) is its business key: a repeat changes nothing.

    `reference` is the thing it is about (an order, a refund); `kind` says what it does to it ("sale.seller").
    With `pending=True` it is a promise, which `settle` posts, voids or expires; past `expires_at` it expires.
    """

    debit: Account
    credit: Account
    amount: int
    currency: str
    kind: str
    reference: UUID
    id: UUID = msgspec.field(default_factory=ids.new)
    pending: bool = False
    expires_at: datetime | None = None

    @property
    def key(self) -> tuple[UUID, str]:
        return self.reference, self.kind

    @property
    def contents(self) -> tuple[object, ...]:
        """What must be the same when the same key comes again."""
        return self.debit, self.credit, self.amount, self.currency, self.pending


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The second step of a pending transfer, a new row. `amount` may be less than promised when posting (the rest goes
    back); None is all of it."""

    pending_id: UUID
    phase: Phase
    amount: int | None = None
    id: UUID = msgspec.field(default_factory=ids.new)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as stored."""

    id: UUID
    debit: Account
    credit: Account
    amount: int
    currency: str
    kind: str
    reference: UUID
    phase: Phase
    pending_id: UUID | None
    expires_at: datetime | None
    at: datetime


class Balance(msgspec.Struct, frozen=True):
    """Totals of an account since it was opened, in minor units."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def amount(self) -> int:
        """Credits less debits, as posted: what the market owes the owner (negative: what it holds or is owed)."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What may still be debited without an overdraft: `amount` less what is promised."""
        return self.amount - self.debits_pending


class Overdrawn(Conflict):
    code = "overdrawn"
    en = "The account does not hold enough for this. Nothing was moved."
    zh = "账户余额不足，未做任何变动。"


class AlreadySettled(Conflict):
    code = "already-settled"
    en = "This promise was already settled in another way. Reload and look again."
    zh = "该笔预记账已按其他方式处理，请刷新后再看。"


class NoSuchPromise(NotFound):
    code = "no-such-promise"
    en = "There is no pending transfer with this id."
    zh = "没有该编号的预记账。"


def check(transfers: Sequence[Transfer]) -> list[Transfer]:
    """The transfers to write, in the order of their keys, repeats left out. Raises Invalid or SameIdOtherContents."""
    if len(transfers) > BATCH_MAX:
        raise Invalid(reason=f"at most {BATCH_MAX} transfers go in one batch")
    seen: dict[tuple[UUID, str], Transfer] = {}
    for one in transfers:
        _check_one(one)
        if seen.setdefault(one.key, one).contents != one.contents:
            raise SameIdOtherContents
    return [seen[key] for key in sorted(seen)]


def _check_one(one: Transfer) -> None:
    if not 0 < one.amount <= AMOUNT_MAX:
        raise Invalid(reason="the amount of a transfer must be above zero")
    if one.currency not in MINOR_DIGITS or {one.debit.currency, one.credit.currency} != {one.currency}:
        raise Invalid(reason="a transfer and its two accounts must have the same supported currency")
    if one.debit == one.credit:
        raise Invalid(reason="a transfer needs two different accounts")
    if not 0 < len(one.kind) <= 60:
        raise Invalid(reason="the kind of a transfer has 1 to 60 characters")
    if one.expires_at is not None and not one.pending:
        raise Invalid(reason="only a pending transfer can expire")


def sums(entries: Iterable[Entry]) -> dict[Account, Balance]:
    """The totals that `entries` (all of an account's) add up to; what the running totals must equal."""
    rows = list(entries)
    settled = {one.pending_id for one in rows}
    found: dict[Account, list[int]] = {}
    for one in rows:
        debit, credit = found.setdefault(one.debit, [0, 0, 0, 0]), found.setdefault(one.credit, [0, 0, 0, 0])
        if one.phase is Phase.posted:
            debit[1] += one.amount
            credit[3] += one.amount
        elif one.phase is Phase.pending and one.id not in settled:
            debit[0] += one.amount
            credit[2] += one.amount
    return {account: Balance(*totals) for account, totals in found.items()}
