"""Stock: what is on hand, the pools it is sold from, and the holds that keep two buyers from the same unit.

A pool is one row: `pool_id` = variant for general stock, = deal for a quota carved out of it. `held + sold ≤ open ≤
on_hand` is a CHECK. Every verb takes a list and locks pools in the order of their ids.
"""

from livestall.stock.actions import carve, hold, lock, open_more, put_back, receive, release, repair, take, uncarve
from livestall.stock.actions import hold_all_or_none as hold_all
from livestall.stock.model import (
    Audit,
    BelowPromised,
    Carve,
    HoldKind,
    HoldRequest,
    LimitReached,
    NotEnoughStock,
    NotStocked,
    OnHand,
    OpenMore,
    Pool,
    PoolClosed,
    Repair,
    SoldOut,
    Stand,
    StockChanged,
    hold_kind,
)
from livestall.stock.store import audited, audits, available, drift, pools, stands

__all__ = [
    "Audit", "BelowPromised", "Carve", "HoldKind", "HoldRequest", "LimitReached", "NotEnoughStock", "NotStocked",
    "OnHand", "OpenMore", "Pool", "PoolClosed", "Repair", "SoldOut", "Stand", "StockChanged", "audited", "audits",
    "available", "carve", "drift", "hold", "hold_all", "hold_kind", "lock", "open_more", "pools", "put_back", "receive",
    "release", "repair", "stands", "take", "uncarve",
]  # fmt: skip
