"""What time and payments start."""

from __future__ import annotations

from collections.abc import Sequence

from livestall import payments
from livestall.base.db import Database, Tx
from livestall.base.jobs import Sweep
from livestall.base.outbox import Delivered, Listener
from livestall.orders import actions, settlement
from livestall.orders.model import Paid

BATCH = 500


async def expire(db: Database) -> int:
    return await db.run(lambda tx: actions.expire(tx, BATCH))


async def on_authorised(tx: Tx, batch: Sequence[Delivered]) -> None:
    await settlement.settle(
        tx,
        [
            Paid(one.event.subject, one.event.amount)
            for one in batch
            if isinstance(one.event, payments.PaymentAuthorised)
        ],
    )


async def on_refunded(tx: Tx, batch: Sequence[Delivered]) -> None:
    whole = {
        one.event.subject for one in batch if isinstance(one.event, payments.PaymentRefunded) and one.event.whole
    }  # fmt: skip
    if whole:
        await settlement.refunded(tx, whole)


async def on_failed(tx: Tx, batch: Sequence[Delivered]) -> None:
    refused = {
        one.event.subject
        for one in batch
        if isinstance(one.event, payments.PaymentFailed) and one.event.reason == "capture-refused"
    }
    if refused:
        await settlement.capture_refused(tx, refused)


LISTENERS = [
    Listener(
        "orders.payments",
        {
            payments.PaymentAuthorised: on_authorised,
            payments.PaymentRefunded: on_refunded,
            payments.PaymentFailed: on_failed,
        },
    )
]

SWEEPS = [Sweep("orders.expire", 5, expire, BATCH)]
