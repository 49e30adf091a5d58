"""The border to payment providers: what we ask, what we are told, and the five verbs of a backend. No I/O.

Each provider is a package beside this file. Which ones are in force is said in `livestall.app.wiring`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from livestall.base.errors import Conflict, NotFound, Unauthenticated, Unavailable
from livestall.base.money import Money


class Status(StrEnum):
    """Where a session stands at the provider; `opening` and `closing` are ours: asked for, not answered yet."""

    opening = "opening"
    open = "open"
    closing = "closing"
    authorised = "authorised"
    captured = "captured"
    voided = "voided"
    failed = "failed"
    expired = "expired"


HOLDS_MONEY = frozenset({Status.authorised, Status.captured})


class Kind(StrEnum):
    """What we ask of a provider about a session."""

    capture = "capture"
    void = "void"  # also closes a session that nobody has paid yet
    refund = "refund"


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for a page to pay on. `session_id` is the idempotency key: the same one gets the same page."""

    session_id: UUID
    amount: Money
    merchant: str
    title: str
    return_url: str
    locale: str
    expires_at: datetime


class Opened(msgspec.Struct, frozen=True):
    external_id: str
    pay_url: str


class Carry(msgspec.Struct, frozen=True, kw_only=True):
    """Asks to capture, void or refund. `request_id` is the idempotency key."""

    request_id: UUID
    external_id: str
    kind: Kind
    amount: Money


class RefundFact(msgspec.Struct, frozen=True):
    key: str
    amount: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the provider knows of a session. `version` grows with every change; `reference` is our session id."""

    external_id: str
    reference: str
    version: int
    status: Status
    amount: int
    currency: str
    method: str | None = None
    refusal: str | None = None
    refunds: tuple[RefundFact, ...] = ()

    @property
    def refunded(self) -> int:
        return sum(one.amount for one in self.refunds)


class BadSignature(Unauthenticated):
    code = "bad-signature"
    en = "The signature of this notice is missing, wrong or too old."
    zh = "通知的签名缺失、错误或已过期。"


class ProviderAway(Unavailable):
    code = "provider-away"
    en = "The payment provider does not answer. Nothing was charged; try again in a moment."
    zh = "支付服务暂时没有响应，未产生扣款，请稍后重试。"


class ProviderRefused(Conflict):
    """A clear no; `reason` is the provider's code, which `details` carries too."""

    code = "provider-refused"
    en = "The payment provider refused: {reason}."
    zh = "支付服务拒绝了请求：{reason}。"

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason=reason)
        self.reason = reason


class Backend(Protocol):
    """A payment provider. Every verb may raise ProviderAway (try again) or ProviderRefused (a clear no)."""

    async def open(self, asked: OpenSession) -> Opened: ...
    async def look(self, external_id: str) -> Facts: ...
    async def carry_out(self, asked: Carry) -> Facts: ...
    def verify(self, headers: Mapping[str, str], raw: bytes) -> str:
        """The id of a notice, once its signature and time are proven. Raises BadSignature."""
        ...

    def read(self, raw: bytes) -> Facts:
        """What a notice says. Raises ValueError if it cannot be understood."""
        ...


_backends: dict[str, Backend] = {}


def plug(backends: Mapping[str, Backend]) -> None:
    """Make these backends the ones in force; called once, by the wiring."""
    _backends.clear()
    _backends.update(backends)


def backend_named(name: str) -> Backend:
    if name not in _backends:
        raise NotFound
    return _backends[name]
