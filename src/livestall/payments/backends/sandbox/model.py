"""The sandbox provider's own words: test cards, card checks, sessions, the signature of its notices. No I/O.

It behaves as a payment provider of another company would: a server API with a key, a hosted page, signed notices.
It knows nothing of Livestall and takes test cards only. Of a card it keeps the brand and the last four digits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from livestall.base import config, keys
from livestall.base.errors import Conflict, Invalid, NotFound, SameIdOtherContents, Unauthenticated
from livestall.base.money import AMOUNT_MAX, MINOR_DIGITS

TOLERANCE_SECONDS = 300
NOTICE_RETRY_SECONDS = (0, 5, 30, 120, 600, 1800, 3600, 7200, 18_000, 36_000)
"""Pauses before each try to deliver a notice; after the last one it is given up."""

LATE_SECONDS = 30


class Settings(config.Section, frozen=True, kw_only=True):
    enabled: Annotated[bool, Meta(description="serve the sandbox payment provider, which takes test cards only")] = True
    address: Annotated[
        str, Meta(description="where the market reaches the sandbox; empty: the market's own web process")
    ] = ""
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=30, description="longest wait for an answer of the sandbox or of the market it notifies")
    ] = 10.0


def api_key() -> str:
    """What the market proves itself with at the provider."""
    return "sk_test_" + keys.sign("sandbox provider: API key", "1")[:40]


def notice_secret() -> bytes:
    """What the provider signs its notices with, and the market proves them by."""
    return bytes.fromhex(keys.sign("sandbox provider: notices", "1"))


def sign(notice_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a notice (Standard Webhooks)."""
    message = f"{notice_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(notice_secret(), message, hashlib.sha256)).decode()


def is_signed(headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether `headers` prove that the provider sent `body` within the last (or next) five minutes."""
    notice_id, when = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not 0 < len(notice_id) <= 80 or not (when.isascii() and when.isdigit() and len(when) < 12):
        return False
    if abs(now.timestamp() - int(when)) > TOLERANCE_SECONDS:
        return False
    right = sign(notice_id, int(when), body)
    given = headers.get("webhook-signature", "")[:1000].split(" ")
    return any(keys.same(one, right) for one in given)


# Cards


class Behaviour(StrEnum):
    """What a test card does."""

    ok = "ok"
    declined = "declined"
    insufficient = "insufficient-funds"
    twice = "notice-twice"
    late = "notice-late"
    never = "notice-never"
    capture_refused = "capture-refused"


REFUSED = frozenset({Behaviour.declined, Behaviour.insufficient})

CARDS: Mapping[str, Behaviour] = {
    "4242424242424242": Behaviour.ok,
    "4000000000000002": Behaviour.declined,
    "4000000000009995": Behaviour.insufficient,
    "4000000000000259": Behaviour.twice,
    "4000000000000341": Behaviour.late,
    "4000000000000119": Behaviour.never,
    "4000000000000127": Behaviour.capture_refused,
}
"""All that is accepted; a real card is turned away before anything of it is kept."""


class Card(msgspec.Struct, frozen=True):
    behaviour: Behaviour
    brand: str
    last4: str


def luhn(digits: str) -> bool:
    """Whether the last digit of a card number fits the others."""
    doubled = [int(one) * (1 + n % 2) for n, one in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def check_card(number: str, expiry: str, cvc: str, now: datetime) -> tuple[Card | None, dict[str, str]]:
    """The card, or what is wrong: field → code (a key of the page's words)."""
    wrong: dict[str, str] = {}
    digits = "".join(one for one in number if one not in " -")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19 and luhn(digits)):
        wrong["number"] = "bad-number"
    elif digits not in CARDS:
        wrong["number"] = "no-test-card"
    if code := _check_expiry(expiry, now):
        wrong["expiry"] = code
    if not (cvc.isascii() and cvc.isdigit() and len(cvc) in {3, 4}):
        wrong["cvc"] = "bad-cvc"
    return (None, wrong) if wrong else (Card(CARDS[digits], "visa", digits[-4:]), {})


def _check_expiry(expiry: str, now: datetime) -> str | None:
    digits = "".join(one for one in expiry if one not in " /-")
    if not (digits.isascii() and digits.isdigit() and len(digits) in {4, 6} and 1 <= int(digits[:2]) <= 12):
        return "bad-expiry"
    year = int(digits[2:]) + (2000 if len(digits) == 4 else 0)
    return None if now.year * 12 + now.month <= year * 12 + int(digits[:2]) <= now.year * 12 + 300 else "card-expired"


# Sessions


Short = Annotated[str, Meta(min_length=1, max_length=200)]
Link = Annotated[str, Meta(min_length=8, max_length=2000, pattern=r"^https?://[^\s\\]+$")]
Amount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """What the server API takes to open a session; amounts are minor units."""

    amount: Amount
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    merchant: Short
    title: Short
    reference: Short
    return_url: Link
    notify_url: Link
    expires_at: datetime
    locale: Annotated[str, Meta(max_length=20)] = "en"

    def check(self) -> None:
        if self.currency not in MINOR_DIGITS:
            raise Invalid(reason=f"the currency {self.currency} is not supported")
        if self.expires_at.tzinfo is None:
            raise Invalid(reason="expires_at needs a time zone")


class Amounted(msgspec.Struct, frozen=True):
    amount: Amount


class Movement(msgspec.Struct, frozen=True):
    key: str
    amount: int


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as the API answers it and the notices carry it. `version` grows with every change."""

    id: str
    version: int
    status: str
    reference: str
    amount: int
    currency: str
    captured: int
    refunds: list[Movement]
    method: str | None
    refusal: str | None
    expires_at: datetime
    pay_path: str


class Notice(msgspec.Struct, frozen=True):
    type: str
    at: datetime
    session: Session


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A session as stored."""

    id: str
    merchant: str
    title: str
    reference: str
    amount: int
    currency: str
    locale: str
    return_url: str
    notify_url: str
    status: str
    version: int
    captured: int
    refunded: int
    card_brand: str | None
    card_last4: str | None
    behaviour: str
    refusal: str | None
    expires_at: datetime

    def shown(self, refunds: list[Movement]) -> Session:
        method = f"{self.card_brand} ···· {self.card_last4}" if self.card_last4 else None
        return Session(
            id=self.id, version=self.version, status=self.status, reference=self.reference, amount=self.amount,
            currency=self.currency, captured=self.captured, refunds=refunds, method=method, refusal=self.refusal,
            expires_at=self.expires_at, pay_path=f"/sandbox/pay/{self.id}",
        )  # fmt: skip


class NoSession(NotFound):
    code = "no-session"
    en = "The provider knows no such session."
    zh = "支付服务没有这个会话。"


class BadKey(Unauthenticated):
    code = "bad-api-key"
    en = "The API key is missing or wrong."
    zh = "API 密钥缺失或错误。"


class NotNow(Conflict):
    """`code` of the problem says what stands in the way."""

    code = "not-in-this-state"
    en = "A session that is {status} does not allow this."
    zh = "会话状态为 {status}，不允许此操作。"


class CaptureRefused(Conflict):
    code = "capture-refused"
    en = "The bank refused to pay out what it had set aside."
    zh = "银行拒绝划扣已预授权的款项。"


class KeyReused(SameIdOtherContents):
    code = "idempotency-key-reused"
