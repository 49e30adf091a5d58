"""The numbers of a show for those who run it: each minute's audience, chat and sales side by side."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from litestar import get

from livestall import accounts, chat, orders, rooms
from livestall.accounts import Actor
from livestall.base.db import Database, Read
from livestall.base.http import Who, may
from livestall.base.money import Money

STAFF = frozenset(rooms.Role) - {rooms.Role.viewer}
MINUTES_MAX = 24 * 60
"""Minutes that are listed at most, the last ones."""


class ShowMinute(msgspec.Struct, frozen=True, kw_only=True):
    """`viewers`: most at once; `money_amount`: paid in this minute, in minor units of the market's currency."""

    at: datetime
    viewers: int
    orders: int
    paid_orders: int
    money_amount: int
    chat: int
    likes: int


class ShowTotals(msgspec.Struct, frozen=True, kw_only=True):
    viewers_now: int
    viewers_peak: int
    orders: int
    paid_orders: int
    money: Money
    likes: int
    chat: int


class ShowNumbers(msgspec.Struct, frozen=True):
    """`minutes` has no holes between its first and its last."""

    minutes: list[ShowMinute]
    totals: ShowTotals
    pins: list[rooms.Pin]


async def numbers(read: Read, show_id: UUID) -> ShowNumbers:
    record = await rooms.show(read, show_id)
    audience = {one.at: one for one in await rooms.minutes(read, show_id)}
    said = await chat.per_minute(read, show_id)
    sold = {one.at: one for one in await orders.per_minute(read, show_id)}
    minutes: list[ShowMinute] = []
    for at in _without_holes({*audience, *said, *sold}):
        here, sales = audience.get(at), sold.get(at)
        minutes.append(
            ShowMinute(
                at=at, viewers=here.viewers if here else 0, likes=here.likes if here else 0, chat=said.get(at, 0),
                orders=sales.orders if sales else 0, paid_orders=sales.paid_orders if sales else 0,
                money_amount=sales.money_amount if sales else 0,
            )
        )  # fmt: skip
    currency = (await accounts.market(read)).currency
    totals = ShowTotals(
        viewers_now=record.viewers, viewers_peak=record.viewers_peak, likes=record.likes, chat=sum(said.values()),
        orders=sum(one.orders for one in sold.values()), paid_orders=sum(one.paid_orders for one in sold.values()),
        money=Money(sum(one.money_amount for one in sold.values()), currency),
    )  # fmt: skip
    return ShowNumbers(minutes, totals, await rooms.pins(read, show_id))


def _without_holes(minutes: set[datetime]) -> list[datetime]:
    """Every minute from the first to the last of `minutes`, at most the last day's."""
    if not minutes:
        return []
    last = max(minutes)
    first = max(min(minutes), last - timedelta(minutes=MINUTES_MAX - 1))
    return [first + timedelta(minutes=n) for n in range(int((last - first).total_seconds() // 60) + 1)]


@get("/api/shows/{show_id:uuid}/numbers", opt=may(Who.signed_in, "shows:write"))
async def get_show_numbers(db: Database, actor: Actor, show_id: UUID) -> ShowNumbers:
    """For the staff of the show."""
    async with db.read() as read:
        await rooms.need_role(read, show_id, actor, STAFF)
        return await numbers(read, show_id)


ROUTES = [get_show_numbers]
