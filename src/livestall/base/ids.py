"""UUIDv7: ids that sort by the time they were made (RFC 9562, section 5.7)."""

from __future__ import annotations

import secrets
import time
from uuid import UUID

from livestall.base.errors import Invalid


def new() -> UUID:
    """A fresh UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def parse(text: str) -> UUID:
    """The id written in `text`. Raises Invalid if it is none."""
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError) as error:
        raise Invalid(reason=f"{text[:64]!r} is not an id") from error
