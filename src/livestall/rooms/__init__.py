"""Rooms: shows and their states, the tray, pins in stream time, roles in a show."""

from livestall.rooms.actions import need_role, role_in, show, stream_now, visible_show
from livestall.rooms.audience import Audience, Like, likes, minutes
from livestall.rooms.audience import count as count_audience
from livestall.rooms.audience import like as add_likes
from livestall.rooms.model import (
    HOSTS,
    MODERATING,
    ON_AIR,
    OPEN,
    PORTABLE,
    SELLING,
    Addresses,
    Listing,
    Pin,
    PinEnded,
    PinStarted,
    Role,
    Settings,
    Show,
    ShowMoved,
    ShowOver,
    ShowRecord,
    ShowState,
    Standing,
    TrayChanged,
    TrayItem,
)
from livestall.rooms.store import listings as listing
from livestall.rooms.store import pins, roles, shows, shows_offering, standings
from livestall.rooms.store import tray as listings

__all__ = [
    "HOSTS", "MODERATING", "ON_AIR", "OPEN", "PORTABLE", "SELLING", "Addresses", "Audience", "Like", "Listing", "Pin",
    "PinEnded", "PinStarted", "Role", "Settings", "Show", "ShowMoved", "ShowOver", "ShowRecord", "ShowState",
    "Standing", "TrayChanged", "TrayItem", "add_likes", "count_audience", "likes", "listing", "listings", "minutes",
    "need_role", "pins", "role_in", "roles", "show", "shows", "shows_offering", "standings", "stream_now",
    "visible_show",
]  # fmt: skip
