"""Several gateways over one database, in one process, and pages that read there."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from helpers.patience import PATIENCE_SECONDS, until
from livestall.app.gateway import Gateway
from livestall.base import ids
from livestall.base.db import Database
from livestall.live import Caller, Tickets, last_seq


class Viewer:
    """One page: keeps every event it was told, in order, and the newest totals."""

    def __init__(self, socket: ClientConnection, seq: int = 0) -> None:
        self.socket = socket
        self.events: dict[int, Any] = {}
        self.seq = seq
        self.totals: dict[str, Any] = {}
        self.snapshots = 0
        self.answers: dict[str, asyncio.Future[Any]] = {}
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with suppress(ConnectionClosedError):  # its gateway crashed
            async for message in self.socket:
                self._take(json.loads(message))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "snapshot":
            self.snapshots += 1
            self.seq = max(self.seq, frame["seq"])
            self._take_totals(frame["totals"])
        elif frame["type"] == "events":
            for event in frame["events"]:
                if event["seq"] > self.seq:
                    assert event["seq"] == self.seq + 1, "a gap reached a viewer"
                    self.seq = event["seq"]
                    self.events[self.seq] = (event["kind"], event["body"])
            self._take_totals(frame.get("totals", {}))
        elif frame["type"] == "answer":
            self.answers.pop(frame["id"]).set_result(frame)

    def _take_totals(self, totals: dict[str, Any]) -> None:
        for slot, value in totals.items():
            if isinstance(value, dict):
                self.totals.setdefault(slot, {}).update(value)
            else:
                self.totals[slot] = value

    async def ask(self, kind: str, **body: Any) -> Any:
        command = {"type": kind, "id": str(ids.new())} | body
        future = self.answers[command["id"]] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps(command))
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await future

    @property
    def lines(self) -> list[str]:
        return [body["text"] for kind, body in self.events.values() if kind == "chat.said"]

    async def close(self) -> None:
        await self.socket.close()
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)


class House:
    """Gateways over one database, and viewers at each of them."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.gateways: list[Gateway] = []
        self.ports: list[int] = []
        self.viewers: list[Viewer] = []

    async def open(self, bus_url: str, count: int = 2) -> None:
        made = [Gateway(self.db, bus_url=bus_url) for _ in range(count)]
        for gateway in sorted(made, key=lambda one: one.peers.own):  # the oldest first
            self.ports.append(await gateway.start("127.0.0.1", 0))
            self.gateways.append(gateway)

    async def meet(self) -> None:
        """Wait until every gateway hears every other one."""
        others = len(self.gateways) - 1
        await until(lambda: all(len(one.peers.known()) == others and one.bus.is_up for one in self.gateways))

    async def enter(self, show_id: UUID, at: int, person: Any = None, last_seq: int | None = None) -> Viewer:
        caller = Caller(show_id, person and person.user_id, person.name if person else "", "en", "viewer")
        url = f"ws://127.0.0.1:{self.ports[at]}/api/shows/{show_id}/live?ticket={Tickets().issue(caller)[0]}"
        socket = await connect(url, compression=None)
        await socket.send(json.dumps({"type": "hello", "last_seq": last_seq}))
        viewer = Viewer(socket, last_seq or 0)
        self.viewers.append(viewer)
        await until(lambda: bool(viewer.totals))
        return viewer

    async def all_know(self, seq: int) -> None:
        await until(lambda: all(one.seq >= seq for one in self.viewers))

    async def crash(self, at: int) -> None:
        """As kill -9 does it: nobody is told, nothing is written any more."""
        gateway = self.gateways.pop(at)
        for task in gateway._tasks:
            task.cancel()
        await asyncio.gather(*gateway._tasks, return_exceptions=True)
        await gateway.channels.gaps.close()
        await gateway.bus.close()
        for connection in list(gateway.server.connections):
            connection._transport.disconnect(False)
        gateway.server.stop_accepting()
        self.ports.pop(at)

    async def close(self) -> None:
        for viewer in self.viewers:
            await viewer.close()
        for gateway in self.gateways:
            await gateway.close()


async def numbered(db: Database, show_id: UUID) -> int:
    """The number of the newest event, once nothing waits to be numbered."""

    async def settled() -> bool:
        async with db.read() as read:
            return not await read.fetchval(
                """select exists (select 1 from outbox o left join outbox_cursor c on c.listener = 'live'
                    where (o.xid, o.id) > (coalesce(c.xid, '0'::xid8), coalesce(c.id, 0)))"""
            )

    await until(settled)
    async with db.read() as read:
        return await last_seq(read, show_id)


async def same_everywhere(house: House, show_id: UUID, since: int) -> int:
    """Everyone was told the same events from `since` on, without a gap; returns the last number."""
    last = await numbered(house.db, show_id)
    await house.all_know(last)
    first, *others = ({n: viewer.events.get(n) for n in range(since + 1, last + 1)} for viewer in house.viewers)
    assert None not in first.values()
    assert all(other == first for other in others)
    return last
