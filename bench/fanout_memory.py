"""Memory: what one viewer's socket costs the gateway, with 20,000 of them or as many as the limit of files lets.

Resident memory of the gateway's process with all sockets open, in a room that chats 10 lines a second, less what it was
before the first came, for each socket. The kernel's own buffers are not in it. The load in C holds the other ends.

    python bench/fanout_memory.py [--sockets 20000] [--runs 3]
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

from _harness import RUNS, report, skip, turns
from _load import Seen, built, watched

SPARE_FILES = 100
"""Files of the gateway besides its viewers' sockets."""
SECONDS = 3.0


def per_socket(seen: Seen, sockets: int) -> float:
    """kB (1,000 bytes) for each socket."""
    assert seen.said["gaps"] == 0
    assert seen.said["frames_per_s"] > sockets, "the room was not heard by everyone"
    return (seen.bytes_with - seen.bytes_before) / sockets / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    sockets = min(options.sockets, allowed - SPARE_FILES)
    note = f"{sockets:,} sockets" + ("" if sockets == options.sockets else ", as many as the limit of files lets")
    try:
        with built() as program:
            measure(program, sockets, options.runs, note)
    except FileNotFoundError as missing:
        skip("fanout.kb_per_socket", str(missing))


def measure(program: Path, sockets: int, runs: int, note: str) -> None:
    found = turns({"all": lambda: watched(program, sockets, SECONDS, 10)}, runs)["all"]
    kilobytes = [per_socket(one, sockets) for one in found]
    report("fanout.kb_per_socket", "kB", kilobytes, limit=20, aim="value <= 20", note=note, sockets=sockets)
    report("fanout.joins_per_s", "1/s", [sockets / one.said["opening_s"] for one in found], note="one after the other")


if __name__ == "__main__":
    main()
