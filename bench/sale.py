"""2,000 buyers for 50 units of a flash sale, all at once, through the public HTTP API of a real web process.

Every tenth buyer clicks twice on two connections. Prints what must be 0: units sold beyond the quota (by the orders and
by the stock), and buyers left without an answer that is an order or a refusal of the sale.

    python bench/sale.py [runs]
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter as Tally
from pathlib import Path
from uuid import UUID

import aiohttp
import uvloop

from _harness import RUNS, free_port, report

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))

from helpers.shop import Shop  # noqa: E402
from livestall import accounts, deals, stock  # noqa: E402
from livestall.app.migrate import migrate  # noqa: E402
from livestall.app.postgres import Postgres  # noqa: E402
from livestall.base import ids  # noqa: E402
from livestall.base.db import Database  # noqa: E402

BUYERS, UNITS = 2000, 50
REFUSALS = {"sold-out", "limit-reached"}


async def sessions(db: Database, count: int) -> list[str]:
    """Session tokens of that many new people."""
    async with db.write() as tx:
        people = [ids.new() for _ in range(count)]
        await tx.execute(
            """insert into user_account (id, login, password_hash, name, created_at)
               select u, u::text || '@example.com', '-', 'Buyer', now() from unnest($1::uuid[]) as t(u)""",
            people,
        )
        return [await accounts.open_session(tx, person) for person in people]


async def ready(client: aiohttp.ClientSession, base: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            async with client.get(f"{base}/api/me") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        if time.monotonic() > end:
            raise TimeoutError("the web process did not come up")
        await asyncio.sleep(0.05)


async def buy(client: aiohttp.ClientSession, base: str, token: str, body: dict[str, object]) -> str:
    """ "order", the code of a refusal, or what went wrong."""
    try:
        async with client.post(
            f"{base}/api/orders", json=body, headers={"Cookie": f"livestall_session={token}", "Origin": base}
        ) as answer:
            said = await answer.json(content_type=None)
            return "order" if answer.status in {200, 201} else said.get("code", str(answer.status))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return repr(error)


async def sale(db: Database, shop: Shop, base: str) -> tuple[int, int, float]:
    """One sale: (oversold, unanswered, seconds until the last answer)."""
    tea = await shop.product(UNITS * 2)
    with_countdown = await shop.flash(tea, quota=UNITS, duration_seconds=600)
    async with db.write() as tx:  # the countdown is over: the sale is open
        await tx.execute("update deal set announced_at = announced_at - interval '1 minute', opens_at = now() "
                         "where id = $1", with_countdown.id)  # fmt: skip
    tokens = await sessions(db, BUYERS)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000), timeout=timeout) as client:
        await ready(client, base)
        calls: list[asyncio.Task[str]] = []
        start = time.perf_counter()
        for number, token in enumerate(tokens):
            line = {"variant_id": str(tea.variant), "deal_id": str(with_countdown.id), "quantity": 1}
            body = {"id": str(ids.new()), "show_id": str(shop.show), "lines": [line]}
            calls += [asyncio.create_task(buy(client, base, token, body)) for _ in range(2 if number % 10 == 0 else 1)]
        answers = Tally(await asyncio.gather(*calls))
        seconds = time.perf_counter() - start
    unanswered = sum(count for answer, count in answers.items() if answer != "order" and answer not in REFUSALS)
    if unanswered:
        print(dict(answers), file=sys.stderr)
    return await oversold(db, with_countdown.id), unanswered, seconds


async def oversold(db: Database, deal_id: UUID) -> int:
    """Units beyond the quota, or missing from it: with so many buyers exactly all must be gone."""
    async with db.read() as read:
        units = await read.fetchval(
            """select coalesce(sum(l.quantity), 0) from order_line l join orders o on o.id = l.order_id
                where l.deal_id = $1 and o.state in ('placed', 'paid')""",
            deal_id,
        )
        deal = (await deals.deals(read, [deal_id]))[deal_id]
        drift = await stock.drift(read)
    if deal.held + deal.sold != units or deal.left != 0 or drift:
        print(f"the books differ: {units} ordered, {deal.held + deal.sold} held, {drift} drift", file=sys.stderr)
        return max(1, abs(units - deal.held - deal.sold))
    return abs(units - UNITS)


async def measure(dsn: str, base: str, runs: int) -> None:
    db = Database(dsn)
    shop = await Shop.open(db)
    results = [await sale(db, shop, base) for _ in range(runs)]
    await db.close()
    report("sale.oversold", "units", [result[0] for result in results], limit=0, aim="max <= 0")
    report("sale.unanswered", "claims", [result[1] for result in results], limit=0, aim="max <= 0")
    report(
        "sale.all_answered_s", "s", [result[2] for result in results], note="the client in Python takes its part of it"
    )


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        server.start()
        web: subprocess.Popen[bytes] | None = None
        try:
            migrate(server.dsn())
            port = free_port()
            environment = {
                **os.environ,
                "LIVESTALL_DATABASE_URL": server.dsn(),
                "LIVESTALL_SECRET": secrets.token_hex(32),
                "LIVESTALL_DATA": folder,
                "LIVESTALL_WEB__PORT": str(port),
                "LIVESTALL_WEB__HOST": "127.0.0.1",
            }
            web = subprocess.Popen([sys.executable, "-m", "livestall.app.cli", "web"], env=environment)
            uvloop.run(measure(server.dsn(), f"http://127.0.0.1:{port}", runs))
        finally:
            if web is not None:
                web.terminate()
                web.wait(10)
            server.stop()


if __name__ == "__main__":
    main()
