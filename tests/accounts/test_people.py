"""Getting in, over HTTP: sign up, sign in, limits, tokens, channels, sellers, the first run."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from livestall import accounts
from livestall.accounts import Settings
from livestall.app.main import create_app
from livestall.base import clock, config, ids
from livestall.base.db import Database

PASSWORD = "right horse battery"


@pytest.fixture
def visitor(db: Database) -> Any:
    app = create_app(db)

    def new(address: str = "192.0.2.1", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 5000))
        return httpx.AsyncClient(transport=transport, base_url="http://market.test", headers=headers)

    return new


@pytest.fixture
async def ana(visitor: Any) -> httpx.AsyncClient:
    client = visitor()
    assert (await sign_up(client, "ana@example.com")).status_code == 201
    return client


async def sign_up(client: httpx.AsyncClient, login: str, **changes: object) -> httpx.Response:
    body = {"id": str(ids.new()), "login": login, "password": PASSWORD, "name": "Ana", **changes}
    return await client.post("/api/sign-up", json=body)


async def sign_in(client: httpx.AsyncClient, login: str, password: str) -> httpx.Response:
    return await client.post("/api/sign-in", json={"login": login, "password": password})


async def test_nobody_is_told_that_they_are_nobody(visitor: Any) -> None:
    me = (await visitor().get("/api/me")).json()
    assert (me["user"], me["first_run"], me["market"]["currency"]) == (None, True, "CNY")


async def test_a_person_signs_up_out_and_in_again(visitor: Any, ana: httpx.AsyncClient) -> None:
    assert (await ana.get("/api/me")).json()["user"]["login"] == "ana@example.com"
    await ana.post("/api/sign-out")
    assert (await ana.get("/api/me")).json()["user"] is None
    again = await sign_in(ana, " ANA@Example.com ", PASSWORD)
    cookie = again.headers["set-cookie"]
    assert again.status_code == 200
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_signing_up_twice_with_the_same_id_is_once_and_other_contents_are_refused(visitor: Any) -> None:
    same = str(ids.new())
    assert (await sign_up(visitor(), "139 1234 5678", id=same)).status_code == 201
    again = await sign_up(visitor(), "+86-139-1234-5678", id=same)
    assert (again.status_code, again.json()["user"]["login"]) == (201, "+8613912345678")
    stolen = await sign_up(visitor(), "13912345678", id=same, password="a wrong guess")
    assert (stolen.status_code, stolen.json()["code"]) == (409, "id-reused")
    assert "set-cookie" not in stolen.headers
    assert (await sign_up(visitor(), "13912345678")).json()["code"] == "login-taken"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"login": "nobody"}, 422, "bad-login"),
        ({"login": "a@b"}, 422, "bad-login"),
        ({"login": "a\x00@example.com"}, 422, "bad-login"),
        ({"password": "short"}, 422, "weak-password"),
        ({"password": "password123"}, 422, "weak-password"),
        ({"password": "x" * 900}, 422, "weak-password"),
        ({"name": "  "}, 422, "invalid"),
        ({"name": "x" * 81}, 422, "invalid"),
        ({"name": "a\x00b"}, 422, "invalid"),
        ({"id": "17"}, 422, "invalid"),
    ],
)
async def test_bad_input_is_refused(visitor: Any, changes: dict[str, str], status: int, code: str) -> None:
    answer = await sign_up(visitor(), **{"login": "eve@example.com", **changes})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_wrong_password_and_an_unknown_login_answer_alike_and_soon_must_wait(
    visitor: Any, ana: httpx.AsyncClient
) -> None:
    for login in ("ana@example.com", "unknown@example.com"):
        answers = [await sign_in(visitor("192.0.2.7"), login, "wrong") for _ in range(6)]
        assert [one.json()["code"] for one in answers] == ["wrong-login"] * 5 + ["too-many"]
        assert 0 < int(answers[5].headers["retry-after"]) <= 900
    assert (await sign_in(visitor("192.0.2.8"), "ana@example.com", PASSWORD)).status_code == 429
    with clock.travel(901):
        assert (await sign_in(visitor("192.0.2.8"), "ana@example.com", PASSWORD)).status_code == 200


async def test_an_address_that_tries_many_accounts_must_wait_and_success_does_not_count(
    visitor: Any, ana: httpx.AsyncClient
) -> None:
    with config.override(Settings(attempts_per_address=3)):
        for _ in range(5):
            assert (await sign_in(visitor(), "ana@example.com", PASSWORD)).status_code == 200
        codes = [(await sign_in(visitor(), f"a{n}@example.com", "wrong")).status_code for n in range(4)]
        assert codes == [401, 401, 401, 429]
        assert (await sign_in(visitor("198.51.100.9"), "ana@example.com", PASSWORD)).status_code == 200


async def test_a_session_ends_after_thirty_days_unused_but_not_while_it_is_used(ana: httpx.AsyncClient) -> None:
    day = 24 * 3600
    for days in (20, 40, 60):
        with clock.travel(days * day):
            assert (await ana.get("/api/me")).json()["user"] is not None
    with clock.travel(91 * day):
        assert (await ana.get("/api/me")).json()["user"] is None


async def test_a_page_of_another_site_cannot_act_for_me(ana: httpx.AsyncClient) -> None:
    for headers in ({"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = await ana.patch("/api/me", json={"name": "Eve"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "other-origin")
    good = await ana.patch("/api/me", json={"name": "Anna", "locale": "zh"}, headers={"Origin": "http://market.test"})
    assert (good.json()["user"]["name"], good.json()["user"]["locale"]) == ("Anna", "zh")


async def test_a_token_does_what_its_scopes_say_and_no_more(visitor: Any, ana: httpx.AsyncClient) -> None:
    body = {"id": str(ids.new()), "name": "Bot", "scopes": ["profile:write"]}
    secret = (await ana.post("/api/me/tokens", json=body)).json()["secret"]
    assert (await ana.post("/api/me/tokens", json=body)).json()["secret"] is None
    bot = visitor(Authorization=f"Bearer {secret}")
    assert (await bot.patch("/api/me", json={"name": "Robot"})).status_code == 200
    assert (await bot.get("/api/me/tokens")).json()["code"] == "session-needed"
    weak = {"id": str(ids.new()), "name": "Reader", "scopes": ["orders:read"]}
    reader = visitor(Authorization=f"Bearer {(await ana.post('/api/me/tokens', json=weak)).json()['secret']}")
    assert (await reader.patch("/api/me", json={"name": "X"})).json()["code"] == "scope-needed"
    listed = (await ana.get("/api/me/tokens")).json()
    assert [(one["name"], one["secret"]) for one in listed] == [("Bot", None), ("Reader", None)]
    await ana.delete(f"/api/me/tokens/{body['id']}")
    assert (await bot.get("/api/me")).status_code == 401


async def test_a_channel_is_opened_once_and_followed_once(visitor: Any, ana: httpx.AsyncClient) -> None:
    body = {"id": str(ids.new()), "name": "Ana live", "bio": "Shirts"}
    assert (await visitor().post("/api/me/creator", json=body)).status_code == 401
    for _ in range(2):
        assert (await ana.post("/api/me/creator", json=body)).status_code == 201
    other = await ana.post("/api/me/creator", json={**body, "id": str(ids.new())})
    assert other.json()["code"] == "channel-exists"
    ben = visitor()
    await sign_up(ben, "ben@example.com")
    for _ in range(2):
        assert (await ben.post(f"/api/creators/{body['id']}/follow")).status_code == 204
    seen = (await ben.get(f"/api/creators/{body['id']}")).json()
    assert (seen["followers"], seen["following"]) == (1, True)
    await ben.delete(f"/api/creators/{body['id']}/follow")
    assert (await visitor().get(f"/api/creators/{body['id']}")).json()["followers"] == 0
    assert (await ben.post(f"/api/creators/{ids.new()}/follow")).status_code == 404


async def test_the_operator_comes_by_the_one_time_link_and_approves_a_seller(
    visitor: Any, ana: httpx.AsyncClient, db: Database
) -> None:
    async with db.write() as tx:
        old = await accounts.offer_first_run(tx)
        token = await accounts.offer_first_run(tx)
    body = {
        "token": old, "id": str(ids.new()), "login": "op@example.com", "password": PASSWORD, "name": "Op",
        "market_name": "Harbour", "currency": "EUR",
    }  # fmt: skip
    boss = visitor()
    assert (await boss.post("/api/first-run", json=body)).json()["code"] == "first-run-over"
    assert (await boss.post("/api/first-run", json={**body, "token": token, "currency": "QQQ"})).status_code == 422
    me = (await boss.post("/api/first-run", json={**body, "token": token})).json()
    assert (me["is_operator"], me["market"], me["first_run"]) == (True, {"name": "Harbour", "currency": "EUR"}, False)
    again = {**body, "token": token, "id": str(ids.new()), "login": "op2@example.com"}
    assert (await visitor().post("/api/first-run", json=again)).status_code == 409
    async with db.write() as tx:
        assert await accounts.offer_first_run(tx) is None

    seller = {"id": str(ids.new()), "name": "Ana's shirts"}
    assert (await ana.post("/api/sellers", json=seller)).json()["state"] == "applied"
    members = f"/api/sellers/{seller['id']}/members"
    assert (await ana.post(members, json={"login": "op@example.com"})).json()["code"] == "seller-not-approved"
    assert (await ana.post(f"/api/operator/sellers/{seller['id']}/approve")).status_code == 403
    assert (await boss.post(f"/api/operator/sellers/{seller['id']}/approve")).json()["state"] == "approved"
    assert len((await boss.get("/api/operator/sellers")).json()["items"]) == 1
    assert (await ana.post(members, json={"login": "op@example.com"})).status_code == 201
    assert (await ana.post(members, json={"login": "no@example.com"})).json()["code"] == "no-such-person"
    ben = visitor()
    user = (await sign_up(ben, "ben@example.com")).json()["user"]
    assert (await ben.get(members)).status_code == 403
    assert (await ana.delete(f"{members}/{user['id']}")).status_code == 204


async def test_a_new_password_ends_the_other_sessions(visitor: Any, ana: httpx.AsyncClient) -> None:
    phone = visitor()
    await sign_in(phone, "ana@example.com", PASSWORD)
    change = {"old_password": PASSWORD, "new_password": "another long one"}
    wrong = await ana.post("/api/me/password", json={**change, "old_password": "no"})
    assert wrong.json()["code"] == "wrong-login"
    assert (await ana.post("/api/me/password", json=change)).status_code == 200
    assert (await phone.get("/api/me")).json()["user"] is None
    assert (await ana.get("/api/me")).json()["user"] is not None
    assert (await sign_in(phone, "ana@example.com", "another long one")).status_code == 200
