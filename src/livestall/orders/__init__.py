"""Orders: the counter where buyers queue, the order from placed to paid, and the address book.

`Counter.place(draft(buyer_id, NewOrder(…)))` answers a buyer once, after the commit of a whole batch.
"""

from livestall.orders.actions import cancel, expire, order, place, views
from livestall.orders.counter import Counter
from livestall.orders.entry import Entry
from livestall.orders.line import Line
from livestall.orders.model import (
    Order,
    OrderCancelled,
    OrderMinute,
    OrderPaid,
    OrderRefunded,
    OrdersPlaced,
    OrderState,
    Paid,
    Settings,
)
from livestall.orders.model.mold import Placed
from livestall.orders.model.wishes import Address, Draft, NewOrder, NewOrderLine, draft
from livestall.orders.settlement import settle
from livestall.orders.store import per_minute, pictures_shown

__all__ = [
    "Address", "Counter", "Draft", "Entry", "Line", "NewOrder", "NewOrderLine", "Order", "OrderCancelled",
    "OrderMinute", "OrderPaid", "OrderRefunded", "OrderState", "OrdersPlaced", "Paid", "Placed", "Settings", "cancel",
    "draft", "expire", "order", "per_minute", "pictures_shown", "place", "settle", "views",
]  # fmt: skip
