"""Viewers at the end of the bad line, in a process of their own: `python far.py base show_id viewers relay_delay_ms`.

They watch until a line of the standard input says which number is the last; once all have heard it, or after a minute,
they say in one JSON line what they heard.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from helpers.market import AWAY
from helpers.patience import until
from helpers.rooms import Viewer
from livestall.app.demo.client import Door, Person, Refused
from livestall.base import ids

PASSWORD = "a password for the soak"
CATCH_UP_SECONDS = 60


class Relay:
    """Forwards one TCP port with a delay each way: the far end of a long line, in user space."""

    def __init__(self, host: str, port: int, delay_seconds: float) -> None:
        self._host, self._port, self._delay = host, port, delay_seconds

    async def start(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _serve(self, near: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        try:
            far, into = await asyncio.open_connection(self._host, self._port)
        except (OSError, asyncio.CancelledError):
            out.close()
            return
        with suppress(asyncio.CancelledError):  # at the end of the soak; Python 3.11 would make a noise of it
            await asyncio.gather(self._pass(near, into), self._pass(far, out))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Every byte `delay` later than it came, however many are under way."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

        async def read() -> None:
            try:
                while part := await source.read(65_536):
                    await under_way.put((loop.time() + self._delay, part))
            except OSError:
                pass
            await under_way.put((loop.time() + self._delay, b""))

        reading = asyncio.create_task(read())
        try:
            while True:
                at, part = await under_way.get()
                await asyncio.sleep(at - loop.time())
                if not part:
                    break
                target.write(part)
                await target.drain()
        except OSError:
            pass
        finally:
            reading.cancel()
            target.close()


async def somebody(door: Door) -> Person:
    while True:
        try:
            return await Person(door).sign_up(f"far-{ids.new().hex}@test.example", PASSWORD, "Far")
        except (*AWAY, Refused):
            await asyncio.sleep(0.5)


async def watch(base: str, show_id: str, count: int, delay_ms: int, ports: Sequence[int]) -> None:
    at = urlsplit(base)
    if delay_ms:
        for port in ports:
            await Relay(at.hostname or "", port, delay_ms / 1000).start()
        base = f"http://127.0.0.1:{at.port}"
    async with Door(base) as door:
        viewers = [Viewer(await somebody(door), show_id).start() for _ in range(count)]
        last = int(await asyncio.to_thread(sys.stdin.readline) or 0)
        with suppress(AssertionError):  # what they have not heard is in what they say
            await until(lambda: all((one.seq or 0) >= last for one in viewers), CATCH_UP_SECONDS)
        found = [one.report() for one in viewers]
        await asyncio.gather(*(one.stop() for one in viewers))
    print(msgspec.json.encode(found).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), [int(one) for one in sys.argv[5:]]))
