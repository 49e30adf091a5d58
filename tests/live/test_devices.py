"""A device is a signed cookie that the ticket of a socket carries; a forged one is nobody's."""

from __future__ import annotations

import jwt
import pytest

from livestall.base import clock, devices, ids, keys
from livestall.live import Caller, Tickets
from livestall.live.model import TicketExpired, WrongTicket


def caller(device: object = None) -> Caller:
    return Caller(ids.new(), ids.new(), "Ann", "en", "viewer", device)  # type: ignore[arg-type]


def test_a_ticket_carries_the_device() -> None:
    for one in (caller(ids.new()), caller()):
        ticket, _ = Tickets().issue(one)
        assert Tickets().read(ticket, one.channel) == one


def test_a_ticket_of_before_devices_is_still_read() -> None:
    claims = {
        "aud": "livestall-socket",
        "exp": 4e9,
        "channel": str(ids.new()),
        "person": None,
        "name": "",
        "locale": "en",
    }
    ticket = jwt.encode({**claims, "role": "viewer"}, keys.sign("ticket-key", "livestall-socket"), algorithm="HS256")
    found = Tickets().read(ticket, ids.parse(str(claims["channel"])))
    assert (found.device, found.role) == (None, "viewer")


@pytest.mark.parametrize("wrong", ["other-show", "other-device", "cut", "other-key"])
def test_a_ticket_with_a_forged_device_or_of_another_show_is_refused(wrong: str) -> None:
    one = caller(ids.new())
    ticket, _ = Tickets().issue(one)
    channel = one.channel
    claims = jwt.decode(ticket, options={"verify_signature": False})
    if wrong == "other-show":
        channel = ids.new()
    elif wrong == "other-device":
        header, _, signature = ticket.split(".")
        body = jwt.encode({**claims, "device": str(ids.new())}, "x" * 64, algorithm="HS256").split(".")[1]
        ticket = f"{header}.{body}.{signature}"
    elif wrong == "cut":
        ticket = ticket[:-4]
    else:
        ticket = jwt.encode(claims, "y" * 64, algorithm="HS256")
    with pytest.raises(WrongTicket):
        Tickets().read(ticket, channel)


def test_a_ticket_with_a_device_expires_like_any_other() -> None:
    one = caller(ids.new())
    ticket, _ = Tickets().issue(one)
    with clock.travel(61), pytest.raises(TicketExpired):
        Tickets().read(ticket, one.channel)


def test_only_a_cookie_of_ours_names_a_device() -> None:
    device, other = ids.new(), ids.new()
    good = devices.mint(device)
    assert devices.read(good) == device
    forged = [
        "", "x", ".", device.hex, f"{device.hex}.", f"{other.hex}.{good.partition('.')[2]}", good[:-1], good + "0",
        good.upper(), f"{{{device}}}.x", "0" * 5000,
    ]  # fmt: skip
    assert [devices.read(one) for one in forged] == [None] * len(forged)
