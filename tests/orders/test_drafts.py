"""What was asked is told apart by its fingerprint, which stands in the database: it never changes."""

from __future__ import annotations

from uuid import UUID

import pytest

from livestall.base.errors import Invalid
from livestall.orders.model import wishes
from livestall.orders.model.wishes import Address, Basket, NewOrder, NewOrderLine

ORDER, VARIANT, LISTING, SHOW, BUYER, OTHER, DEAL = (UUID(int=n) for n in (1, 2, 4, 5, 9, 7, 8))
AT_A_SHOW = NewOrder(ORDER, [NewOrderLine(VARIANT, 3, LISTING)], SHOW)
HOME = Address("王芳", "13800000000", "杭州", "西湖路 1", "CN")
SENT_HOME = NewOrder(ORDER, [NewOrderLine(VARIANT, 3), NewOrderLine(OTHER, 1, deal_id=DEAL)], None, HOME)


def test_fingerprints_stay_as_they_were_stored() -> None:
    assert wishes.draft(BUYER, AT_A_SHOW).fingerprint.hex() == "b0adb34098a28aa879a70be657d9e58f"
    assert wishes.draft(BUYER, SENT_HOME).fingerprint.hex() == "ce685f643bea3632ba30ca8fa2d3452b"


def test_everything_asked_is_in_the_fingerprint() -> None:
    other_line = NewOrder(ORDER, [NewOrderLine(VARIANT, 2, LISTING)], SHOW)
    other_show = NewOrder(ORDER, AT_A_SHOW.lines, OTHER)
    sent_home = NewOrder(ORDER, AT_A_SHOW.lines, SHOW, HOME)
    asked = [AT_A_SHOW, other_line, other_show, sent_home, NewOrder(OTHER, AT_A_SHOW.lines, SHOW)]
    prints = {wishes.draft(BUYER, one).fingerprint for one in asked} | {wishes.draft(OTHER, AT_A_SHOW).fingerprint}
    assert len(prints) == len(asked) + 1


def test_a_basket_makes_the_drafts_that_orders_make() -> None:
    basket = Basket(AT_A_SHOW.lines, HOME)
    for show in (SHOW, OTHER, SHOW):
        for buyer in (BUYER, OTHER):
            made = basket.draft(ORDER, buyer, show)
            assert made == wishes.draft(buyer, NewOrder(ORDER, AT_A_SHOW.lines, show, HOME))
            assert made.fingerprint == wishes.draft(buyer, NewOrder(ORDER, AT_A_SHOW.lines, show, HOME)).fingerprint


@pytest.mark.parametrize("quantity", [0, -1, 1000])
def test_a_wish_for_no_number_of_units_is_refused(quantity: int) -> None:
    with pytest.raises(Invalid):
        wishes.draft(BUYER, NewOrder(ORDER, [NewOrderLine(VARIANT, quantity)]))
    with pytest.raises(Invalid):
        Basket([], None).draft(ORDER, BUYER, SHOW)
