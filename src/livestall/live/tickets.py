"""Tickets: short-lived, signed, good for one channel and one person."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import jwt

from livestall.base import clock, config, keys
from livestall.live.model import Caller, Settings, TicketExpired, WrongTicket

ALGORITHM = "HS256"
PURPOSE = "livestall-socket"


class Tickets:
    """Makes and reads tickets with the market's secret, which the API and the gateway share."""

    def __init__(self) -> None:
        self._secret = keys.sign("ticket-key", PURPOSE)
        self._seconds = config.of(Settings).ticket_seconds

    def issue(self, caller: Caller) -> tuple[str, datetime]:
        """A ticket for `caller`, and when it stops being good."""
        expires_at = clock.now().replace(microsecond=0) + timedelta(seconds=self._seconds)
        claims = {
            "aud": PURPOSE, "exp": int(expires_at.timestamp()), "channel": str(caller.channel),
            "person": None if caller.person is None else str(caller.person),
            "name": caller.name, "locale": caller.locale, "role": caller.role,
            "device": None if caller.device is None else str(caller.device),
        }  # fmt: skip
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM), expires_at

    def read(self, ticket: str, channel: UUID) -> Caller:
        """Who the ticket was made for. Raises TicketExpired, and WrongTicket for a forged one or another channel's."""
        try:
            claims = jwt.decode(
                ticket, self._secret, algorithms=[ALGORITHM], audience=PURPOSE,
                options={"require": ["exp", "aud"], "verify_exp": False},
            )  # fmt: skip
            caller = Caller(
                UUID(claims["channel"]), None if claims["person"] is None else UUID(claims["person"]),
                str(claims["name"]), str(claims["locale"]), str(claims["role"]),
                None if claims.get("device") is None else UUID(claims["device"]),
            )  # fmt: skip
            expires = float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise WrongTicket from error
        if caller.channel != channel:
            raise WrongTicket
        if expires < clock.now().timestamp():
            raise TicketExpired
        return caller
