"""The other gateways: who is up, who numbers events, and how many read each channel there.

Heard on the bus every second; those that cannot be heard are known from the database, some seconds later.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from prometheus_client import Gauge

from livestall.live.bus import Present

TELL_SECONDS = 1.0
LEADS_SECONDS = 2.5
"""A gateway not heard for so long does not lead any more."""
FORGET_SECONDS = 4.0
"""A gateway not heard for so long is believed only as far as the database knows it."""

GATEWAYS = Gauge("livestall_bus_gateways", "Other gateways that are heard on the bus")
UNHEARD = Gauge("livestall_bus_gateways_unheard", "Other gateways that are up and cannot be heard on the bus")


class Peers:
    """What the gateway `own` knows of the others."""

    def __init__(self, own: UUID) -> None:
        self.own = own
        self._heard_at: dict[UUID, float] = {}
        self._readers: dict[UUID, Mapping[UUID, int]] = {}
        self._kept: dict[UUID, Mapping[UUID, int]] = {}
        """Readers as the database has them, of gateways that did not say theirs on the bus."""
        self._unheard = 0

    def hear(self, present: Present) -> None:
        if present.is_leaving:
            self._heard_at.pop(present.gateway, None)
            self._readers.pop(present.gateway, None)
            self._kept.pop(present.gateway, None)
            return
        self._heard_at[present.gateway] = time.monotonic()
        if present.readers is not None:
            self._readers[present.gateway] = present.readers
            self._kept.pop(present.gateway, None)

    def heard(self, within_seconds: float | None = None) -> list[UUID]:
        """The gateways heard on the bus lately."""
        now = time.monotonic()
        for gateway in [one for one, at in self._heard_at.items() if now - at > FORGET_SECONDS]:
            del self._heard_at[gateway]
            self._readers.pop(gateway, None)
        return [one for one, at in self._heard_at.items() if within_seconds is None or now - at <= within_seconds]

    def known(self) -> list[UUID]:
        """The gateways heard lately that said how many read there: those need not be looked up."""
        return [one for one in self.heard() if one in self._readers]

    def read(self, readers: Mapping[UUID, Mapping[UUID, int]]) -> None:
        """Take the gateways that are up as the database has them, besides those that are `known`."""
        heard, known = set(self.heard()), set(self.known())
        self._kept = {one: counts for one, counts in readers.items() if one not in known and one != self.own}
        self._unheard = len(self._kept.keys() - heard)
        GATEWAYS.set(len(heard))
        UNHEARD.set(self._unheard)

    @property
    def all_heard(self) -> bool:
        """Whether no gateway is up that cannot be heard."""
        return not self._unheard

    @property
    def leads(self) -> bool:
        """Whether this gateway is the one that numbers events while all is well: the oldest that can be heard. Only a
        matter of cost; the database lets one at a time do it, whoever that is."""
        return self.own <= min(self.heard(LEADS_SECONDS), default=self.own)

    def elsewhere(self) -> dict[UUID, int]:
        """How many read each channel on the other gateways together."""
        self.heard()
        total: Counter[UUID] = Counter()
        for counts in (*self._readers.values(), *self._kept.values()):
            total.update(counts)
        return dict(total)
