"""Deals: time-boxed specials on a listing. Today: the flash sale.

The quota is carved out of stock when it is announced and returned when it ends; `deal.id` is the id of its pool.
"""

from livestall.deals.actions import admit, deals, end_by_host, of_show, publish_flash_sale, release_more
from livestall.deals.model import (
    Admission,
    AlreadyRunning,
    Claim,
    Deal,
    DealChanged,
    DealClosed,
    DealNotOpen,
    DealState,
    NewFlashSale,
    NoSuchDeal,
    NotCheaper,
    Settings,
    Tier,
)

__all__ = [
    "Admission", "AlreadyRunning", "Claim", "Deal", "DealChanged", "DealClosed", "DealNotOpen", "DealState",
    "NewFlashSale", "NoSuchDeal", "NotCheaper", "Settings", "Tier", "admit", "deals", "end_by_host", "of_show",
    "publish_flash_sale", "release_more",
]  # fmt: skip
