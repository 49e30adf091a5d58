"""A device: a browser that keeps a signed cookie. It tells phones of one household apart, which share an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.datastructures import Cookie

from livestall.base import ids, keys

COOKIE = "livestall_device"
COOKIE_SECONDS = 365 * 86_400
PURPOSE = "device"
SIGNATURE_LENGTH = 32


def mint(device: UUID) -> str:
    """The value of the cookie for `device`."""
    return f"{device.hex}.{keys.sign(PURPOSE, device.bytes)[:SIGNATURE_LENGTH]}"


def read(value: str) -> UUID | None:
    """The device that a cookie of ours names; None for anything else."""
    name = value.partition(".")[0]
    try:
        device = UUID(name)
    except ValueError:
        return None
    return device if keys.same(value, mint(device)) else None


def of(request: Request[Any, Any, Any]) -> tuple[UUID | None, Sequence[Cookie]]:
    """The device behind a request and the cookies to answer with: a browser that has none yet gets one. A program with
    a token of its own is no device."""
    if "authorization" in request.headers:
        return None, ()
    device = read(request.cookies.get(COOKIE, ""))
    if device is not None:
        return device, ()
    device = ids.new()
    secure = request.url.scheme == "https"
    cookie = Cookie(COOKIE, value=mint(device), max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure)
    return device, (cookie,)
