"""What `claims.py` measures: a market with its gateway and its web process on one core, PostgreSQL and the buyers on
the other."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from _harness import cores, family, free_ports, running, start_on

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))

from helpers.shop import Article, Shop  # noqa: E402  # pyright: ignore[reportMissingImports]
from livestall import accounts, catalog, stock  # noqa: E402
from livestall.base import devices, ids, keys  # noqa: E402
from livestall.base.db import Database  # noqa: E402
from livestall.live import Caller, Tickets  # noqa: E402

SERVER_CORE, BUYERS_CORE = 0, 1
UNITS = 10**8
PRODUCTS, VARIANTS = 20, 50
LOAD_SECONDS = 120
UNPACED = "1000000"


def pin(process_id: int, core: int) -> None:
    """Keep a process, and all that it starts from now on, on a core."""
    chosen = {cores()[core % len(cores())]}
    for one in family(process_id):
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(one, chosen)


def _built(folder: Path) -> Path:
    """The program of claims.c. Raises FileNotFoundError when there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler to build the buyers with")
    program = folder / "claims"
    subprocess.run([compiler, "-O2", "-o", str(program), str(HERE / "claims.c")], check=True)
    return program


class Market:
    """`await Market.open(…)`, then `sell`. The processes end with `stack`."""

    def __init__(self, dsn: str, folder: Path, stack: ExitStack) -> None:
        self.dsn, self.folder = dsn, folder
        self.db = Database(dsn)
        self.secret = secrets.token_hex(32)
        self.live_port, self.web_port = free_ports(2)
        self.program = _built(folder)
        self.hot: list[str] = []
        self.many: list[str] = []
        self.gone: list[str] = []
        self._stack = stack

    @classmethod
    async def open(cls, dsn: str, folder: Path, stack: ExitStack) -> Market:
        market = cls(dsn, folder, stack)
        keys.use(market.secret)
        market.shop = await Shop.open(market.db)
        tea = await market.shop.product(UNITS)
        market.hot = [market._wish(tea.variant, tea.listing)]
        market.many = await market._articles()
        gone: Article = await market.shop.product(1)
        await market._sell_out(gone)
        market.gone = [market._wish(gone.variant, gone.listing)]
        async with market.db.read() as read:
            await read.fetch("select 1")
        market._start("live", market.live_port)
        market._start("web", market.web_port)
        return market

    async def close(self) -> None:
        await self.db.close()

    def _wish(self, variant: UUID, listing: UUID | None = None) -> str:
        listed = "" if listing is None else f'"listing_id":"{listing}",'
        return f'"show_id":"{self.shop.show}","lines":[{{"variant_id":"{variant}",{listed}"quantity":1}}]}}'

    async def _articles(self) -> list[str]:
        """Wishes for PRODUCTS times VARIANTS variants, at their ordinary price. They are not in the show's tray: else
        2,000 viewers would be told of every one of 1,000 stocks ten times a second, which is another measurement."""
        wishes: list[str] = []
        for _ in range(PRODUCTS):
            product, variants = ids.new(), [ids.new() for _ in range(VARIANTS)]
            drafts = [catalog.VariantDraft(variant, {"Size": str(n)}, 1000 + n) for n, variant in enumerate(variants)]
            wanted = catalog.ProductDraft(
                product, "Green tea", drafts, state=catalog.ProductState.active,
                options=[catalog.OptionAxis("Size", [str(n) for n in range(VARIANTS)])],
            )  # fmt: skip
            async with self.db.write() as tx:
                await catalog.create_product(tx, self.shop.seller, wanted, "CNY")
                await stock.receive(tx, [stock.OnHand(variant, self.shop.seller, 10**6) for variant in variants])
            wishes += [self._wish(variant) for variant in variants]
        return wishes

    async def _sell_out(self, article: Article) -> None:
        from helpers.shop import draft  # pyright: ignore[reportMissingImports]

        await self.shop.place(draft(article.line()))

    def _start(self, plane: str, port: int) -> None:
        environment = {
            **os.environ, "LIVESTALL_DATABASE_URL": self.dsn, "LIVESTALL_SECRET": self.secret,
            "LIVESTALL_DATA": str(self.folder), "LIVESTALL_LIVE__PORT": str(self.live_port),
            "LIVESTALL_WEB__PORT": str(self.web_port), "LIVESTALL_WEB__HOST": "127.0.0.1",
            "LIVESTALL_LIVE__COMMANDS_PER_SECOND": UNPACED, "LIVESTALL_LIVE__COMMANDS_BURST": UNPACED,
            "LIVESTALL_ORDERS__CLAIMS_PER_SECOND": UNPACED, "LIVESTALL_ORDERS__CLAIMS_BURST": UNPACED,
            "LIVESTALL_ORDERS__DEVICE_CLAIMS_PER_SECOND": UNPACED, "LIVESTALL_ORDERS__DEVICE_CLAIMS_BURST": UNPACED,
            "LIVESTALL_LOGS__LEVEL": "error",
        }  # fmt: skip
        command = [sys.executable, "-m", "livestall.app.cli", plane]
        self._stack.enter_context(running(SERVER_CORE, command, port, env=environment))

    def _sockets(self, buyers: int) -> list[str]:
        tickets = Tickets()
        people = [Caller(self.shop.show, ids.new(), "Bo", "en", "viewer") for _ in range(buyers)]
        return [f"/api/shows/{self.shop.show}/live?ticket={tickets.issue(person)[0]}" for person in people]

    async def _sessions(self, buyers: int) -> list[str]:
        async with self.db.write() as tx:
            people = [ids.new() for _ in range(buyers)]
            await tx.execute(
                """insert into user_account (id, login, password_hash, name, created_at)
                   select u, u::text || '@example.com', '-', 'Buyer', now() from unnest($1::uuid[]) as t(u)""",
                people,
            )
            tokens = [await accounts.open_session(tx, person) for person in people]
        origin = f"http://127.0.0.1:{self.web_port}"
        same = f"Origin: {origin}\tContent-Type: application/json\t"
        cookies = (f"livestall_session={one}; livestall_device={devices.mint(ids.new())}" for one in tokens)
        return [f"Cookie: {one}\t{same}" for one in cookies]

    async def sell(self, wishes: list[str], *, by: str = "socket", buyers: int, seconds: float) -> dict[str, Any]:
        """What the buyers saw: per_s, orders, refused, p50_ms, p99_ms, max_ms. `seconds` 0: everyone once, at once."""
        people = self._sockets(buyers) if by == "socket" else await self._sessions(buyers)
        if by == "socket":  # the socket's path names the show
            wishes = [wish.partition(",")[2] for wish in wishes]
        port = self.live_port if by == "socket" else self.web_port
        load = start_on(
            BUYERS_CORE, [str(self.program), by, str(port), str(buyers), str(seconds)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        given = "\n".join([str(len(wishes)), *wishes, *people, ""])
        said, error = await asyncio.to_thread(load.communicate, given, LOAD_SECONDS)
        if load.returncode:
            raise RuntimeError(f"the buyers ended with {load.returncode}: {error.strip()[:300]}")
        return json.loads(said.splitlines()[-1])
