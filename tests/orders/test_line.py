"""The line: served in the order of arrival, told a place that only gets better, and told one outcome each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from helpers.http import Http
from helpers.patience import PATIENCE_SECONDS
from helpers.shop import Shop, draft
from livestall import stock
from livestall.base import config, ids
from livestall.base.db import Tx
from livestall.base.errors import Refusal
from livestall.live import TooFast
from livestall.orders import Counter, Draft, Line, NewOrderLine, Placed, Settings, line
from livestall.orders.actions import place
from livestall.orders.desk import Prepared
from livestall.orders.model import LineTicket
from livestall.orders.model.refusals import DeviceTooFast, InLineAlready, LineFull

Verb = Callable[[Tx, Sequence[Draft], Prepared | None], Awaitable[list[Placed | Refusal]]]


class Gate:
    """The counter's work, held up until the test lets it go on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def verb(self, tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        await self.open.wait()
        return await place(tx, drafts, ready)


@contextmanager
def settings(**more: Any) -> Iterator[None]:
    """Everyone is told a place at once, unless said otherwise."""
    with config.override(Settings(**{"line_after": 0, **more})):
        yield


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if check():
                return
            await asyncio.sleep(0)


async def one(
    waits: Line, wish: Draft, heard: list[int] | None = None, told: list[UUID] | None = None
) -> Placed | BaseException:
    """Stand in line and wait; the places heard go into `heard`, the order's id into `told` once there is an answer."""
    tell = None if heard is None else lambda ticket: heard.append(ticket.place)
    try:
        return await waits.answer(waits.enter(wish), tell)
    except Refusal as refusal:
        return refusal
    finally:
        if told is not None:
            told.append(wish.order_id)


async def test_five_thousand_are_served_in_the_order_of_arrival_and_each_is_told_once(shop: Shop) -> None:
    tea, gate = await shop.product(3000), Gate()
    served: set[UUID] = set()
    told: list[UUID] = []

    async def verb(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        served.update(wish.order_id for wish in drafts)
        return await gate.verb(tx, drafts, ready)

    counter = Counter(shop.db, verb=verb)
    waits = Line(counter)
    wishes = [draft(tea.line()) for _ in range(5000)]
    places: list[list[int]] = [[] for _ in wishes]
    with settings(line_after=100):
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            both = zip(wishes, places, strict=True)
            tasks = [group.create_task(one(waits, wish, heard, told)) for wish, heard in both]
            await until(lambda: counter.ahead(wishes[0]) == 5000)
            gate.open.set()
    await counter.close()
    answers = [task.result() for task in tasks]
    assert [one for one in told if one in served] == [wish.order_id for wish in wishes if wish.order_id in served]
    assert served >= {wish.order_id for wish in wishes[:3000]}, "only who found nothing left may be told without a lock"
    assert [type(answer) for answer in answers] == [Placed] * 3000 + [stock.SoldOut] * 2000
    assert all(heard == sorted(set(heard), reverse=True) for heard in places), "a place only gets better"
    assert all(heard[:1] <= [100] for heard in places[:100]), "who came early hears of no late place"
    assert [heard[0] for heard in places[1000:]] == list(range(1001, 5001)), "the first place is that of arrival"
    assert await shop.pool(tea.variant) == (3000, 3000, 3000, 0)


async def test_places_fall_while_the_line_moves(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "TELL_SECONDS", 0.01)
    tea = await shop.product(35)
    turn = asyncio.Semaphore(0)

    async def slowly(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        await turn.acquire()
        return await place(tx, drafts, ready)

    counter = Counter(shop.db, batch_max=10, verb=slowly)
    waits, heard = Line(counter), list[LineTicket]()
    with settings():
        others = [asyncio.create_task(one(waits, draft(tea.line()))) for _ in range(30)]
        await asyncio.sleep(0)
        last = waits.enter(draft(tea.line()))
        answer = asyncio.create_task(waits.answer(last, heard.append))
        for before in (31, 21, 11):
            await until(lambda before=before: bool(heard) and heard[-1].place <= before)
            turn.release()
        turn.release()
        assert isinstance(await answer, Placed)
    await asyncio.gather(*others)
    await counter.close()
    assert [ticket.place for ticket in heard][:3] == [31, 21, 11]
    assert all(ticket.of >= ticket.place and ticket.about_seconds >= 1 for ticket in heard)


async def test_who_comes_back_with_the_same_order_finds_the_same_place(shop: Shop) -> None:
    tea, gate = await shop.product(5), Gate()
    counter = Counter(shop.db, verb=gate.verb)
    waits = Line(counter)
    wish = draft(tea.line())
    with settings():
        first = asyncio.create_task(one(waits, wish))
        await asyncio.sleep(0)
        behind = asyncio.create_task(one(waits, draft(tea.line())))
        await asyncio.sleep(0)
        first.cancel()  # the socket is gone; the claim is not
        again = waits.enter(wish)
        assert waits.ticket(again).place == 1
        gate.open.set()
        assert isinstance(await waits.answer(again), Placed)
        assert isinstance(await behind, Placed)
    await counter.close()
    assert await shop.pool(tea.variant) == (5, 5, 2, 0)


async def test_many_sockets_of_one_account_are_no_more_chances(shop: Shop) -> None:
    tea, gate, buyer = await shop.product(50), Gate(), ids.new()
    counter = Counter(shop.db, verb=gate.verb)
    waits = Line(counter)
    with settings(same_waiting_max=2):
        for _ in range(2):
            waits.enter(draft(tea.line(), buyer=buyer))
        with pytest.raises(InLineAlready):
            waits.enter(draft(tea.line(), buyer=buyer))
        other = await shop.product(1)
        last = waits.enter(draft(other.line(), buyer=buyer))
        gate.open.set()
        assert isinstance(await waits.answer(last), Placed), "another thing is another line"
        assert isinstance(await waits.answer(waits.enter(draft(tea.line(), buyer=buyer))), Placed), "room again"
    await counter.close()


async def test_a_full_line_says_when_to_come_back(shop: Shop) -> None:
    tea, gate = await shop.product(50), Gate()
    with settings(waiting_max=3, batch_max=1):
        counter = Counter(shop.db, verb=gate.verb)
        waits = Line(counter)
        tasks = [asyncio.create_task(one(waits, draft(tea.line()))) for _ in range(12)]
        await until(lambda: any(task.done() for task in tasks))
        gate.open.set()
        answers = await asyncio.gather(*tasks)
    await counter.close()
    full = [answer for answer in answers if isinstance(answer, LineFull)]
    placed = [answer for answer in answers if isinstance(answer, Placed)]
    assert full
    assert full[0].retry_after_seconds >= 1
    assert len(full) + len(placed) == 12
    assert await shop.pool(tea.variant) == (50, 50, len(placed), 0)


# ---------------------------------------------------------------- pace


async def test_an_account_and_a_device_have_their_pace(shop: Shop) -> None:
    tea = await shop.product(500)
    counter = Counter(shop.db)
    waits, buyer, device = Line(counter), ids.new(), ids.new()
    with settings(claims_per_second=0.01, claims_burst=3, device_claims_per_second=0.01, device_claims_burst=20):
        for _ in range(3):
            await waits.answer(waits.enter(draft(tea.line(), buyer=buyer)))
        with pytest.raises(TooFast) as slow:
            waits.enter(draft(tea.line(), buyer=buyer))
        assert 90 <= slow.value.retry_after_seconds <= 100
        found = [waits.enter(draft(tea.line()), device) for _ in range(20)]
        for _ in range(80):  # a script with a hundred accounts on one device
            with pytest.raises(DeviceTooFast):
                waits.enter(draft(tea.line()), device)
        assert len(await asyncio.gather(*(waits.answer(each) for each in found))) == 20
        await waits.answer(waits.enter(draft(tea.line()), ids.new()))
    await counter.close()


async def test_the_same_order_again_costs_no_pace_while_it_waits(shop: Shop) -> None:
    tea, gate = await shop.product(5), Gate()
    counter = Counter(shop.db, verb=gate.verb)
    waits = Line(counter)
    wish = draft(tea.line())
    with settings(claims_per_second=0.01, claims_burst=1):
        assert len({id(waits.enter(wish)) for _ in range(20)}) == 1
        gate.open.set()
        assert isinstance(await waits.answer(waits.enter(wish)), Placed)
    await counter.close()


# ---------------------------------------------------------------- by HTTP


async def test_an_order_by_http_that_waits_is_answered_with_its_place(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(1), await http.person()
    order = {"id": str(ids.new()), "lines": [{"variant_id": str(tea.variant), "quantity": 1}]}
    path = f"/api/orders/{order['id']}/place"
    assert (await http(buyer, "GET", path)).status_code == 404
    with settings(line_patience_seconds=0):
        async with shop.db.write() as tx:
            await tx.execute("select 1 from stock_pool where pool_id = $1 for update", tea.variant)
            answer = await http(buyer, "POST", "/api/orders", order)
            assert (answer.status_code, answer.headers["location"]) == (202, path)
            ticket = answer.json()
            assert (ticket["order_id"], ticket["place"], ticket["of"]) == (order["id"], 1, 1)
            waiting = (await http(buyer, "GET", path)).json()
            assert (waiting["state"], waiting["ticket"]["place"]) == ("waiting", 1)
            assert (await http(await http.person(), "GET", path)).status_code == 404, "my place is mine"
            second = {**order, "id": str(ids.new())}
            assert (await http(await http.person(), "POST", "/api/orders", second)).status_code == 202
            assert (await http(buyer, "POST", "/api/orders", order)).json()["place"] == 1, "the same claim"
        done = await outcome(http, buyer, path)
    assert (done["state"], done["order"]["id"]) == ("placed", order["id"])
    assert (await http(buyer, "POST", "/api/orders", order)).status_code == 200


async def test_who_asks_later_is_told_why_it_was_refused(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(0), await http.person()
    order = {"id": str(ids.new()), "lines": [{"variant_id": str(tea.variant), "quantity": 1}]}
    with settings(line_patience_seconds=0):
        assert (await http(buyer, "POST", "/api/orders", order)).status_code == 202
        done = await outcome(http, buyer, f"/api/orders/{order['id']}/place")
    assert (done["state"], done["refusal"]["code"]) == ("refused", "sold-out")
    assert (await http(buyer, "POST", "/api/orders", order)).json()["code"] == "sold-out", "and may try again"


async def outcome(http: Http, buyer: UUID, path: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await http(buyer, "GET", path)
            if found.status_code == 200 and found.json()["state"] != "waiting":
                return found.json()
            await asyncio.sleep(0.02)


async def test_too_fast_by_http_says_when(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(50), await http.person()
    with settings(claims_per_second=0.1, claims_burst=2):
        codes: list[int] = []
        for _ in range(3):
            body = {"id": str(ids.new()), "lines": [{"variant_id": str(tea.variant), "quantity": 1}]}
            answer = await http(buyer, "POST", "/api/orders", body)
            codes.append(answer.status_code)
    assert codes == [201, 201, 429]
    assert answer.json()["code"] == "too-fast"
    assert 1 <= int(answer.headers["retry-after"]) <= 10


def test_refusals_that_nobody_asks_for_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "REFUSALS_KEPT", 10)
    refused = line.Refused()
    wishes = [draft(NewOrderLine(ids.new(), 1)) for _ in range(30)]
    for wish in wishes:
        refused.keep(wish, stock.SoldOut())
        refused.forget()
    known = [refused.find(wish.order_id, wish.buyer_id) is not None for wish in wishes]
    assert known[-5:] == [True] * 5
    assert sum(known) <= 10
    assert refused.find(wishes[-1].order_id, ids.new()) is None, "only the buyer is told"
