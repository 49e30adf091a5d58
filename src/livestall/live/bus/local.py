"""The bus of a single gateway: a call."""

from __future__ import annotations

from livestall.live.bus import Gossip, Hear, Nudge, Present, Said


class LocalBus:
    def __init__(self) -> None:
        self._ears: list[Hear] = []

    @property
    def is_up(self) -> bool:
        return True

    def subscribe(self, hear: Hear, gossip: Gossip | None = None) -> None:  # noqa: ARG002 - there are no others
        self._ears.append(hear)

    async def start(self) -> None:
        pass

    async def publish(self, said: Said) -> None:
        for hear in self._ears:
            hear(said)

    def tell(self, gossip: Present | Nudge) -> None:
        pass

    async def close(self) -> None:
        self._ears.clear()
