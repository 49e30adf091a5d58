"""Words of the audience."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

LIKES_REMEMBERED_SECONDS = 600.0
"""A like repeated within so long counts once."""


class Minute(msgspec.Struct, frozen=True):
    """One minute of a show's audience: most sockets at once, and likes given within it."""

    at: datetime
    viewers: int
    likes: int


class Audience(msgspec.Struct, frozen=True):
    """How many watch a show on all gateways together: now, and the most since the last count."""

    show_id: UUID
    viewers: int
    viewers_peak: int


class Like(msgspec.Struct, frozen=True):
    """`count` likes that one person gave at once; `id` is the client's, and is counted once."""

    id: UUID
    show_id: UUID
    count: int
