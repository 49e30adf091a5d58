"""Signatures from the one secret of the market (LIVESTALL_SECRET).

Every purpose has a key of its own, so that a signature made for one thing is worth nothing for another. `app.settings`
calls `use` once at start; without it (tests) this process has a random secret.
"""

from __future__ import annotations

import hmac
import secrets
import time

CLOCK_SKEW_SECONDS = 300

_state: dict[str, bytes] = {"secret": secrets.token_bytes(32)}
_keys: dict[str, bytes] = {}
"""The keys made so far, by purpose: there are as many as purposes."""


def use(secret: str) -> None:
    """Sign with `secret` (hex, or any text) from now on."""
    _state["secret"] = secret.encode()
    _keys.clear()


def sign(purpose: str, message: str | bytes) -> str:
    """HMAC-SHA256 of `message` for `purpose`, as 64 hex digits."""
    key = _keys.get(purpose)
    if key is None:
        key = _keys[purpose] = hmac.digest(_state["secret"], purpose.encode(), "sha256")
    return hmac.digest(key, message.encode() if isinstance(message, str) else message, "sha256").hex()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode(), other.encode())


def stamp(purpose: str, message: bytes) -> str:
    """A header value that proves who sent `message`, and when: `t=<unix seconds>,v1=<hex>`."""
    now = int(time.time())
    return f"t={now},v1={sign(purpose, f'{now}.'.encode() + message)}"


def proves(purpose: str, header: str, message: bytes) -> bool:
    """Whether `header` is a stamp of ours for `message`, at most five minutes old."""
    when_field, _, signature_field = header[:200].partition(",")
    when, signature = when_field.removeprefix("t="), signature_field.removeprefix("v1=")
    if not (when.isascii() and when.isdigit() and len(when) < 12):
        return False
    fresh = abs(time.time() - int(when)) <= CLOCK_SKEW_SECONDS
    return fresh and same(signature, sign(purpose, f"{when}.".encode() + message))
