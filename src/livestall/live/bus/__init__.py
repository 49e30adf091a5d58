"""The bus between gateways: what one of them has numbered, all of them say.

The bus may lose anything. PostgreSQL is the truth, and every gateway compares its numbers with it (`live.gaps`): a bus
that is away makes rooms slower by a fraction of a second, never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from livestall.live.model import LiveEvent, Total


class Said(msgspec.Struct, frozen=True):
    """Numbered events, committed, in order per channel; and totals.

    `marks` number the totals of a channel. Totals of a channel that has no mark here are not numbered: whoever misses
    them hears them again.
    """

    events: Sequence[tuple[UUID, LiveEvent]] = ()
    totals: Sequence[Total] = ()
    marks: Mapping[UUID, int] = {}


class Present(msgspec.Struct, frozen=True, tag="present"):
    """A gateway's sign of life: how many read each channel there, None if nothing changed since it said so last."""

    gateway: UUID
    readers: Mapping[UUID, int] | None = None
    is_leaving: bool = False


class Nudge(msgspec.Struct, frozen=True, tag="nudge"):
    """Something was committed: whoever numbers events looks at once."""


Hear = Callable[[Said], None]
Gossip = Callable[[Present | Nudge], None]


class Bus(Protocol):
    """Carries what was said to every gateway: to this one at once, to the others as well as it can."""

    @property
    def is_up(self) -> bool:
        """Whether what other gateways say arrives here at this moment."""
        ...

    def subscribe(self, hear: Hear, gossip: Gossip | None = None) -> None:
        """`hear` is called with what any gateway says, `gossip` with what the others tell."""
        ...

    async def start(self) -> None: ...

    async def publish(self, said: Said) -> None:
        """Never waits for others: while the bus is away only this gateway hears it, the others read it up."""
        ...

    def tell(self, gossip: Present | Nudge) -> None: ...

    async def close(self) -> None: ...
