"""A real market for tests: `livestall serve` on free ports in a folder of its own, seeded through its public API."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import aiohttp
import imageio_ffmpeg

from helpers.patience import PATIENCE_SECONDS, Not, until
from helpers.ports import free_ports
from helpers.processes import Process, planes_under
from livestall.app import postgres
from livestall.app.demo import pictures
from livestall.app.demo.client import Door, Json, Person, Refused
from livestall.app.guard import PARENT
from livestall.base import ids

T = TypeVar("T")
AWAY = (aiohttp.ClientError, OSError)
"""What somebody meets when a part of the market is away; Refused is its own word."""

PASSWORD = "a password for tests"
CITY = {
    "recipient": "Lin Mei", "phone": "+8613800000000", "region": "广东省", "city": "江门市", "line1": "会城街道 18 号",
    "line2": "", "postcode": "529100", "country": "CN",
}  # fmt: skip


def in_thread(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end from where a loop may already be running."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append((True, asyncio.run(make())))
        except BaseException as error:  # handed on to the caller
            found.append((False, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    good, value = found[0]
    if not good:
        raise value
    return value


class Served:
    """One `livestall serve` (or `demo`) process and where it is reached."""

    def __init__(self, folder: Path | None = None, *, command: str = "serve", **settings: object) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="livestall-test-"))
        self.folder.chmod(0o755)  # when root runs the tests, PostgreSQL's own user must get in
        self.command = command
        self.web, self.live, self.media, self.rtmp = free_ports(4)
        self.base = f"http://127.0.0.1:{self.web}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LIVESTALL_")},
            "LIVESTALL_DATA": str(self.folder / "data"),
            "LIVESTALL_WEB__HOST": "127.0.0.1",
            "LIVESTALL_WEB__PORT": str(self.web),
            "LIVESTALL_LIVE__PORT": str(self.live),
            "LIVESTALL_MEDIA__PORT": str(self.media),
            "LIVESTALL_MEDIA__RTMP_PORT": str(self.rtmp),
            "LIVESTALL_LOGS__LEVEL": "warning",
            "LIVESTALL_WATCH__PORT": "0",  # many markets run side by side in tests
            **{f"LIVESTALL_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        self._reader: threading.Thread | None = None
        self.first_run_token: str | None = None

    def start(self, seconds: float = PATIENCE_SECONDS, ready: str = "Ctrl-C ends") -> float:
        """Start and wait for the last line of those that say so; returns the seconds it took."""
        begin = time.monotonic()
        with (self.folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "livestall.app.cli", self.command],
                env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        done = threading.Event()
        self.output.clear()
        self._reader = threading.Thread(target=self._read, args=(self.process, ready, done), daemon=True)
        self._reader.start()
        if not done.wait(seconds) or not any(ready in line for line in self.output):
            self.stop()
            raise AssertionError(f"the market did not start:\n{''.join(self.output)}\n{self.log()[-4000:]}")
        return time.monotonic() - begin

    def _read(self, process: subprocess.Popen[str], ready: str, done: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.output.append(line)
                if found := re.search(r"first-run\?token=(\S+)", line):
                    self.first_run_token = found.group(1)
                if ready in line:
                    done.set()
        done.set()

    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> float:
        """End it and wait; returns the seconds it took."""
        begin = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._reader is not None:
            self._reader.join(PATIENCE_SECONDS)
        return time.monotonic() - begin

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self, plane: str | None = None, number: int | None = None) -> list[Process]:
        """The processes that the supervisor runs now, the eldest first; only those of that plane and number."""
        assert self.process is not None
        return [
            one for one in planes_under(self.process.pid)
            if plane in (None, one.plane) and number in (None, one.number)
        ]  # fmt: skip

    def planes(self) -> dict[str, int]:
        """Process ids of the planes that run now, of several the newest: web, live, media, work, postgres."""
        return {one.plane: one.pid for one in self.processes()}

    def descendants(self) -> list[int]:
        """Every process that carries this market's supervisor in its environment, and its PostgreSQL."""
        assert self.process is not None
        mark = f"{PARENT}={self.process.pid}".encode()
        folder = str(self.folder).encode()
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                with suppress(OSError):
                    if mark in (entry / "environ").read_bytes().split(b"\0") or (
                        b"postgres" in (entry / "cmdline").read_bytes() and folder in (entry / "cmdline").read_bytes()
                    ):
                        found.append(int(entry.name))
        return found

    def kill(self, plane: str) -> None:
        """kill -9 one plane; waits until that process is gone, with the last of its threads and what it had open."""
        pid = self.planes()[plane]
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as this market's operator does."""
        return subprocess.run(
            [sys.executable, "-m", "livestall.app.cli", *arguments],
            env=self.environment, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    @property
    def dsn(self) -> str:
        """The URL of the market's own PostgreSQL, which must run."""
        return postgres.dsn_of_running(self.folder / "data" / "postgres")

    def healthy(self) -> bool:
        with suppress(OSError), urlopen(f"{self.base}/api/health", timeout=PATIENCE_SECONDS) as answer:
            return answer.status == 200
        return False


@contextmanager
def serving(environment: Mapping[str, str] | None = None, **settings: Any) -> Generator[Served]:
    """A market that runs while the block lasts, with `environment` besides its own; nothing of it is left behind."""
    market = Served(**settings)
    market.environment |= environment or {}
    try:
        market.start()
        yield market
    finally:
        market.stop()
        market.remove()


class Pusher:
    """A real ffmpeg that pushes a test picture with sound by RTMP, a keyframe every so many seconds."""

    def __init__(self, url: str, seconds: float = 3600, keyframe_seconds: int = 1) -> None:
        picture = ["-f", "lavfi", "-i", "testsrc2=size=360x640:rate=25"]
        sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
        h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]
        every = ["-g", str(25 * keyframe_seconds), "-sc_threshold", "0"]
        aac = ["-b:v", "500k", "-c:a", "aac", "-b:a", "64k"]
        quiet = ["-hide_banner", "-loglevel", "error", "-re"]
        target = ["-t", str(seconds), "-f", "flv", url]
        self.process = subprocess.Popen(
            [imageio_ffmpeg.get_ffmpeg_exe(), *quiet, *picture, *sound, *h264, *every, *aac, *target],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @classmethod
    def camera(cls, url: str) -> Pusher:
        """The demo's camera instead of a test picture: one of the goods that moves, a clock and music. (One: each of
        them takes a fifth of a second to draw before the first picture.)"""
        self = cls.__new__(cls)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livestall.app.demo.source", url, "--title", "Evening market · 晚间集市",
             "--goods", pictures.PRODUCTS[0].name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def stop(self) -> str:
        """End it at once; returns what it complained of."""
        self.process.kill()
        return self.process.communicate()[1]


class Cast:
    """The people of a seeded market, each signed in. `products` are as the API gave them."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.operator = Person(door)
        self.seller = Person(door)
        self.creator = Person(door)
        self.seller_id = ""
        self.products: list[Json] = []

    def at(self, door: Door) -> Cast:
        """The same people at another door (connections belong to one event loop)."""
        other = Cast(door)
        other.seller_id, other.products = self.seller_id, self.products
        for role in ("operator", "seller", "creator"):
            there, here = getattr(other, role), getattr(self, role)
            there.headers, there.me = dict(here.headers), here.me
        return other

    async def buyer(self, name: str = "Bo") -> Person:
        return await Person(self.door).sign_up(f"buyer-{ids.new().hex[-12:]}@test.example", PASSWORD, name)

    async def live_show(self, title: str = "Evening market", **extra: object) -> Json:
        """A show of the creator with everything in its tray, still without a picture."""
        show = await self.creator.post("/api/shows", {"id": ids.new(), "title": title, **extra})
        items = [{"listing_id": str(ids.new()), "product_id": product["id"]} for product in self.products]
        await self.creator.put(f"/api/shows/{show['id']}/tray", {"items": items})
        return show

    async def push(self, show_id: str) -> Pusher:
        ingest = await self.creator.get(f"/api/shows/{show_id}/ingest")
        return Pusher(f"{ingest['rtmp_server']}/{ingest['rtmp_key']}")

    async def show(self, show_id: str) -> Json:
        """The show as its host sees it."""
        return await self.creator.get(f"/api/shows/{show_id}")

    async def go_live(self, show_id: str) -> Json:
        """Wait for the picture, then go live."""

        async def online() -> bool:
            stream = (await self.show(show_id))["stream"]
            return stream is not None and stream["online"]

        await until(online, what="the picture")
        return await self.creator.post(f"/api/shows/{show_id}/go-live")

    @asynccontextmanager
    async def on_air(self) -> AsyncGenerator[Json]:
        """A live show, whose encoder sends while the block lasts."""
        show = await self.live_show()
        pusher = await self.push(show["id"])
        try:
            yield await self.go_live(show["id"])
        finally:
            pusher.stop()

    def line(self) -> Json:
        """One of the first article."""
        return {"variant_id": self.products[0]["variants"][0]["id"], "quantity": 1}

    async def all_is_well(self) -> bool | Not:
        """Whether the operator is told that every plane is up and no number drifts."""
        try:
            health = await self.operator.get("/api/operator/health")
        except (*AWAY, Refused) as error:
            return Not(error)
        return (health["drift"] == 0 and all(one["state"] == "up" for one in health["planes"])) or Not(health)

    async def flash_sale(self, show_id: str, **extra: object) -> Json:
        """A flash sale on the first variant of the first listing; it starts after ten seconds."""
        item = (await self.tray(show_id))[0]
        return await self.creator.post(f"/api/shows/{show_id}/flash-sales", {
            "id": ids.new(), "listing_id": item["listing_id"], "variant_id": item["variants"][0]["variant_id"],
            "price_amount": 100, "quota": 50, "countdown_seconds": 10, "duration_seconds": 300, "per_buyer": 1, **extra,
        })  # fmt: skip

    async def deal(self, show_id: str, deal_id: str) -> Json:
        return next(one for one in await self.creator.get(f"/api/shows/{show_id}/deals") if one["id"] == deal_id)

    async def tray(self, show_id: str) -> list[Json]:
        return await self.creator.get(f"/api/shows/{show_id}/tray")

    async def set_stock(self, on_hand: int, variant_ids: list[str] | None = None) -> None:
        chosen = variant_ids or [one["id"] for product in self.products for one in product["variants"]]
        rows = [{"variant_id": one, "on_hand": on_hand} for one in chosen]
        await self.seller.put(f"/api/sellers/{self.seller_id}/stock", {"id": ids.new(), "rows": rows})

    async def stock_row(self, variant_id: str) -> Json:
        rows = (await self.seller.get(f"/api/sellers/{self.seller_id}/stock"))["items"]
        return next(row for row in rows if row["variant_id"] == variant_id)


async def seed(door: Door, first_run_token: str | None, *, products: int = 2, on_hand: int = 100) -> Cast:
    """An operator, an approved seller with products in stock, a creator with a channel."""
    cast = Cast(door)
    await cast.operator.post("/api/first-run", {
        "token": first_run_token, "id": ids.new(), "login": "operator@test.example", "password": PASSWORD,
        "name": "Operator", "market_name": "Test market", "currency": "CNY",
    })  # fmt: skip
    await cast.seller.sign_up("seller@test.example", PASSWORD, "Seller")
    seller = await cast.seller.post("/api/sellers", {"id": ids.new(), "name": "Blue Kiln"})
    cast.seller_id = seller["id"]
    await cast.operator.post(f"/api/operator/sellers/{cast.seller_id}/approve")
    await cast.creator.sign_up("creator@test.example", PASSWORD, "Mei")
    await cast.creator.post("/api/me/creator", {"id": ids.new(), "name": "Mei", "bio": "Every evening."})
    for goods in pictures.PRODUCTS[:products]:
        cast.products.append(await cast.seller.post(f"/api/sellers/{cast.seller_id}/products", product_of(goods)))
    await cast.set_stock(on_hand)
    return cast


def product_of(goods: pictures.Goods) -> Json:
    """A product in two sizes, as a seller writes it."""
    variants = [
        {"id": ids.new(), "sku": f"{goods.name}-{size}", "options": {"Size": size}, "price_amount": goods.price_amount}
        for size in ("S", "L")
    ]
    return {
        "id": ids.new(),
        "title": f"{goods.en} · {goods.zh}",
        "description": goods.description_en,
        "state": "active",
        "options": [{"name": "Size", "values": ["S", "L"]}],
        "variants": variants,
    }
