"""The bus between gateways: what one of them has numbered, all of them say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from livestall.live.model import LiveEvent, Total


class Said(msgspec.Struct, frozen=True):
    """Numbered events, committed, in order per channel; and totals."""

    events: Sequence[tuple[UUID, LiveEvent]] = ()
    totals: Sequence[Total] = ()


Hear = Callable[[Said], None]


class Bus(Protocol):
    """Carries what was said to every gateway, this one included. Losing a message is allowed: gateways see the gap in
    the numbers and read it up."""

    async def publish(self, said: Said) -> None: ...

    def subscribe(self, hear: Hear) -> None: ...

    async def close(self) -> None: ...
