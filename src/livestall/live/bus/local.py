"""The bus of a single gateway: a call."""

from __future__ import annotations

from livestall.live.bus import Hear, Said


class LocalBus:
    def __init__(self) -> None:
        self._ears: list[Hear] = []

    async def publish(self, said: Said) -> None:
        for hear in self._ears:
            hear(said)

    def subscribe(self, hear: Hear) -> None:
        self._ears.append(hear)

    async def close(self) -> None:
        self._ears.clear()
