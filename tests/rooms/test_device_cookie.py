"""The ticket of a room's socket gives a browser its device, once, and programs none."""

from __future__ import annotations

from helpers.http import application
from livestall.base import devices
from livestall.base.db import Database
from livestall.live import Tickets


async def test_a_browser_gets_one_device_and_keeps_it(db: Database, stage) -> None:  # type: ignore[no-untyped-def]
    show = await stage.show(await stage.host())
    async with application(db) as http:
        path = f"/api/shows/{show}/ticket"
        first = await http(None, "POST", path)
        cookie = first.cookies[devices.COOKIE]
        assert "HttpOnly" in first.headers["set-cookie"]
        assert "SameSite=lax" in first.headers["set-cookie"]
        device = devices.read(cookie)
        assert device is not None
        assert Tickets().read(first.json()["ticket"], show).device == device
        again = await http.client.post(path, headers={"Cookie": f"{devices.COOKIE}={cookie}"})
        assert devices.COOKIE not in again.cookies
        assert Tickets().read(again.json()["ticket"], show).device == device
        forged = await http.client.post(path, headers={"Cookie": f"{devices.COOKIE}={cookie[:-1]}0x"})
        assert devices.read(forged.cookies[devices.COOKIE]) != device
