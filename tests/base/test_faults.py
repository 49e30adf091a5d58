"""What is wrong with a client's JSON is said in English and in Chinese, with the place in which it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from livestall.base import faults
from livestall.base.errors import Invalid


class Line(msgspec.Struct, kw_only=True):
    variant: UUID
    quantity: Annotated[int, Meta(ge=1, le=99)] = 1


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    lines: Annotated[list[Line], Meta(max_length=2)] = []
    name: Annotated[str, Meta(min_length=2, max_length=3)] | None = None
    at: datetime | None = None
    price: Annotated[float, Meta(gt=0)] = 1.0
    way: Annotated[str, Meta(pattern="^a$")] = "a"


VARIANT = "00000000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("said", "en", "zh"),
    [
        ({"lines": [{"variant": VARIANT, "quantity": 0}]}, "lines[0].quantity must be at least 1", "不能小于 1"),
        ({"lines": [{"variant": VARIANT, "quantity": 100}]}, "lines[0].quantity may be at most 99", "不能大于 99"),
        (
            {"lines": [{"variant": VARIANT, "quantity": "1"}]},
            "must be a whole number, not text",
            "必须是整数，不能是文字",
        ),
        ({"lines": [{"variant": VARIANT, "quantity": None}]}, "must be a whole number, not empty", "不能是空值"),
        ({"lines": [{"variant": "tea"}]}, "lines[0].variant is no id", "lines[0].variant 不是有效的标识"),
        ({"lines": [{}]}, "lines[0] lacks `variant`", "lines[0] 缺少 `variant`"),
        ({"lines": [{"variant": VARIANT}] * 3}, "lines may have at most 2 entries", "lines 最多 2 项"),
        ({"name": "x"}, "name must be 2 characters or longer", "name 至少要有 2 个字符"),
        ({"name": "long"}, "name may have at most 3 characters", "name 最多 3 个字符"),
        ({"name": 5}, "name must be text, not a whole number", "name 必须是文字，不能是整数"),
        ({"at": "soon"}, "at is no time like", "at 不是"),
        ({"price": 0}, "price must be more than 0", "price 必须大于 0"),
        ({"color": 1}, "it has a field that is not known: `color`", "内容含有未知字段 `color`"),
        ([], "it must be an object, not a list", "内容必须是对象，不能是列表"),
        ({"way": "b{0}"}, "way Expected `str` matching regex '^a$'", "way Expected"),
    ],
)
def test_a_fault_is_worded_for_people(said: Any, en: str, zh: str) -> None:
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(msgspec.json.encode(said), type=Wish)
    refusal = Invalid(reason=faults.of_error(caught.value))
    assert en in refusal.sentence("en")
    assert zh in refusal.sentence("zh-CN")
    assert "请求内容有误" in refusal.sentence("zh-CN")


def test_what_is_no_json_is_said_as_it_is() -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(b"{")
    assert "truncated" in faults.of_error(caught.value).en
