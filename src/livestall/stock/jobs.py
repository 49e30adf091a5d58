"""What other features start: an import of products says what is on hand. What time starts: the numbers are checked."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from prometheus_client import Gauge

from livestall.base.db import Database, Tx
from livestall.base.jobs import Sweep
from livestall.base.outbox import Delivered, Listener
from livestall.catalog import ImportStocked
from livestall.stock import actions, store
from livestall.stock.model import OnHand


async def on_imported(tx: Tx, batch: Sequence[Delivered]) -> None:
    """A file was written before the latest sales: a count below what is promised is raised to it."""
    rows = [
        OnHand(one.event.variant_id, one.event.seller_id, one.event.on_hand)
        for one in batch
        if isinstance(one.event, ImportStocked)
    ]
    await actions.receive(tx, rows, at_least_promised=True)


LISTENERS = [Listener("stock.imports", {ImportStocked: on_imported})]

log = structlog.get_logger()
CHECK_SECONDS = 15.0
CHECK_POOLS = 500
DRIFT = Gauge(
    "livestall_stock_drift_units",
    "Units by which pools disagreed with their holds and movements when this worker last looked; 0 or look at once. It "
    f"looks at {CHECK_POOLS} pools every {CHECK_SECONDS:.0f} s, in turn; a round of {20 * CHECK_POOLS:,} takes "
    f"{20 * CHECK_SECONDS / 60:.0f} minutes",
)


class Rounds:
    """Checks all pools in turn, some hundred a beat, so that it costs the same however many there are."""

    def __init__(self) -> None:
        self._after: UUID | None = None
        self._drifting: dict[UUID, int] = {}

    async def check(self, db: Database) -> int:
        """Check the next pools. Returns 0: what is left can wait for the next beat."""
        async with db.read() as read:
            pool_ids = await store.pool_ids_after(read, self._after, CHECK_POOLS)
            _, found = await store.audits(read, pool_ids)
        for one in found:
            if not one.drift_units:
                self._drifting.pop(one.pool_id, None)
                continue
            if self._drifting.get(one.pool_id) != one.drift_units:
                log.error("stock drifts", pool=str(one.pool_id), units=one.drift_units, help="livestall stock check")
            self._drifting[one.pool_id] = one.drift_units
        self._after = pool_ids[-1] if len(pool_ids) == CHECK_POOLS else None
        DRIFT.set(sum(self._drifting.values()))
        return 0


SWEEPS = [Sweep("stock.check", CHECK_SECONDS, Rounds().check)]
