"""The buyers of `claims.py`: sockets of one room in a process of their own, each buying again when it is answered.

    python bench/_claims_client.py ws://127.0.0.1:8001 SHOW VARIANT LISTING SOCKETS SECONDS

Tickets are signed with LIVESTALL_SECRET. Prints the answers that were orders per second, and counts the refused.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from uuid import UUID

import aiohttp
import uvloop

from livestall.base import ids, keys
from livestall.live import Caller, Tickets

WARM_SECONDS = 1.0


async def buyer(
    session: aiohttp.ClientSession, url: str, lines: str, begin: asyncio.Event, end: list[float]
) -> tuple[int, int]:
    """(orders, others) answered between the beginning of the measurement and its end."""
    orders = others = 0
    async with session.ws_connect(url, max_msg_size=0) as socket:
        await socket.send_str('{"type":"hello","last_seq":null}')
        await begin.wait()
        while (now := time.perf_counter()) < end[0]:
            await socket.send_str(f'{{"type":"buy","id":"{ids.new()}","lines":{lines}}}')
            while '"answer"' not in (frame := str(await socket.receive_str()))[:40]:
                pass
            if now > end[0] - end[1]:
                good = '"ok":true' in frame[:120]
                orders, others = orders + good, others + (not good)
    return orders, others


async def measure(base: str, show: UUID, lines: str, count: int, seconds: float) -> None:
    tickets, begin, end = Tickets(), asyncio.Event(), [0.0, seconds]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        people = []
        for _ in range(count):
            ticket, _ = tickets.issue(Caller(show, ids.new(), "Bo", "en", "viewer"))
            url = f"{base}/api/shows/{show}/live?ticket={ticket}"
            people.append(asyncio.create_task(buyer(session, url, lines, begin, end)))
        await asyncio.sleep(WARM_SECONDS)
        end[0] = time.perf_counter() + WARM_SECONDS + seconds
        begin.set()
        answers = await asyncio.gather(*people)
    orders, others = (sum(one[place] for one in answers) for place in (0, 1))
    print(json.dumps({"per_s": orders / seconds, "refused": others}))


def main() -> None:
    base, show, variant, listing, count, seconds = sys.argv[1:]
    keys.use(os.environ["LIVESTALL_SECRET"])
    lines = json.dumps([{"variant_id": variant, "listing_id": listing, "quantity": 1}])
    uvloop.run(measure(base, UUID(show), lines, int(count), float(seconds)))


if __name__ == "__main__":
    main()
