"""A room over a real gateway and a real database: a stale snapshot and the events since are the fresh snapshot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from helpers.patience import PATIENCE_SECONDS, until
from livestall import catalog, deals, stock
from livestall.accounts import Actor
from livestall.app.gateway import Gateway
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres
from livestall.base import clock, ids
from livestall.base.db import Database, Tx
from livestall.chat import ChatMode, Message, say
from livestall.chat import actions as chat_actions
from livestall.chat.model import ChatMessage
from livestall.live import Caller, Tickets, after, last_seq
from livestall.rooms import actions as rooms_actions
from livestall.rooms import jobs, store
from livestall.rooms.model import Listing

Message_ = dict[str, Any]


class Viewer:
    """A page: keeps its snapshot up to date by the reducer."""

    def __init__(self, socket: ClientConnection, reduce: Callable[..., Any]) -> None:
        self.socket = socket
        self.reduce = reduce
        self.state: Message_ = {}
        self.frames: list[Message_] = []

    async def read(self) -> Message_:
        async with asyncio.timeout(PATIENCE_SECONDS):
            message = json.loads(await self.socket.recv())
        if message["type"] == "snapshot":
            self.state = message
        elif message["type"] == "events":
            self.frames.append(message)
            if self.state:
                self.state = self.reduce(self.state, message)
        return message

    async def read_to(self, seq: int) -> None:
        while not self.state or self.state["seq"] < seq:
            await self.read()

    async def answer(self, command: Message_) -> Message_:
        await self.socket.send(json.dumps(command))
        while True:
            message = await self.read()
            if message["type"] == "answer" and message["id"] == command["id"]:
                return message


@pytest.fixture
async def enter(gateway: Gateway, reduce_frame: Any) -> Any:
    sockets: list[ClientConnection] = []

    async def open_socket(
        show_id: Any, actor: Actor | None = None, last_seq: int | None = None, port: int | None = None
    ) -> Viewer:
        caller = Caller(show_id, actor and actor.user_id, actor.name if actor else "", "en", "viewer")
        url = f"ws://127.0.0.1:{port or gateway.port}/api/shows/{show_id}/live?ticket={Tickets().issue(caller)[0]}"
        socket = await connect(url, compression=None)
        sockets.append(socket)
        await socket.send(json.dumps({"type": "hello", "last_seq": last_seq}))
        return Viewer(socket, reduce_frame)

    yield open_socket
    for socket in sockets:
        await socket.close()


async def settled(db: Database, show_id: Any) -> int:
    """The number of the show's last event, once nothing waits to be projected."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with db.read() as read:
                if not await read.fetchval(
                    """select exists (select 1 from outbox o left join outbox_cursor c on c.listener = 'live'
                        where (o.xid, o.id) > (coalesce(c.xid, '0'::xid8), coalesce(c.id, 0)))"""
                ):
                    return await last_seq(read, show_id)
            await asyncio.sleep(0.01)


async def answered(page: Viewer, command: Message_) -> bool:
    return (await page.answer(command))["ok"]


def comparable(snapshot: Message_) -> Message_:
    """Without what moves by itself: the server's time, and the counts that `totals` carries."""
    show = {k: v for k, v in snapshot["show"].items() if k not in {"viewers", "likes"}}
    totals = {k: v for k, v in snapshot["totals"].items() if k not in {"viewers", "likes"}}
    return {**snapshot, "show": show, "totals": totals, "server_time": None}


async def goods(tx: Tx, person: Actor) -> catalog.ProductRecord:
    """A product in two colours, 20 of each on hand."""
    seller_id = ids.new()
    await tx.execute(
        "insert into seller (id, name, state, applied_by, created_at) values ($1, 'Teahouse', 'approved', $2, now())",
        seller_id, person.user_id,
    )  # fmt: skip
    variants = [catalog.VariantDraft(ids.new(), {"Colour": one}, 12_900) for one in ("Red", "Blue")]
    axes = [catalog.OptionAxis("Colour", ["Red", "Blue"])]
    draft = catalog.ProductDraft(ids.new(), "Teapot", variants, state=catalog.ProductState.active, options=axes)
    product = await catalog.create_product(tx, seller_id, draft, "CNY")
    await stock.receive(tx, [stock.OnHand(one.id, seller_id, 20) for one in variants])
    return product


async def v_tray(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    product = kept["product"]
    price = {product.variants[0].id: 9_900 - len(kept)}
    one = Listing(kept["listing"], show_id, product.id, product.seller_id, 1, 2, price)
    await rooms_actions.set_tray(tx, host, show_id, [one])


async def v_flash(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    sale = deals.NewFlashSale(
        id=ids.new(), listing_id=kept["listing"], variant_id=kept["product"].variants[0].id, price_amount=4_900,
        quota=10, released=4, countdown_seconds=300, duration_seconds=300,
    )  # fmt: skip
    kept["deal"] = await deals.publish_flash_sale(tx, host, show_id, sale)


async def v_release(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await deals.release_more(tx, host, kept["deal"].id, ids.new(), 3)


async def v_end_deal(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await deals.end_by_host(tx, host, kept["deal"].id)


Verb = Callable[[Tx, Actor, Any, dict[str, Any]], Awaitable[Any]]


async def v_say(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    (kept["said"],) = await say(tx, [Message(ids.new(), show_id, host.need_user(), host.name, "Welcome 大家好")])


async def v_delete(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await chat_actions.delete(tx, host, show_id, kept["said"].id, "spam")


async def v_mode(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await chat_actions.set_mode(tx, host, show_id, ChatMode(5, muted_all=True, banned_words=["fake"]))


async def v_pin(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    kept["pin"] = await rooms_actions.pin(tx, host, show_id, pin_id=ids.new(), listing_id=kept["listing"])


async def v_unpin(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await rooms_actions.unpin(tx, host, show_id, kept["pin"].id)


async def v_edit(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await rooms_actions.edit_show(tx, host, show_id, {"title": "Last hour", "ingest_delay_ms": 700})


async def v_end(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    await rooms_actions.end(tx, host, show_id)


async def v_replay(tx: Tx, host: Actor, show_id: Any, kept: dict[str, Any]) -> None:
    record = await rooms_actions.show(tx, show_id)
    await rooms_actions.stream_recorded(tx, show_id, record.stream_id, clock.now(), 5000)  # type: ignore[arg-type]


STORY: list[Verb] = [
    v_say, v_tray, v_pin, v_pin, v_flash, v_release, v_unpin, v_say, v_delete, v_tray, v_end_deal, v_mode, v_edit,
    v_pin, v_end, v_replay,
]  # fmt: skip


async def test_stale_snapshot_and_events_are_the_fresh_snapshot_for_every_verb(db, stage, enter) -> None:
    """After each verb three pages agree: one that read along, one that came back, and one that came anew."""
    host = await stage.host()
    show_id = await stage.show(host)
    kept: dict[str, Any] = {"listing": ids.new()}
    async with db.write() as tx:
        kept["product"] = await goods(tx, host)
    await settled(db, show_id)
    along = await enter(show_id)
    await along.read()
    for verb in STORY:
        stale = json.loads(json.dumps(along.state))
        await db.run(lambda tx, v=verb: v(tx, host, show_id, kept))
        seq = await settled(db, show_id)
        assert seq > stale["seq"], verb.__name__
        await along.read_to(seq)
        back = await enter(show_id, last_seq=stale["seq"])
        back.state = stale
        await back.read_to(seq)
        anew = await enter(show_id)
        await anew.read_to(seq)
        for page in (along, back):
            await agree(page, anew, verb.__name__)
        if anew.state["tray"]:  # what was just added is not sold out
            assert set(anew.state["totals"]["stock"]) == {str(one.id) for one in kept["product"].variants}, (
                verb.__name__
            )
    assert len(anew.state["tray"][0]["variants"]) == 2
    assert anew.state["deals"][0]["state"] == "cancelled"
    assert set(anew.state["totals"]["stock"].values()) == {20}


async def agree(page: Viewer, fresh: Viewer, after_what: str) -> None:
    """Both pages show the same; totals may be a tick behind the events."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while comparable(page.state) != comparable(fresh.state):
                await page.read()
    except TimeoutError:
        assert comparable(page.state) == comparable(fresh.state), after_what


async def test_the_picture_comes_and_goes_and_the_room_hears_it(db, stage, enter) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    page = await enter(show_id)
    await page.read_to(await settled(db, show_id))
    assert page.state["show"]["playback"]["hls_url"].startswith("http://127.0.0.1:")
    await stage.no_picture(show_id)
    await page.read_to(await settled(db, show_id))
    assert page.state["show"]["state"] == "interrupted"
    assert page.state["show"]["grace_until"] is not None
    await stage.picture(show_id)
    await page.read_to(await settled(db, show_id))
    assert (page.state["show"]["state"], page.state["show"]["grace_until"]) == ("live", None)
    with clock.travel(10):
        await stage.no_picture(show_id)
    with clock.travel(400):
        await jobs.end_past_grace(db)
    await page.read_to(await settled(db, show_id))
    assert page.state["show"]["state"] == "ended"


async def test_chat_over_the_socket_reaches_everyone_at_once(db, stage, enter) -> None:
    show_id, person = await stage.show(await stage.host()), await stage.person("Lin")
    writer, reader = await enter(show_id, person), await enter(show_id)
    await reader.read()
    command = {"type": "chat", "id": str(ids.new()), "text": "  is it\u0007 dishwasher   safe? "}
    answer = await writer.answer(command)
    assert answer["ok"] is True
    assert answer["result"]["text"] == "is it dishwasher safe?"
    again = await writer.answer(command)
    assert again["result"] == answer["result"]
    while not reader.state.get("chat"):
        await reader.read()
    assert reader.state["chat"][-1] == answer["result"]
    other = await writer.answer({**command, "text": "something else"})
    assert other["error"]["code"] == "id-reused"


async def test_the_signed_out_may_watch_and_like_but_not_talk(db, stage, enter) -> None:
    show_id = await stage.show(await stage.host())
    viewer = await enter(show_id)
    talk = await viewer.answer({"type": "chat", "id": str(ids.new()), "text": "hi"})
    assert talk["error"]["code"] == "sign-in-needed"
    like = {"type": "like", "id": str(ids.new()), "count": 7}
    assert (await viewer.answer(like))["result"] == {"likes": 7}
    assert (await viewer.answer(like))["result"] == {"likes": 7}, "the same likes again are not counted again"
    assert (await viewer.answer({**like, "id": str(ids.new()), "count": 51}))["ok"] is False


async def test_likes_and_viewers_are_kept(db, stage, enter, gateway) -> None:
    show_id = await stage.show(await stage.host())
    viewers = [await enter(show_id) for _ in range(3)]
    for viewer in viewers:
        await viewer.answer({"type": "like", "id": str(ids.new()), "count": 5})
    await gateway.audience.keep()
    await gateway.audience.keep()
    async with db.read() as read:
        record = (await store.shows(read, [show_id]))[show_id]
    assert (record.viewers, record.likes) == (3, 15)
    for viewer in viewers:
        await viewer.socket.close()
    await until(lambda: not gateway.channels.get(show_id).readers)
    await gateway.audience.keep()
    async with db.read() as read:
        assert (await store.shows(read, [show_id]))[show_id].viewers == 0


async def test_a_gateway_killed_between_commit_and_telling_loses_nothing(db, stage, enter, gateway) -> None:
    """What was numbered but never said is what a page asks for when it comes back, to any gateway."""
    show_id, host = await stage.show(await stage.host()), await stage.person()
    page = await enter(show_id, host)
    await page.read_to(await settled(db, show_id))

    async def deaf(_said: Any) -> None:
        raise ConnectionError("killed here")

    publish, gateway.bus.publish = gateway.bus.publish, deaf  # type: ignore[method-assign]
    for n in range(3):
        async with db.write() as tx:
            (answer,) = await say(tx, [Message(ids.new(), show_id, host.need_user(), host.name, f"lost {n}")])
            assert isinstance(answer, ChatMessage)
    seq = await settled(db, show_id)
    gateway.bus.publish = publish  # type: ignore[method-assign]
    known = page.state["seq"]
    second = Gateway(db)
    port = await second.start("127.0.0.1", 0)
    back = await enter(show_id, host, last_seq=known, port=port)
    back.state = page.state
    await back.read_to(seq)
    assert [one["text"] for one in back.state["chat"]] == ["lost 0", "lost 1", "lost 2"]
    await page.read_to(seq)
    assert page.state["chat"] == back.state["chat"], "and who stayed hears it a moment later"
    await second.close()
    async with db.read() as read:
        assert [event.seq for event in await after(read, show_id, 0, 100)] == list(range(1, seq + 1))


async def test_postgresql_is_killed_and_comes_back(tmp_path_factory, enter, stage) -> None:
    """Sockets stay open, commands are answered with a sentence, and afterwards everything goes on."""
    server = _own_postgres(tmp_path_factory)
    db = Database(server.dsn())
    gateway = Gateway(db)
    port = await gateway.start("127.0.0.1", 0)
    stage = type(stage)(db)
    try:
        show_id, person = await stage.show(await stage.host()), await stage.person()
        page = await enter(show_id, person, port=port)
        await page.read_to(await settled(db, show_id))
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        answer = await page.answer({"type": "chat", "id": str(ids.new()), "text": "anyone?"})
        assert answer["error"]["code"] == "unavailable"
        assert answer["error"]["detail"]
        answer = await page.answer({"type": "like", "id": str(ids.new()), "count": 1})
        assert answer["error"]["code"] == "unavailable", "what is answered is kept, and nothing can be kept now"
        late = await enter(show_id, port=port)
        assert (await late.read())["type"] == "snapshot", "who comes meanwhile sees the room as it was"
        await asyncio.to_thread(server.launch)
        text = {"type": "chat", "id": str(ids.new()), "text": "back"}
        await until(lambda: answered(page, text))
        for one in (page, late):
            while not one.state["chat"]:
                await one.read()
            assert one.state["chat"][-1]["text"] == "back"
    finally:
        await gateway.close()
        await db.close()
        server.stop()


def _own_postgres(factory: pytest.TempPathFactory) -> Postgres:
    folder = factory.mktemp("own")
    for parent in [folder, *list(folder.parents)[:3]]:
        if str(parent) != "/tmp":
            parent.chmod(0o755)
    server = Postgres(folder)
    server.start()
    try:
        migrate(server.dsn())
    except BaseException:
        server.stop()
        raise
    return server


async def test_a_bad_event_is_left_out_and_stops_no_other(db, stage, enter, gateway, monkeypatch) -> None:
    from livestall.chat import ChatSaid

    show_id, person = await stage.show(await stage.host()), await stage.person()
    page = await enter(show_id, person)
    await page.read_to(await settled(db, show_id))
    good = gateway.projector._projections[ChatSaid]

    async def picky(read: Any, batch: Any) -> Any:
        if any(one.event.message.text == "bad" for one in batch):
            raise ValueError("a bug in a projection")
        return await good(read, batch)

    monkeypatch.setattr(gateway.projector, "_projections", {**gateway.projector._projections, ChatSaid: picky})
    async with db.write() as tx:
        await say(tx, [Message(ids.new(), show_id, person.need_user(), "Lin", t) for t in ("one", "bad", "two")])
    while len(page.state["chat"]) < 2:
        await page.read()
    assert [one["text"] for one in page.state["chat"]] == ["one", "two"]
