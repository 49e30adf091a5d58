"""Who numbers events: one gateway at a time, and the next one goes on when that one is gone, stuck or slow."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from helpers.gateways import House, numbered, same_everywhere, until
from helpers.patience import PATIENCE_SECONDS
from helpers.ports import free_ports
from helpers.redis_server import PASSWORD, RedisServer, redis_running
from livestall import chat
from livestall.app import projector
from livestall.app.gateway import Gateway
from livestall.base import clock, config, ids
from livestall.base.db import Database
from livestall.live import LiveEvent, LocalBus, Nudge, Present, RedisBus, Said, last_seq
from livestall.live.bus import redis as redis_bus


@pytest.fixture
async def house(db: Database) -> AsyncIterator[House]:
    one = House(db)
    yield one
    await one.close()


async def test_a_projector_that_stands_still_in_its_transaction_is_passed_by(monkeypatch, db, stage) -> None:
    """As a stopped process does: its connection is open, its locks are held, and it does not come back."""
    stuck, well = Gateway(db), Gateway(db)
    await stage.show(await stage.host())
    while await well.projector.step():
        pass
    show_id = await stage.show(await stage.host())
    holds, frozen = asyncio.Event(), asyncio.Event()

    async def never(_tx: Any, _batch: Any) -> Said:
        holds.set()
        await frozen.wait()
        return Said()

    stuck.projector._project = never  # type: ignore[method-assign]
    for seconds in (PATIENCE_SECONDS, 1):
        monkeypatch.setattr(projector, "STUCK_SECONDS", round(seconds))
        holds.clear()
        hanging = asyncio.create_task(stuck.projector.step())
        await holds.wait()
        if seconds == 1:
            await until(well.projector.step)
        else:
            assert await well.projector.step() is False, "one at a time"
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
    async with db.read() as read:
        assert await last_seq(read, show_id) > 0


async def test_two_that_project_at_once_number_nothing_twice(db, stage) -> None:
    first, second = Gateway(db), Gateway(db)
    show_id, person = await stage.show(await stage.host()), await stage.person()

    async def talk(n: int) -> None:
        message = chat.Message(ids.new(), show_id, person.need_user(), person.name, str(n))
        assert isinstance((await db.run(lambda tx: chat.say(tx, [message])))[0], chat.ChatMessage)

    with config.override(chat.Settings(burst=50)):
        for n in range(20):
            await asyncio.gather(talk(n), first.projector.step(), second.projector.step())
    while await first.projector.step() or await second.projector.step():
        pass
    last = await numbered(db, show_id)
    async with db.read() as read:
        rows = await read.fetch("select seq, kind, body from live_event where channel = $1 order by seq", show_id)
    assert [row["seq"] for row in rows] == list(range(1, last + 1))
    assert sorted(int(row["body"]["text"]) for row in rows if row["kind"] == "chat.said") == list(range(20))


async def test_the_oldest_leads_and_the_others_look_seldom(house, stage) -> None:
    with redis_running() as redis:
        await house.open(redis.url, 3)
        await house.meet()
        assert [one.projector._leads() for one in house.gateways] == [True, False, False]
        show_id = await stage.show(await stage.host())
        people = [await house.enter(show_id, at, await stage.person(f"P{at}")) for at in range(3)]
        since = await numbered(house.db, show_id)
        await house.crash(0)
        house.viewers.remove(people[0])
        assert (await people[1].ask("chat", text="the oldest is gone"))["ok"]
        await same_everywhere(house, show_id, since)
        await until(house.gateways[0].projector._leads)
        redis.kill()
        await until(lambda: all(one.projector._leads() for one in house.gateways))


async def test_the_bus_speaks_tls_and_its_address_is_never_logged(monkeypatch, tmp_path: Path) -> None:
    port, plain = free_ports(2)
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(  # noqa: ASYNC221 - half a second, before anything runs
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate),
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
           "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"]  # fmt: skip
    redis = RedisServer(port=plain).start(*tls)
    heard: list[Said] = []
    url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0?ssl_ca_certs={certificate}"
    wrong = f"redis://:wrong-{PASSWORD}@127.0.0.1:{plain}/0"
    one, other, stranger = RedisBus(url, ids.new()), RedisBus(url, ids.new()), RedisBus(wrong, ids.new())
    other.subscribe(heard.append)
    event = LiveEvent(1, "note", clock.now(), None, {"text": "秘密"})
    channel, logs = ids.new(), CapturingLogger()
    monkeypatch.setattr(redis_bus, "log", logs)
    try:
        for bus in (one, other, stranger):
            await bus.start()

        async def arrives() -> bool:
            await one.publish(Said([(channel, event)]))
            return bool(heard)

        await until(arrives)
        await until(lambda: "AuthenticationError" in str(logs.calls))
    finally:
        for bus in (one, other, stranger):
            await bus.close()
        redis.kill()
    (told_channel, told) = heard[0].events[0]
    assert (told_channel, told.seq, bytes(told.body)) == (channel, 1, '{"text":"秘密"}'.encode())
    assert not stranger.is_up
    assert PASSWORD not in str(logs.calls)


class Told(LocalBus):
    """Counts the nudges that a gateway sends which does not lead."""

    nudges = 0

    def tell(self, gossip: Present | Nudge) -> None:
        self.nudges += isinstance(gossip, Nudge)


def test_purchases_of_a_rush_wake_the_projector_once_and_what_is_said_always_does(monkeypatch, db) -> None:
    monkeypatch.setattr(projector, "TOTALS_SECONDS", 1000)
    bus = Told()
    follower = projector.Projector(db, bus, {}, lambda: False)
    for _ in range(5):
        follower.wake_for_totals()
    assert bus.nudges == 1, "the first at once, the others wait for the next look"
    follower.wake()
    follower.wake()
    assert bus.nudges == 3, "chat never waits"
    follower.wake_for_totals()
    assert bus.nudges == 4, "a purchase under way may have hidden what was said: its commit shows it"
