"""What people notice of `livestall reload`, which replaces every process of a market while they watch and buy.

A real market with a show on air, twelve buyers, every other one over a socket, and a player. A turn is a market of its
own that is reloaded once; it fails when an order is lost, a request fails, a socket does not come back or the picture
is cut. `reload.away_s` is the longest that a socket was away, from its closing to its next order, and `reload.still_s`
the longest that the picture had nothing new, among all that happened before, during and after.

    python bench/reload.py
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from _harness import report, say, settle, turns

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.market import seed, serving  # pyright: ignore[reportMissingImports]
from helpers.reloading import Noticed, nobody_notices_a_reload  # pyright: ignore[reportMissingImports]
from livestall.app.demo.client import Door

BUYERS = 12
LIMIT_SECONDS = 3


async def reloaded() -> Noticed:
    settings = {
        "rooms__grace_seconds": 60, "orders__claims_per_second": 1000, "orders__claims_burst": 1000,
        "orders__device_claims_per_second": 10_000, "orders__device_claims_burst": 10_000,
    }  # fmt: skip
    with serving(**settings) as market:
        async with Door(market.base) as door:
            cast = await seed(door, market.first_run_token, products=1, on_hand=100_000)
            async with cast.on_air() as show:
                people = [(await cast.buyer(f"Buyer {number}"), show["id"]) for number in range(BUYERS)]
                picture = (await cast.show(show["id"]))["playback"]["hls_url"]
                return await nobody_notices_a_reload(market, people, cast.line(), [picture])


def once() -> Noticed:
    noticed = asyncio.run(reloaded())
    say(f"   {noticed}")
    return noticed


def main() -> None:
    found = turns({"reload": once})["reload"]
    away, still = [one.away_seconds for one in found], [one.still_seconds for one in found]
    report("reload.away_s", "s", away, limit=LIMIT_SECONDS, aim="max <= 3", note="the socket that was away longest")
    report("reload.still_s", "s", still, limit=LIMIT_SECONDS, aim="max <= 3", note="the picture, at its longest")
    report("reload.command_s", "s", [one.took_seconds for one in found], note="until the command says that it is done")
    settle()


if __name__ == "__main__":
    main()
