"""Rooms over HTTP: from the plan to the feed, and who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from livestall import accounts, catalog, chat
from livestall.app.addresses import addresses_of
from livestall.app.main import create_app
from livestall.base import config, ids
from livestall.live import Tickets

SOMETHING = "01990000-0000-7000-8000-000000000001"
"""Written out: both workers must collect the same names."""


@pytest.fixture
async def http(db) -> AsyncIterator[Any]:
    """`await http(actor, "POST", path, body)` → the response."""
    app = create_app(db)
    cookies: dict[Any, str] = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example:8000") as client:

        async def call(actor: Any, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
            headers = {"Origin": "http://shop.example:8000", **options}
            if actor is not None:
                if actor.user_id not in cookies:
                    async with db.write() as tx:
                        cookies[actor.user_id] = await accounts.open_session(tx, actor.user_id)
                headers["Cookie"] = f"livestall_session={cookies[actor.user_id]}"
            return await client.request(method, path, json=body, headers=headers)

        yield call


async def teapot(db: Any, person: Any) -> catalog.ProductRecord:
    seller_id = ids.new()
    async with db.write() as tx:
        await tx.execute(
            "insert into seller (id, name, state, applied_by, created_at) values ($1, 'Tea', 'approved', $2, now())",
            seller_id, person.user_id,
        )  # fmt: skip
        draft = catalog.ProductDraft(
            ids.new(), "Teapot", [catalog.VariantDraft(ids.new(), {}, 12_900)], state=catalog.ProductState.active
        )
        return await catalog.create_product(tx, seller_id, draft, "CNY")


async def test_a_show_from_the_plan_to_the_feed(db, stage, http) -> None:
    host = await stage.host()
    product = await teapot(db, host)
    show_id, listing_id = str(ids.new()), str(ids.new())
    planned = await http(host, "POST", "/api/shows", {"id": show_id, "title": "Teapots"})
    assert planned.status_code == 201, planned.text
    assert (planned.json()["state"], planned.json()["role"], planned.json()["playback"]) == ("draft", "host", None)
    assert (await http(None, "GET", f"/api/shows/{show_id}")).status_code == 404, "a draft is its staff's"

    item = {"listing_id": listing_id, "product_id": str(product.id), "per_buyer": 2}
    item["show_price_amounts"] = {str(product.variants[0].id): 9_900}
    tray = await http(host, "PUT", f"/api/shows/{show_id}/tray", {"items": [item]})
    assert tray.status_code == 200, tray.text
    (variant,) = tray.json()[0]["variants"]
    assert (variant["price"]["amount"], variant["list_price"]["amount"]) == (9_900, 12_900)

    ingest = (await http(host, "GET", f"/api/shows/{show_id}/ingest")).json()
    assert ingest["rtmp_server"] == "rtmp://shop.example:1935/live"
    assert ingest["whip_url"].startswith("http://shop.example:8002/media/")
    rotated = (await http(host, "POST", f"/api/shows/{show_id}/ingest/rotate")).json()
    assert rotated["rtmp_key"] != ingest["rtmp_key"]

    refused = await http(host, "POST", f"/api/shows/{show_id}/go-live", **{"Accept-Language": "zh"})
    assert (refused.status_code, refused.json()["code"]) == (409, "no-stream")
    assert "画面" in refused.json()["detail"]
    await stage.picture(UUID(show_id))
    preview = (await http(host, "POST", f"/api/shows/{show_id}/preview")).json()
    assert preview["playback"]["whep_url"], "the host sees the preview"
    assert (await http(None, "GET", f"/api/shows/{show_id}")).json()["playback"] is None, "the audience does not yet"
    assert (await http(host, "POST", f"/api/shows/{show_id}/go-live")).json()["state"] == "live"

    pin = await http(host, "POST", f"/api/shows/{show_id}/pins", {"id": str(ids.new()), "listing_id": listing_id})
    assert pin.status_code == 201, pin.text
    (card,) = (await http(None, "GET", "/api/shows?state=live")).json()["items"]
    assert card["playback"]["hls_url"].startswith("http://shop.example:8002/media/")
    assert card["live_url"] == f"ws://shop.example:8001/api/shows/{show_id}/live"
    assert (card["pinned"]["title"], card["pinned"]["price"]["amount"]) == ("Teapot", 9_900)

    snapshot = (await http(None, "GET", f"/api/shows/{show_id}/snapshot")).json()
    assert snapshot["pins"][0]["id"] == pin.json()["id"]
    assert snapshot["show"]["role"] == "viewer"
    numbers = await http(host, "GET", f"/api/shows/{show_id}/numbers")
    assert numbers.json()["totals"]["money"] == {"amount": 0, "currency": "CNY"}
    assert (await http(host, "DELETE", f"/api/shows/{show_id}/pins/{pin.json()['id']}")).status_code == 204
    assert (await http(host, "POST", f"/api/shows/{show_id}/end")).json()["state"] == "ended"
    assert (await http(None, "GET", "/api/shows?state=live")).json()["items"] == []


async def test_a_ticket_opens_one_show_for_one_person(stage, http) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    for actor, role, person in [(host, "host", host.user_id), (None, "viewer", None)]:
        made = await http(actor, "POST", f"/api/shows/{show_id}/ticket")
        assert made.status_code == 201, made.text
        caller = Tickets().read(made.json()["ticket"], show_id)
        assert (caller.role, caller.person) == (role, person)
        assert made.json()["url"] == f"ws://shop.example:8001/api/shows/{show_id}/live"
    assert (await http(None, "POST", f"/api/shows/{ids.new()}/ticket")).status_code == 404


STAFF_ONLY = [
    ("PATCH", "", {"title": "x"}), ("PUT", "/tray", {"items": []}), ("GET", "/ingest", None),
    ("POST", "/ingest/rotate", None), ("POST", "/preview", None), ("POST", "/go-live", None), ("POST", "/end", None),
    ("POST", "/pins", {"id": str(ids.new()), "listing_id": str(ids.new())}), ("DELETE", f"/pins/{SOMETHING}", None),
    ("GET", "/staff", None), ("PUT", "/staff", {"login": "a@b.example", "role": "moderator"}),
    ("GET", "/numbers", None),
    ("PUT", "/chat-mode", {"slow_seconds": 5}), ("DELETE", f"/mutes/{SOMETHING}", None),
    ("POST", "/mutes", {"id": str(ids.new()), "user_id": str(ids.new()), "seconds": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), STAFF_ONLY)
async def test_only_the_staff_of_a_show_runs_it(stage, http, method: str, path: str, body: Any) -> None:
    show_id = await stage.show(await stage.host())
    for actor, status in [(None, 401), (await stage.person(), 403), (await stage.host("Other"), 403)]:
        answer = await http(actor, method, f"/api/shows/{show_id}{path}", body)
        assert answer.status_code in ({status} if path != "/staff" or method != "PUT" else {status, 404}), answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/shows", {"id": "x", "title": "t"}),
        ("/api/shows", {"id": str(ids.new()), "title": ""}),
        ("/api/shows", {"id": str(ids.new()), "title": "x" * 121}),
        ("/api/shows", {"id": str(ids.new()), "title": "t", "mode": "turbo"}),
        ("/api/shows", {"id": str(ids.new()), "title": "t", "surprise": 1}),
    ],
)
async def test_bad_input_is_refused_with_a_reason(stage, http, path: str, body: Any) -> None:
    answer = await http(await stage.host(), "POST", path, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


async def test_a_broken_cursor_and_a_strange_host(stage, http) -> None:
    assert (await http(None, "GET", "/api/shows?cursor=%00%ff")).status_code == 422
    show_id = await stage.show(await stage.host())
    odd = await http(None, "GET", f"/api/shows/{show_id}", Host='evil"><script>')
    assert odd.status_code == 400


@pytest.mark.parametrize(
    ("host", "live"),
    [
        ("shop.example:8000", "ws://shop.example:8001"), ("192.0.2.7", "ws://192.0.2.7:8001"),
        ("[2001:db8::1]:8000", "ws://[2001:db8::1]:8001"), ('evil"/', "ws://localhost:8001"), ("", "ws://localhost:8001"),
    ],
)  # fmt: skip
def test_addresses_come_from_the_host_name_and_from_nothing_else(host: str, live: str) -> None:
    assert addresses_of(host, secure=False).live == live


async def test_helpers_are_named_by_their_login(db, stage, http) -> None:
    host, helper = await stage.host(), await stage.person("Bo")
    show_id = await stage.show(host)
    login = f"{helper.user_id}@example.test"
    added = await http(host, "PUT", f"/api/shows/{show_id}/staff", {"login": login, "role": "moderator"})
    assert {one["name"]: one["role"] for one in added.json()} == {"Mei": "host", "Bo": "moderator"}
    assert (await http(helper, "PUT", f"/api/shows/{show_id}/chat-mode", {"slow_seconds": 5})).status_code == 200
    assert (await http(host, "DELETE", f"/api/shows/{show_id}/staff", {"login": login})).status_code == 204
    assert (await http(helper, "PUT", f"/api/shows/{show_id}/chat-mode", {"slow_seconds": 0})).status_code == 403


async def test_chat_over_http(stage, http) -> None:
    host, who = await stage.host(), await stage.person("Lin")
    show_id = await stage.show(host)
    url = f"/api/shows/{show_id}/chat"
    body = {"id": str(ids.new()), "text": "hi"}
    assert (await http(None, "POST", url, body)).status_code == 401
    said = await http(who, "POST", url, body)
    assert (said.status_code, said.json()["text"], said.json()["name"]) == (201, "hi", "Lin")
    assert (await http(who, "POST", url, {**body, "text": "other"})).json()["code"] == "id-reused"
    with config.override(chat.Settings(seconds_per_message=60)):  # nobody earns a fourth meanwhile
        for _ in range(2):
            await http(who, "POST", url, {"id": str(ids.new()), "text": "more"})
        fast = await http(who, "POST", url, {"id": str(ids.new()), "text": "more"})
    assert (fast.status_code, fast.json()["code"]) == (429, "too-quick")
    assert int(fast.headers["Retry-After"]) >= 1
    assert len((await http(None, "GET", url)).json()["items"]) == 3
    after = (await http(None, "GET", f"{url}?after_stream_at=2999-01-01T00:00:00Z")).json()
    assert after["items"] == []
    assert (await http(host, "DELETE", f"{url}/{body['id']}")).status_code == 204
    assert len((await http(None, "GET", url)).json()["items"]) == 2


async def test_the_feed_of_whom_i_follow(stage, http) -> None:
    followed, other, viewer = await stage.host(), await stage.host(), await stage.person()
    shows = {}
    for host in (followed, other):
        body = {"id": str(ids.new()), "title": "Teapots", "planned_at": "2199-01-01T20:00:00Z"}
        answer = await http(host, "POST", "/api/shows", body)
        assert answer.status_code == 201, answer.text
        shows[host.user_id] = answer.json()

    async def feed(query: str = "") -> list[str]:
        answer = await http(viewer, "GET", f"/api/shows?following=true{query}")
        assert answer.status_code == 200, answer.text
        return [card["id"] for card in answer.json()["items"]]

    assert await feed() == [], "whoever follows nobody has an empty feed, not everybody's"
    mine, others = shows[followed.user_id], shows[other.user_id]
    await http(viewer, "POST", f"/api/creators/{mine['creator']['id']}/follow")
    assert await feed() == await feed("&state=scheduled") == [mine["id"]]
    assert await feed("&state=live") == []
    assert await feed(f"&creator_id={mine['creator']['id']}") == [mine["id"]]
    assert await feed(f"&creator_id={others['creator']['id']}") == []
    refused = await http(None, "GET", "/api/shows?following=true")
    assert (refused.status_code, refused.json()["code"]) == (401, "sign-in-needed")
