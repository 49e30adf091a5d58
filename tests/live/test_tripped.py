"""A frame on which our own code breaks: its speaker is sent away, and nobody else notices."""

from __future__ import annotations

from livestall.base.errors import Unavailable
from livestall.live.connection import Connection


async def test_a_frame_that_we_trip_over_sends_its_speaker_away_and_nobody_else(wire, get, monkeypatch) -> None:
    read = Connection.read

    def trip(self: Connection, payload: bytes) -> None:
        if b"trip" in payload:
            raise RuntimeError("tripped")
        read(self, payload)

    monkeypatch.setattr(Connection, "read", trip)
    channel = wire.open()
    unlucky, other = await wire.join(channel), await wire.join(channel)
    await get(unlucky)
    await get(other)
    await unlucky.send('{"type":"trip"}')
    assert (await get(unlucky, lambda m: m["type"] == "bye"))["code"] == Unavailable.code
    await other.send('{"type":"ping"}')
    assert (await get(other, lambda m: m["type"] == "pong"))["type"] == "pong"
