"""A curve's picture, and how straight it is, as the measurements that draw curves tell it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from _chart import Panel, bend, svg

PICTURES = Path(__file__).parents[1] / "docs" / "img"
STRAIGHT = "value <= 1.3"


def bends(panel: Panel) -> list[float]:
    """The bend of each run, over the part of the curve in which what makes it is the same."""
    times = len(panel.runs[0][1])
    steady = [(x, values) for x, values in panel.runs if panel.until is None or x <= panel.until]
    return [bend([(x, values[turn]) for x, values in steady]) for turn in range(times)]


def draw(name: str, title: str, panels: Sequence[Panel]) -> str:
    """Write the picture; returns where it is, as RESULTS.md says it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"curve-{name}.svg").write_text(svg(title, panels))
    return f"../docs/img/curve-{name}.svg"
