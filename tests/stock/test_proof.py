"""The proof over HTTP, and `livestall stock check` as an operator types it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any
from uuid import UUID

import msgspec
import pytest

from helpers.http import Http
from helpers.patience import PATIENCE_SECONDS, until
from helpers.shop import Shop, draft
from livestall.app import proof
from livestall.base import ids
from livestall.base.errors import Unavailable


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> proof.Proofs:
    proofs = proof.Proofs()
    monkeypatch.setattr(proof, "PROOFS", proofs)
    return proofs


async def ask(http: Http, query: str = "", who: UUID | None = None) -> dict[str, Any]:
    answer = await http(who, "GET", f"/api/proof/stock{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_anyone_may_check_what_a_show_sells(shop: Shop, http: Http) -> None:
    tea, cup = await shop.product(20), await shop.product(8)
    deal = await shop.flash(tea, quota=5)
    placed = await shop.place(draft(cup.line(2)), draft(cup.line(3)))
    await shop.pay(placed[0])  # pyright: ignore[reportArgumentType]
    whole = await ask(http)
    assert whole["drift"] == 0
    assert {one["pool_id"] for one in whole["items"]} == {str(tea.variant), str(cup.variant), str(deal.id)}
    (one,) = (await ask(http, f"?variant={cup.variant}"))["items"]
    assert (one["on_hand"], one["open"], one["held"], one["sold"], one["left"]) == (8, 8, 3, 2, 3)
    assert (one["open_holds"], one["open_orders"], one["posted_holds"], one["drift"]) == (3, 1, 2, 0)
    assert {name: one["movements"][name] for name in ("on_hand", "open", "held", "sold")} == {
        "on_hand": 8, "open": 8, "held": 3, "sold": 2,
    }  # fmt: skip
    (flash,) = (await ask(http, f"?deal={deal.id}"))["items"]
    assert (flash["kind"], flash["deal_id"], flash["variant_id"]) == ("flash", str(deal.id), str(tea.variant))
    assert (flash["on_hand"], flash["title"]) == (5, "Green tea")
    assert len((await ask(http, f"?show={shop.show}"))["items"]) == 3
    assert (await ask(http, f"?show={ids.new()}"))["items"] == []


async def test_what_is_on_sale_in_no_show_is_its_sellers_matter(shop: Shop, http: Http) -> None:
    tea = await shop.product(20)
    async with shop.db.write() as tx:
        await tx.execute("update listing set slot = null where id = $1", tea.listing)
        await tx.execute(
            "insert into seller_member (seller_id, user_id, added_at) values ($1, $2, now())", shop.seller, shop.host
        )
        stranger = ids.new()
        await shop.person(tx, stranger)
    query = f"?variant={tea.variant}"
    for who in (None, stranger):
        assert (await ask(http, query, who))["items"] == []
    answer = await http(shop.host, "GET", f"/api/proof/stock{query}")
    assert answer.json()["items"][0]["on_hand"] == 20
    assert "no-store" in answer.headers["cache-control"]
    assert (await ask(http, query))["items"] == [], "and what they were shown is not kept for others"


NOT_OFFERED = {
    "the show is over": "update show set state = 'ended', ended_at = now()",
    "the show has not begun": "update show set state = 'scheduled'",
    "the flash sale is over": "update deal set state = 'ended'",
    "the product is withdrawn": "update product set state = 'archived'",
    "the variant is removed": "update variant set removed_at = now()",
}


@pytest.mark.parametrize("why", NOT_OFFERED)
async def test_strangers_are_shown_what_can_be_bought_now_and_nothing_else(shop: Shop, http: Http, why: str) -> None:
    tea, cup = await shop.product(20), await shop.product(8)
    deal, ordinary = await shop.flash(tea, quota=5), {str(tea.variant), str(cup.variant)}
    async with shop.db.write() as tx:
        await tx.execute(NOT_OFFERED[why])
    shown = {one["pool_id"] for one in (await ask(http))["items"]}
    match why:
        case "the flash sale is over":
            assert shown == ordinary
        case "the product is withdrawn" | "the variant is removed":
            assert not shown & ordinary
        case _:
            assert not shown
    for query in (f"?variant={cup.variant}", f"?deal={deal.id}", f"?show={shop.show}"):
        assert {one["pool_id"] for one in (await ask(http, query))["items"]} <= shown


async def test_pages_are_bounded_and_follow_one_another(shop: Shop, http: Http, monkeypatch: Any) -> None:
    monkeypatch.setattr(proof, "POOLS", 2)
    wanted = {str((await shop.product(3)).variant) for _ in range(5)}
    seen: list[str] = []
    query = ""
    while True:
        page = await ask(http, query)
        assert len(page["items"]) <= 2
        seen += [one["pool_id"] for one in page["items"]]
        if page["next"] is None:
            break
        query = f"?cursor={page['next']}"
    assert (len(seen), set(seen)) == (5, wanted)
    assert (await http(None, "GET", "/api/proof/stock?cursor=nonsense")).status_code == 422


async def test_thousands_who_ask_cost_one_check_a_second(
    shop: Shop, http: Http, fresh: proof.Proofs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.product(3)
    assert proof.KEPT_SECONDS == 1
    monkeypatch.setattr(proof, "KEPT_SECONDS", PATIENCE_SECONDS)  # so long may the second last here
    answers = await asyncio.gather(*(ask(http) for _ in range(300)))
    assert (fresh.checks, len({one["checked_at"] for one in answers})) == (1, 1)
    monkeypatch.setattr(proof, "KEPT_SECONDS", 0)
    other = proof.Proofs()
    monkeypatch.setattr(proof, "PROOFS", other)
    first = (await ask(http))["checked_at"]
    assert first != answers[0]["checked_at"]

    async def another() -> bool:
        return (await ask(http))["checked_at"] != first

    await until(another, what="a check after the next second")


async def test_many_different_questions_take_turns_and_too_many_are_sent_away(fresh: proof.Proofs) -> None:
    running = most = 0

    async def check() -> proof.StockProof:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return proof.StockProof(proof.datetime.now(), 0, [])

    asking = [fresh.ask(proof.Question(ids.new(), None, None, None), check) for _ in range(proof.KEPT_MAX + 5)]
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(one, Unavailable) for one in answers) == 5
    assert most == 1


async def test_drift_shows_at_once(shop: Shop, http: Http) -> None:
    tea = await shop.product(20)
    async with shop.db.write() as tx:
        await tx.execute("update stock_pool set held = held + 2 where pool_id = $1", tea.variant)
    found = await ask(http)
    assert (found["drift"], found["items"][0]["drift"], found["items"][0]["open_holds"]) == (2, 2, 0)


def check(dsn: str, *flags: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIVESTALL_")}
    done = subprocess.run(
        [sys.executable, "-m", "livestall.app.cli", "stock", "check", *flags],
        env={**environment, "LIVESTALL_DATABASE_URL": dsn}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


async def test_stock_check_finds_drift_repairs_it_and_is_content(shop: Shop, dsn: str) -> None:
    tea = await shop.product(20)
    assert await asyncio.to_thread(check, dsn) == (
        0, "1 pools checked: every number is what its holds and movements say. Drift 0.\n",
    )  # fmt: skip
    async with shop.db.write() as tx:
        await tx.execute("update stock_pool set held = held + 2 where pool_id = $1", tea.variant)
    code, said = await asyncio.to_thread(check, dsn)
    assert code == 1
    assert "held says 2, its open holds add up to 0" in said
    assert "--repair" in said
    code, said = await asyncio.to_thread(check, dsn, "--repair")
    assert (code, "held 2 → 0" in said) == (0, True), said
    code, said = await asyncio.to_thread(check, dsn, "--json")
    document = msgspec.json.decode(said)
    assert (code, document["drift_units"], document["drifting"], document["left"]) == (0, 0, [], 0)


async def test_stock_check_says_what_it_could_not_repair(shop: Shop, dsn: str) -> None:
    tea = await shop.product(5)
    async with shop.db.write() as tx:
        await tx.execute(
            """insert into stock_hold (order_id, line_no, seller_id, pool_id, variant_id, holder_id, quantity)
               values ($1, 1, $2, $3, $3, $1, 6)""", ids.new(), shop.seller, tea.variant,
        )  # fmt: skip
    code, said = await asyncio.to_thread(check, dsn, "--repair")
    assert code == 1
    assert "was not touched: 6 held" in said


def test_stock_check_without_a_database_says_what_to_do() -> None:
    code, said = check("postgresql://livestall@127.0.0.1:1/none")
    assert (code, "does not answer" in said) == (2, True)
