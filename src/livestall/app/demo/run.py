"""The two processes of the demo: the market (`serve`), and beside it the people in it (`actors`)."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import structlog

from livestall.app import settings
from livestall.app.demo import goods, seed
from livestall.app.demo.client import Door
from livestall.app.demo.crowd import EXPECTED, Crowd, for_ever
from livestall.app.demo.director import Director, make_replay, restock
from livestall.base import config
from livestall.base import log as logs

log = structlog.get_logger()
FOLDER = "var/demo"


def settle() -> None:
    """The demo's own settings, where the person has not set any: its data folder and a shorter unpaid hold."""
    os.environ.setdefault("LIVESTALL_DATA", FOLDER)
    os.environ.setdefault("LIVESTALL_LOGS__LEVEL", "warning")


def welcome(market: str, rtmp: str) -> str:
    """What the demo prints when the show is on air."""
    roles = [("operator", seed.OPERATOR), ("seller", "seller1@demo.example"), ("creator", goods.CREATORS[0][0])]
    roles.append(("buyer", seed.BUYER))
    lines = ["", "The demo market is open:", "", f"    {market}", ""]
    lines += [f"    {role:9} {login:24} {goods.PASSWORD}" for role, login in roles]
    lines += ["", f"    Stream your own show to {rtmp} (key in the studio).", "    Ctrl-C ends everything.", ""]
    return "\n".join(lines)


async def _act(folder: Path, market: str, rtmp: str, token: str | None) -> None:
    memory = seed.Memory.read(folder)
    async with Door(market) as door:
        await seed.build(door, memory, folder, token)
        products = [product for seller in memory.sellers for product in seller.products]
        host = Director(door, memory.creators[0].token, goods.SHOW_TITLE, goods.SHOW_DESCRIPTION, products)
        show_id = (await host.show())["id"]
        async with host.pushing(show_id):
            await host.go_live(show_id)
            print(welcome(market, rtmp), flush=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(Crowd(door, memory, folder, show_id).run())
                group.create_task(for_ever(lambda: host.pin_in_turn(show_id), 2))
                group.create_task(for_ever(lambda: host.flash_sales(show_id), 10))
                group.create_task(for_ever(lambda: restock(door, memory), 1))
                group.create_task(for_ever(lambda: host.go_live(show_id), 5))
                if not memory.replay_done:
                    group.create_task(_replay(door, memory, folder))


async def _replay(door: Door, memory: seed.Memory, folder: Path) -> None:
    try:
        await make_replay(door, memory)
    except EXPECTED as error:
        log.warning("the demo has no replay this time", error=repr(error))
        return
    memory.replay_done = True
    memory.write(folder)


def run() -> int:
    """The entry of `livestall demo`: the market, and `livestall actors` as one more plane once it is ready."""
    from livestall.app import market, supervisor

    settle()
    return market.run("demo", [supervisor.Plane("actors")], quiet=True)


def actors(market: str, rtmp: str) -> int:
    """The entry of the demo's second process; ends on SIGTERM. Needs a market that answers at `market`."""
    core = settings.load()
    options = config.of(settings.Logs)
    logs.set_up("demo", as_json=options.as_json, level=options.level)

    async def until_told() -> None:
        task = asyncio.ensure_future(_act(Path(core.data), market, rtmp, seed.first_run_token()))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_told())
    return 0
