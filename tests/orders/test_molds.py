"""What is worked out once for all: numbers drawn in blocks, the fingerprint, the answer cut where orders differ."""

from __future__ import annotations

import hashlib

import asyncpg
import msgspec
import pytest

from helpers.shop import ADDRESS, Shop, draft
from livestall.base import ids
from livestall.orders import NewOrder, Placed, store
from livestall.orders import draft as orders_draft
from livestall.orders.model.mold import SHAPE_AFTER
from livestall.orders.model.numbers import BLOCK, BLOCKS, numbers


def test_no_number_is_given_twice_and_none_tells_how_many_there_are() -> None:
    blocks = [*range(40), BLOCKS - 1]
    drawn = [list(numbers(block, b"key")) for block in blocks]
    flat = [one for block in drawn for one in block]
    assert len(set(flat)) == len(flat) == len(blocks) * BLOCK
    assert {len(one) for one in flat} == {8}
    assert not set("".join(flat)) & set("ILOU")
    assert drawn[0] != sorted(drawn[0])
    assert drawn[0] == list(numbers(0, b"key")) != list(numbers(0, b"other key"))


async def test_two_counters_draw_different_numbers(shop: Shop) -> None:
    async with shop.db.read() as one, shop.db.read() as other:
        assert not set(await store.draw_numbers(one)) & set(await store.draw_numbers(other))


async def test_the_fingerprint_is_that_of_earlier_versions_and_alike_wishes_are_known(shop: Shop) -> None:
    tea, buyer = await shop.product(1), ids.new()
    wanted = NewOrder(ids.new(), [tea.line()], shop.show, ADDRESS)
    one = orders_draft(buyer, wanted)
    contents = msgspec.msgpack.encode((buyer.bytes, wanted))
    assert one.fingerprint == hashlib.blake2b(contents, digest_size=16).digest()
    other = orders_draft(ids.new(), NewOrder(ids.new(), [tea.line()], shop.show))
    assert one.wish == other.wish
    assert one.wish != orders_draft(buyer, NewOrder(ids.new(), [tea.line(2)], shop.show)).wish
    assert one.wish != orders_draft(buyer, NewOrder(ids.new(), [tea.line()])).wish


async def test_the_answer_cut_in_parts_reads_like_the_whole(shop: Shop) -> None:
    tea = await shop.product(20)
    answers = await shop.place(*(draft(tea.line(), show=shop.show) for _ in range(SHAPE_AFTER + 3)))
    for answer in answers:
        assert isinstance(answer, Placed)
        assert answer.json == msgspec.json.encode(answer.order)
    assert len({answer.order.number for answer in answers if isinstance(answer, Placed)}) == len(answers)


async def test_a_line_needs_its_order_and_neither_ever_goes(shop: Shop) -> None:
    tea = await shop.product(5)
    (placed,) = await shop.place(draft(tea.line()))
    assert isinstance(placed, Placed)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with shop.db.write() as tx:
            await tx.execute(
                """insert into order_line select $1, line_no, seller_id, variant_id, product_id, listing_id, deal_id,
                          quantity, unit_price, title, variant_title, picture_url from order_line""",
                ids.new(),
            )
    for attempt in ("delete from order_line", "delete from orders", "update orders set id = gen_random_uuid()",
                    "truncate orders cascade", "update order_line set order_id = gen_random_uuid()"):  # fmt: skip
        with pytest.raises(asyncpg.RaiseError):
            async with shop.db.write() as tx:
                await tx.execute(attempt)
