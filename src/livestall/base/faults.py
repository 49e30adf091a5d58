"""What is wrong with a client's JSON, in words for a person: msgspec says it for programmers, and in English alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from livestall.base.errors import Words

PLACE = " - at `$"
TYPES = {
    "int": Words("a whole number", "整数"), "float": Words("a number", "数字"), "str": Words("text", "文字"),
    "bool": Words("true or false", "true 或 false"), "array": Words("a list", "列表"),
    "object": Words("an object", "对象"), "datetime": Words("a time", "时间"), "uuid": Words("an id", "标识"),
    "null": Words("empty", "空值"),
}  # fmt: skip
FAULTS: Sequence[tuple[str, str, str]] = (
    (r"Expected `\w+` >= (.+)", "must be at least {}", "不能小于 {}"),
    (r"Expected `\w+` <= (.+)", "may be at most {}", "不能大于 {}"),
    (r"Expected `\w+` > (.+)", "must be more than {}", "必须大于 {}"),
    (r"Expected `\w+` < (.+)", "must be less than {}", "必须小于 {}"),
    (r"Expected `str` of length >= (\d+)", "must be {} characters or longer", "至少要有 {} 个字符"),
    (r"Expected `str` of length <= (\d+)", "may have at most {} characters", "最多 {} 个字符"),
    (r"Expected `\w+` of length >= (\d+)", "must have {} entries or more", "至少要有 {} 项"),
    (r"Expected `\w+` of length <= (\d+)", "may have at most {} entries", "最多 {} 项"),
    (r"Object missing required field `(.+)`", "lacks `{}`", "缺少 `{}`"),
    (r"Object contains unknown field `(.+)`", "has a field that is not known: `{}`", "含有未知字段 `{}`"),
    (r"Invalid enum value (.+)", "cannot be {}", "不能为 {}"),
    (r"Invalid (?i:uuid)", "is no id", "不是有效的标识"),
    (
        r"Invalid RFC3339 encoded datetime",
        "is no time like 2026-01-31T09:30:00Z",
        "不是 2026-01-31T09:30:00Z 这样的时间",
    ),
)


def words(field: str, message: str) -> Words:
    """One of msgspec's messages about the field with this path, such as "lines[0].quantity"; "" is the whole. What is
    not known here stays as it is."""
    en, zh = (f"{field} ", f"{field} ") if field else ("it ", "内容")
    for pattern, en_fault, zh_fault in FAULTS:
        if found := re.fullmatch(pattern, message):
            return Words(en + en_fault.format(*found.groups()), zh + zh_fault.format(*found.groups()))
    if found := re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", message):
        wanted, got = _types(found[1], but="null"), _types(found[2])
        return Words(f"{en}must be {wanted.en}, not {got.en}", f"{zh}必须是{wanted.zh}，不能是{got.zh}")
    return Words(f"{field} {message}".strip(), f"{field} {message}".strip())


def of_error(error: msgspec.MsgspecError) -> Words:
    """The same of an error that names the field itself."""
    message, _, path = str(error).rpartition(PLACE)
    return words(path.rstrip("`").lstrip("."), message) if message else words("", path)


def _types(names: str, but: str = "") -> Words:
    """The types of a message, such as "int | null", all but one, if there are others."""
    all_of = names.split(" | ")
    found = [TYPES.get(one, Words(one, one)) for one in all_of if one != but or len(all_of) == 1]
    return Words(" or ".join(one.en for one in found), "或".join(one.zh for one in found))
