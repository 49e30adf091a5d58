"""The market's side of the sandbox: a backend that knows the provider by its public API and signed notices only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from livestall.base import clock, config
from livestall.payments.backends import (
    BadSignature,
    Carry,
    Facts,
    Kind,
    Opened,
    OpenSession,
    ProviderAway,
    ProviderRefused,
    RefundFact,
    Status,
)
from livestall.payments.backends.sandbox.model import Notice, Session, Settings, api_key, is_signed

PATHS: Mapping[Kind, str] = {Kind.capture: "capture", Kind.void: "void", Kind.refund: "refunds"}
AWAY = frozenset({401, 403, 408, 425, 429})
"""Refusals that are about us or about the moment, not about the request: it is tried again."""


def _facts(session: Session) -> Facts:
    return Facts(
        external_id=session.id, reference=session.reference, version=session.version, status=Status(session.status),
        amount=session.amount, currency=session.currency, method=session.method, refusal=session.refusal,
        refunds=tuple(RefundFact(one.key, one.amount) for one in session.refunds),
    )  # fmt: skip


class SandboxBackend:
    """`market` gives the address under which this market's own web process is reached from the inside."""

    def __init__(self, market: Callable[[], str], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._market = market
        self._transport = transport

    async def open(self, asked: OpenSession) -> Opened:
        origin = urlsplit(asked.return_url)
        session = await self._ask(
            "POST", "/sandbox/v1/sessions", key=str(asked.session_id),
            body={
                "amount": asked.amount.amount, "currency": asked.amount.currency, "merchant": asked.merchant[:200],
                "title": asked.title[:200], "reference": str(asked.session_id), "return_url": asked.return_url,
                "notify_url": f"{self._market()}/api/payments/notices/sandbox", "locale": asked.locale,
                "expires_at": asked.expires_at,
            },
        )  # fmt: skip
        # The provider is mounted in the market's own site: the buyer finds its page where they already are.
        return Opened(session.id, f"{origin.scheme}://{origin.netloc}{session.pay_path}")

    async def look(self, external_id: str) -> Facts:
        return _facts(await self._ask("GET", f"/sandbox/v1/sessions/{quote(external_id, safe='')}"))

    async def carry_out(self, asked: Carry) -> Facts:
        path = f"/sandbox/v1/sessions/{quote(asked.external_id, safe='')}/{PATHS[asked.kind]}"
        body = None if asked.kind is Kind.void else {"amount": asked.amount.amount}
        return _facts(await self._ask("POST", path, key=str(asked.request_id), body=body))

    def verify(self, headers: Mapping[str, str], raw: bytes) -> str:
        if not is_signed(headers, raw, clock.now()):
            raise BadSignature
        return headers["webhook-id"]

    def read(self, raw: bytes) -> Facts:
        return _facts(msgspec.json.decode(raw, type=Notice).session)

    async def _ask(
        self, method: str, path: str, *, key: str | None = None, body: Mapping[str, Any] | None = None
    ) -> Session:
        settings = config.of(Settings)
        headers = {"authorization": f"Bearer {api_key()}", "content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        try:
            async with httpx.AsyncClient(
                base_url=settings.address or self._market(), transport=self._transport,
                timeout=settings.timeout_seconds, trust_env=False,
            ) as client:  # fmt: skip
                answer = await client.request(
                    method, path, headers=headers, content=None if body is None else msgspec.json.encode(body)
                )
        except httpx.HTTPError as error:
            raise ProviderAway from error
        return _read(answer)


def _read(answer: httpx.Response) -> Session:
    if answer.status_code >= 500 or answer.status_code in AWAY:
        raise ProviderAway from RuntimeError(f"the provider answered {answer.status_code}")
    try:
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=Session)
        problem = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ProviderAway from error
    raise ProviderRefused(reason=str(problem.get("code", answer.status_code))[:80])
