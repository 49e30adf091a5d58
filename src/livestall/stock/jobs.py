"""What other features start: an import of products says what is on hand."""

from __future__ import annotations

from collections.abc import Sequence

from livestall.base.db import Tx
from livestall.base.outbox import Delivered, Listener
from livestall.catalog import ImportStocked
from livestall.stock import actions
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
