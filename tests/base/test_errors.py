"""Every refusal of the house can be said in English and in Chinese."""

from __future__ import annotations

import importlib
import pkgutil
import re

import livestall
from livestall.base.errors import Refusal


def every_refusal() -> list[type[Refusal]]:
    for module in pkgutil.walk_packages(livestall.__path__, "livestall."):
        if module.name.endswith(".model"):
            importlib.import_module(module.name)
    found: list[type[Refusal]] = []
    waiting = [Refusal]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("livestall.")]


def test_codes_are_words_and_belong_to_one_refusal() -> None:
    codes = [kind.code for kind in every_refusal() if "code" in vars(kind)]
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code) for code in codes)
    assert len(codes) == len(set(codes)), sorted(code for code in codes if codes.count(code) > 1)


def test_both_languages_say_the_same_details() -> None:
    for kind in every_refusal():
        assert set(re.findall(r"{(\w+)", kind.en)) == set(re.findall(r"{(\w+)", kind.zh)), kind
        assert re.search(r"[\u4e00-\u9fff]", kind.zh), kind
        assert 400 <= kind.status < 600, kind
