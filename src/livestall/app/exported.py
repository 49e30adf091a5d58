"""Every number that a process of the house may export: the page docs/metrics.md, and `livestall metrics`."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec
from prometheus_client import REGISTRY

PREFIX = "livestall_"
PLANES = ("main", "gateway", "media", "worker", "keeper", "traffic")
"""The modules of app that bring all others along, and with them their numbers."""


class Exported(msgspec.Struct, frozen=True):
    """One number as a person reads it. `name` is as in a query; a histogram has it with _bucket, _sum and _count."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def feature(self) -> str:
        return self.name.removeprefix(PREFIX).partition("_")[0]


def exported() -> list[Exported]:
    """All numbers of all planes, by name."""
    for plane in PLANES:
        importlib.import_module(f"livestall.app.{plane}")
    collectors: Any = getattr(REGISTRY, "_collector_to_names")  # noqa: B009 - the registry has no public list
    found = [
        Exported(
            f"{family.name}_total" if family.type == "counter" else family.name,
            family.type,
            tuple(getattr(one, "_labelnames", ())),
            family.documentation,
        )
        for one in collectors
        if hasattr(one, "describe")
        for family in one.describe()
        if family.name.startswith(PREFIX)
    ]
    return sorted(found, key=lambda one: one.name)


def as_markdown() -> str:
    """The page docs/metrics.md."""
    lines = [
        "# Numbers",
        "",
        "What the processes say about themselves at `/metrics` (see [how to watch a market](how-to/watch.md)), besides",
        "the usual `process_…` and `python_…` of every Python program. A test keeps this page current",
        "(`.venv/bin/livestall metrics --markdown > docs/metrics.md`).",
    ]
    feature = ""
    for one in exported():
        if one.feature != feature:
            feature = one.feature
            lines += ["", f"## {feature}", "", "| name | kind | labels | meaning |", "|---|---|---|---|"]
        labels = ", ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {one.meaning.replace('|', '/')} |")
    return "\n".join(lines) + "\n"
