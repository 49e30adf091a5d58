"""What time and payments start."""

from __future__ import annotations

from collections.abc import Sequence

from livestall import payments
from livestall.base.db import Database, Tx
from livestall.base.jobs import Sweep
from livestall.base.outbox import Delivered, Listener
from livestall.orders import actions, settlement
from livestall.orders.model import GivenBack, Paid

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
    await settlement.refunded(
        tx,
        [
            GivenBack(one.event.subject, one.event.refund_id, one.event.amount.amount)
            for one in batch
            if isinstance(one.event, payments.PaymentRefunded)
        ],
    )


async def on_failed(tx: Tx, batch: Sequence[Delivered]) -> None:
    """Money that was set aside will not come; or nobody paid in time, which the orders' own clock has mostly seen."""
    failed = [one.event for one in batch if isinstance(one.event, payments.PaymentFailed)]
    await settlement.payment_failed(tx, {one.subject for one in failed if one.reason != "expired"})
    await actions.close_unpaid(tx, {one.subject for one in failed})


async def on_voided(tx: Tx, batch: Sequence[Delivered]) -> None:
    """Mostly the answer to our own wish; but nobody keeps what they have not paid for."""
    await settlement.payment_failed(tx, {one.event.subject for one in batch})


async def on_surplus(tx: Tx, batch: Sequence[Delivered]) -> None:
    await settlement.note(tx, [(one.event.subject, "surplus-goes-back") for one in batch])


async def on_refund_failed(tx: Tx, batch: Sequence[Delivered]) -> None:
    await settlement.note(tx, [(one.event.subject, "refund-failed") for one in batch])


LISTENERS = [
    Listener(
        "orders.payments",
        {
            payments.PaymentAuthorised: on_authorised,
            payments.PaymentRefunded: on_refunded,
            payments.PaymentFailed: on_failed,
            payments.PaymentVoided: on_voided,
            payments.PaymentSurplus: on_surplus,
            payments.PaymentRefundFailed: on_refund_failed,
        },
    )
]

SWEEPS = [Sweep("orders.expire", 5, expire, BATCH)]
