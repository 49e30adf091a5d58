"""The wire: channels, sequence numbers and bytes. Knows no business word."""

from livestall.live.bus import Bus, Gossip, Nudge, Present, Said
from livestall.live.bus.local import LocalBus
from livestall.live.bus.peers import Peers
from livestall.live.bus.redis import RedisBus
from livestall.live.channels import Channels, Loaded, Source
from livestall.live.commands import Asked
from livestall.live.hub import Edge, Hub
from livestall.live.lane import Lane
from livestall.live.model import MISSED_MAX, Caller, Command, LiveEvent, NewEvent, Settings, TooFast, Total
from livestall.live.socket import Server
from livestall.live.store import (
    after,
    append,
    forget_gateway,
    gateways_up,
    keep_readers,
    last_seq,
    missed,
    numbers,
    readers_elsewhere,
)
from livestall.live.tickets import Tickets

__all__ = [
    "MISSED_MAX", "Asked", "Bus", "Caller", "Channels", "Command", "Edge", "Gossip", "Hub", "Lane", "LiveEvent",
    "Loaded", "LocalBus", "NewEvent", "Nudge", "Peers", "Present", "RedisBus", "Said", "Server", "Settings", "Source",
    "Tickets", "TooFast", "Total", "after", "append", "forget_gateway", "gateways_up", "keep_readers", "last_seq",
    "missed", "numbers", "readers_elsewhere",
]  # fmt: skip
