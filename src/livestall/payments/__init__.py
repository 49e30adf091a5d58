"""Payments: money expected for an order, set aside, taken, let go or given back, at a provider. The door.
expect → start (the buyer's page) → PaymentAuthorised → request_capture → PaymentCaptured, or request_void →
PaymentVoided. request_refund → PaymentRefunded. Not paid in time: PaymentFailed."""

from livestall.payments.actions import (
    expect,
    extend,
    request_capture,
    request_refund,
    request_void,
    start,
)
from livestall.payments.backends import ProviderAway, plug
from livestall.payments.model import (
    AlreadyPaid,
    Expected,
    Extension,
    NoPayment,
    NotPayable,
    OrderPayment,
    PaymentAuthorised,
    PaymentFailed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentSurplus,
    PaymentVoided,
    PayPage,
    Refund,
    RefundTooLarge,
    Settings,
    State,
)
from livestall.payments.store import of_orders

__all__ = [
    "AlreadyPaid", "Expected", "Extension", "NoPayment", "NotPayable", "OrderPayment", "PayPage",
    "PaymentAuthorised", "PaymentFailed", "PaymentRefundFailed", "PaymentRefunded", "PaymentSurplus", "PaymentVoided",
    "ProviderAway", "Refund", "RefundTooLarge", "Settings", "State", "expect", "extend", "of_orders", "plug",
    "request_capture", "request_refund", "request_void", "start",
]  # fmt: skip
