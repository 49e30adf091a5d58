"""How long the second start of a market takes, from the command to "ready". The limit is a person's patience: 10 s."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.market import Served

RUNS = 3
LIMIT_SECONDS = 10


def main() -> None:
    market = Served()
    try:
        market.start()
        market.stop()
        runs = []
        for _ in range(RUNS):
            runs.append(round(market.start(), 2))
            market.stop()
    finally:
        market.stop()
        market.remove()
    value = statistics.median(runs)
    found = {"name": "start.second_s", "value": value, "unit": "s", "limit": LIMIT_SECONDS}
    print(json.dumps({**found, "ratio": round(value / LIMIT_SECONDS, 3), "runs": runs}))


if __name__ == "__main__":
    main()
