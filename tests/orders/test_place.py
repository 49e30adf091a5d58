"""Placing orders: what a buyer gets, at which price, and what happens to the units."""

from __future__ import annotations

from datetime import timedelta

import pytest

from helpers.shop import Shop, actor, draft, money
from livestall import deals, ledger, orders, payments, stock
from livestall.base import clock, ids
from livestall.base.errors import Invalid, NotFound, SameIdOtherContents
from livestall.deals import jobs as deals_jobs
from livestall.ledger import Account, Owner, Purpose
from livestall.orders import Counter, NewOrder, NewOrderLine, OrderState, Paid, Placed, actions, jobs, settlement
from livestall.orders.model import GivenBack
from livestall.orders.model.refusals import AddressNeeded, OrderExpired, SeveralSellers, UnknownShow, WrongState


def placed(answer: object) -> Placed:
    assert isinstance(answer, Placed), answer
    return answer


async def test_an_order_holds_the_units_at_the_shows_price(shop: Shop) -> None:
    tea = await shop.product(10, amount=1000, show_price=800)
    (answer,) = await shop.place(draft(tea.line(3), show=shop.show))
    order = placed(answer).order
    assert (order.state, order.total, order.seller.name) == (OrderState.placed, money(2400), "Tea")
    assert [(one.account, one.amount.amount, one.state) for one in order.waterfall] == [
        ("seller", 2160, "estimated"), ("creator", 240, "estimated"), ("market", 0, "estimated"),
    ]  # fmt: skip
    assert order.expires_at == order.placed_at + timedelta(minutes=15)
    assert await shop.pool(tea.variant) == (10, 10, 3, 0)


async def test_a_price_changed_meanwhile_is_the_price_of_the_next_order(shop: Shop) -> None:
    tea = await shop.product(10, show_price=800)
    counter = Counter(shop.db)
    first = await counter.place(draft(tea.line()))
    async with shop.db.write() as tx:
        await tx.execute("update listing_price set amount = 900 where listing_id = $1", tea.listing)
    second = await counter.place(draft(tea.line()))
    async with shop.db.write() as tx:
        await tx.execute("update show set state = 'ended', ended_at = now() where id = $1", shop.show)
    third = await counter.place(draft(tea.line()))
    await counter.close()
    assert [one.order.total.amount for one in (first, second, third)] == [800, 900, 1000]


async def test_the_same_draft_again_finds_the_first_order(shop: Shop) -> None:
    tea = await shop.product(10)
    wish = draft(tea.line(2))
    first, again = await shop.place(wish, wish)
    (later,) = await shop.place(wish)
    assert placed(first).new
    assert not placed(again).new
    assert placed(again).order == placed(first).order
    assert not placed(later).new
    assert placed(later).order.number == placed(first).order.number
    other = draft(tea.line(1), buyer=wish.buyer_id, order_id=wish.order_id)
    stranger = draft(tea.line(2), order_id=wish.order_id)
    for answer in await shop.place(other, stranger):
        assert isinstance(answer, SameIdOtherContents)
    assert await shop.pool(tea.variant) == (10, 10, 2, 0)


async def test_what_cannot_be_sold_is_refused_and_its_neighbours_are_not(shop: Shop) -> None:
    tea, cup = await shop.product(2), await shop.product(5, seller=ids.new())
    answers = await shop.place(
        draft(NewOrderLine(ids.new(), 1)),
        draft(tea.line(3)),
        draft(tea.line(), cup.line()),
        draft(tea.line(), show=ids.new()),
        draft(NewOrderLine(tea.variant, 1, cup.listing)),
        draft(NewOrderLine(tea.variant, 1, deal_id=ids.new())),
        draft(tea.line(2)),
        draft(tea.line(1)),
    )
    kinds = [stock.NotStocked, stock.SoldOut, SeveralSellers, UnknownShow, stock.NotStocked, deals.NoSuchDeal]
    assert [type(one) for one in answers] == [*kinds, Placed, stock.SoldOut]


@pytest.mark.parametrize("quantity", [0, -1, 1000, 2**40])
def test_an_impossible_quantity_makes_no_draft(quantity: int) -> None:
    with pytest.raises(Invalid):
        orders.draft(ids.new(), NewOrder(ids.new(), [NewOrderLine(ids.new(), quantity)]))


async def test_an_unpaid_order_expires_and_its_units_are_on_sale_again(shop: Shop) -> None:
    tea = await shop.product(1)
    (answer,) = await shop.place(draft(tea.line()))
    with clock.travel(890):
        assert await jobs.expire(shop.db) == 0
    with clock.travel(901):
        assert await jobs.expire(shop.db) == 1
        assert await jobs.expire(shop.db) == 0
    assert await shop.pool(tea.variant) == (1, 1, 0, 0)
    async with shop.db.read() as read:
        (order,) = await actions.views(
            read, list((await actions.store.orders(read, [placed(answer).order.id])).values())
        )
    assert (order.state, order.cancel_reason) == (OrderState.cancelled, "expired")
    assert [one.what for one in order.history] == ["placed", "cancelled:expired"]
    assert order.payment is None, "nobody began to pay"


async def test_a_started_payment_extends_the_hold_once_and_is_waited_for(shop: Shop) -> None:
    tea, buyer = await shop.product(1), actor(ids.new())
    (answer,) = await shop.place(draft(tea.line(), buyer=buyer.user_id))
    order = placed(answer).order
    for _ in range(2):
        await shop.db.run(lambda tx: actions.start_paying(tx, buyer, order.id))
    async with shop.db.read() as read:
        record = (await actions.store.orders(read, [order.id]))[order.id]
    assert order.expires_at is not None
    assert record.expires_at == order.expires_at + timedelta(seconds=120)
    with clock.travel(900 + 120 + 40):
        assert await jobs.expire(shop.db) == 0
        with pytest.raises(OrderExpired):
            await shop.db.run(lambda tx: actions.start_paying(tx, buyer, order.id))
    with clock.travel(900 + 120 + 50):
        assert await jobs.expire(shop.db) == 1
    async with shop.db.read() as read:
        assert (await payments.of_orders(read, [order.id]))[order.id].state is payments.State.voided
    with pytest.raises(NotFound):
        await shop.db.run(lambda tx: actions.start_paying(tx, actor(ids.new()), order.id))


async def test_paying_sells_the_units_and_posts_the_split(shop: Shop) -> None:
    tea = await shop.product(5, amount=1001)
    (answer,) = await shop.place(draft(tea.line(), show=shop.show))
    order = placed(answer).order
    assert await shop.pay(placed(answer)) == {order.id}
    assert await shop.pay(placed(answer)) == set()
    assert await shop.pool(tea.variant) == (5, 5, 0, 1)
    seller = Account(Owner.seller, shop.seller, Purpose.payable, "CNY")
    creator = Account(Owner.creator, shop.creator, Purpose.estimated, "CNY")
    async with shop.db.read() as read:
        found = await ledger.balances(read, [seller, creator])
        minutes = await orders.per_minute(read, shop.show)
    assert (found[seller].amount, found[creator].amount) == (901, 100)
    assert [(sum(one.orders for one in minutes), sum(one.money_amount for one in minutes))] == [(1, 1001)]
    part, rest = GivenBack(order.id, ids.new(), 333), GivenBack(order.id, ids.new(), 668)
    await shop.db.run(lambda tx: settlement.refunded(tx, [part]))
    async with shop.db.read() as read:
        found = await ledger.balances(read, [seller, creator])
    assert (found[seller].amount, found[creator].amount) == (901 - 300, 100 - 33), "each side gives its part back"
    assert await shop.pool(tea.variant) == (5, 5, 0, 1), "the goods stay with the buyer"
    for _ in range(2):
        await shop.db.run(lambda tx: settlement.refunded(tx, [rest]))
    assert await shop.pool(tea.variant) == (5, 5, 0, 0)
    async with shop.db.read() as read:
        found = await ledger.balances(read, [seller, creator])
    assert (found[seller].amount, found[creator].amount) == (0, 0)


async def test_money_of_another_amount_buys_nothing(shop: Shop) -> None:
    tea = await shop.product(5)
    (answer,) = await shop.place(draft(tea.line()))
    paid = [Paid(placed(answer).order.id, money(1)), Paid(ids.new(), money(1000))]
    assert await shop.db.run(lambda tx: settlement.settle(tx, paid)) == set()
    assert await shop.pool(tea.variant) == (5, 5, 1, 0)


async def test_late_money_gets_the_units_if_they_are_still_there(shop: Shop) -> None:
    tea = await shop.product(2)
    first, second = await shop.place(draft(tea.line(2)), draft(tea.line(2)))
    assert isinstance(second, stock.SoldOut)
    with clock.travel(1000):
        await jobs.expire(shop.db)
        assert await shop.pay(placed(first)) == {placed(first).order.id}
    assert await shop.pool(tea.variant) == (2, 2, 0, 2)


async def test_late_money_is_let_go_if_somebody_else_has_the_units_or_the_price_changed(shop: Shop) -> None:
    tea, cup = await shop.product(1), await shop.product(1, show_price=700)
    late, dearer = await shop.place(draft(tea.line()), draft(cup.line()))
    with clock.travel(1000):
        await jobs.expire(shop.db)
        await shop.place(draft(tea.line()))
        async with shop.db.write() as tx:
            await tx.execute("update listing_price set amount = 900 where listing_id = $1", cup.listing)
        assert await shop.pay(placed(late), placed(dearer)) == set()
    assert await shop.pool(tea.variant) == (1, 1, 1, 0)
    assert await shop.pool(cup.variant) == (1, 1, 0, 0)


async def test_the_buyer_may_give_up_an_unpaid_order_and_nobody_else(shop: Shop) -> None:
    tea, buyer = await shop.product(1), actor(ids.new())
    (answer,) = await shop.place(draft(tea.line(), buyer=buyer.user_id))
    order_id = placed(answer).order.id
    with pytest.raises(NotFound):
        await shop.db.run(lambda tx: actions.cancel(tx, actor(ids.new()), order_id))
    for _ in range(2):
        order = await shop.db.run(lambda tx: actions.cancel(tx, buyer, order_id))
        assert (order.state, order.cancel_reason) == (OrderState.cancelled, "buyer")
    assert await shop.pay(placed(answer)) == set()
    assert await shop.pool(tea.variant) == (1, 1, 0, 0)


async def test_a_flash_sale_has_its_window_price_limit_and_quota(shop: Shop) -> None:
    tea = await shop.product(20)
    deal = await shop.flash(tea, quota=3, released=2, per_buyer=1)
    (early,) = await shop.place(draft(tea.line(deal=deal)))
    assert isinstance(early, deals.DealNotOpen)
    buyer = ids.new()
    with clock.travel(11):
        one, two, again, three = await shop.place(
            draft(tea.line(deal=deal), buyer=buyer),
            draft(tea.line(2, deal=deal)),
            draft(tea.line(deal=deal), buyer=buyer),
            draft(tea.line(deal=deal), show=shop.show),
        )
        assert placed(one).order.total == money(500)
        assert [type(two).code, type(again).code] == ["limit-reached", "limit-reached"]  # type: ignore[union-attr]
        placed(three)
        (over,) = await shop.place(draft(tea.line(deal=deal)))
        assert isinstance(over, stock.SoldOut)
        await shop.db.run(lambda tx: deals.release_more(tx, shop.host_actor, deal.id, ids.new(), 1))
        placed((await shop.place(draft(tea.line(deal=deal))))[0])
    with clock.travel(400):
        (late,) = await shop.place(draft(tea.line(deal=deal)))
        assert isinstance(late, deals.DealClosed)
        assert await deals_jobs.tick(shop.db) == 1
        assert await shop.pool(deal.id) == (3, 3, 3, 0)
        assert await jobs.expire(shop.db) == 3
    assert await shop.pool(deal.id) == (0, 0, 0, 0)
    assert await shop.pool(tea.variant) == (20, 20, 0, 0)


async def test_a_limit_of_a_listing_counts_over_orders(shop: Shop) -> None:
    tea, buyer = await shop.product(10, per_buyer=3), ids.new()
    answers = await shop.place(*(draft(tea.line(n), buyer=buyer) for n in (2, 2, 1)))
    assert [type(one) for one in answers] == [Placed, stock.LimitReached, Placed]
    (more,) = await shop.place(draft(tea.line(), buyer=buyer))
    assert isinstance(more, stock.LimitReached)


async def test_a_refused_wish_may_be_sent_again_when_there_is_stock(shop: Shop) -> None:
    tea = await shop.product(0)
    wish = draft(tea.line())
    assert isinstance((await shop.place(wish))[0], stock.SoldOut)
    async with shop.db.write() as tx:
        await stock.receive(tx, [stock.OnHand(tea.variant, shop.seller, 1)])
    assert placed((await shop.place(wish))[0]).new


async def test_addresses_are_ones_own(shop: Shop) -> None:
    mine, other = actor(ids.new()), actor(ids.new())
    first = orders.model.wishes.SavedAddress("Li", "12345", "杭州", "1", "CN", id=ids.new())
    second = orders.model.wishes.SavedAddress("Li", "12345", "上海", "2", "CN", is_default=True, id=ids.new())
    run = shop.db.run
    saved = await run(lambda tx: actions.save_address(tx, mine, first, new=True))
    assert saved.is_default
    await run(lambda tx: actions.save_address(tx, mine, second, new=True))
    with pytest.raises(NotFound):
        await run(lambda tx: actions.save_address(tx, other, first, new=False))
    with pytest.raises(NotFound):
        await run(lambda tx: actions.drop_address(tx, other, first.id))
    await run(lambda tx: actions.drop_address(tx, mine, second.id))
    async with shop.db.read() as read:
        assert [(one.city, one.is_default) for one in await actions.store.addresses(read, mine.need_user())] == [
            ("杭州", True)
        ]


async def test_an_order_without_an_address_cannot_be_paid(shop: Shop) -> None:
    tea, buyer = await shop.product(1), actor(ids.new())
    wish = orders.draft(buyer.need_user(), NewOrder(ids.new(), [tea.line()]))
    order = placed((await shop.place(wish))[0]).order
    with pytest.raises(AddressNeeded):
        await shop.db.run(lambda tx: actions.start_paying(tx, buyer, order.id))
    await shop.pay(Placed(order, True))
    with pytest.raises(WrongState):
        await shop.db.run(
            lambda tx: actions.set_address(tx, buyer, order.id, orders.Address("L", "123", "H", "1", "CN"))
        )
