"""How long the second start of a market takes, from the command to "ready". The limit is a person's patience: 10 s."""

from __future__ import annotations

import sys
from pathlib import Path

from _harness import report, settle, turns

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from helpers.market import Served  # pyright: ignore[reportMissingImports]

LIMIT_SECONDS = 10


def main() -> None:
    market = Served()
    try:
        first = market.start()
        market.stop()

        def second() -> float:
            try:
                return market.start()
            finally:
                market.stop()

        found = turns({"start": second})["start"]
    finally:
        market.stop()
        market.remove()
    report(
        "start.second_s", "s", found, limit=LIMIT_SECONDS, aim="value <= 10",
        note=f"PostgreSQL included; the first start, which makes the database, took {first:.1f} s",
    )  # fmt: skip
    settle()


if __name__ == "__main__":
    main()
