"""Curves as SVG, by hand: two panels beside each other, readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 860, 320
LEFT, TOP, PANEL, INNER = 64, 62, 340, 196
GAP = 84
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #3a3f45 }
  .title { font-size: 15px; font-weight: 600 } .panel { font-weight: 600 }
  .grid { stroke: #d8dce1 } .axis { stroke: #8b929a } .fit { stroke: #8b929a; stroke-dasharray: 4 4; fill: none }
  .line { stroke: #c2255c; stroke-width: 2; fill: none } .dot { fill: #c2255c } .range { stroke: #c2255c; opacity: .45 }
  @media (prefers-color-scheme: dark) {
    text { fill: #d5dae0 } .grid { stroke: #3a4048 } .axis, .fit { stroke: #8b929a }
    .line, .range { stroke: #ff7aa8 } .dot { fill: #ff7aa8 }
  }
"""


@dataclass(frozen=True)
class Panel:
    """One curve: for each x all that was measured there. The line goes through the medians."""

    title: str
    x: str
    runs: Sequence[tuple[float, Sequence[float]]]

    def points(self) -> list[tuple[float, float]]:
        return [(x, sorted(values)[len(values) // 2]) for x, values in self.runs]


def fit(points: Points) -> tuple[float, float]:
    """Slope and height at 0 of the straight line nearest to the points (least squares)."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
    return slope, middle_y - slope * middle_x


def bend(points: Points) -> float:
    """The slope of the upper half of a curve over that of its lower half: 1 is straight, less flattens, more is worse.
    The point nearest to the middle belongs to both."""
    middle = max(x for x, _ in points) / 2
    turn = min((x for x, _ in points), key=lambda x: abs(x - middle))
    lower, _ = fit([one for one in points if one[0] <= turn])
    upper, _ = fit([one for one in points if one[0] >= turn])
    return upper / lower if lower else math.inf


def steps(highest: float) -> list[float]:
    """Round numbers from 0 to at least `highest`, five or so."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * part for part in (1, 2, 2.5, 5, 10) if unit * part >= rough)
    return [step * n for n in range(math.ceil(highest / step - 1e-9) + 1)]


def svg(title: str, panels: Sequence[Panel]) -> str:
    name = escape(title)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT - 48}" y="24">{name}</text>',
    ]
    for place, panel in enumerate(panels):
        parts += _panel(panel, LEFT + place * (PANEL + GAP))
    legend = HEIGHT - 12
    parts += [
        f'<line class="line" x1="{LEFT}" x2="{LEFT + 24}" y1="{legend - 4}" y2="{legend - 4}"/>',
        f'<text x="{LEFT + 32}" y="{legend}">measured: median, and all runs</text>',
        f'<line class="fit" x1="{LEFT + 240}" x2="{LEFT + 264}" y1="{legend - 4}" y2="{legend - 4}"/>',
        f'<text x="{LEFT + 272}" y="{legend}">the straight line nearest to it</text>',
    ]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, left: float) -> list[str]:
    points = panel.points()
    across = steps(max(x for x, _ in points))
    up = steps(max(max(values) for _, values in panel.runs))

    def at(x: float, y: float) -> tuple[float, float]:
        return round(left + PANEL * x / across[-1], 1), round(TOP + INNER * (1 - min(max(y, 0), up[-1]) / up[-1]), 1)

    bottom = TOP + INNER
    parts = [f'<text class="panel" x="{left}" y="{TOP - 14}">{escape(panel.title)}</text>']
    for y in up:
        height = at(0, y)[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{left + PANEL}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{left - 8}" y="{height + 4}" text-anchor="end">{y:,g}</text>')
    parts += [f'<text x="{at(x, 0)[0]}" y="{bottom + 18}" text-anchor="middle">{x:,g}</text>' for x in across]
    parts.append(f'<line class="axis" x1="{left}" x2="{left + PANEL}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{left + PANEL}" y="{bottom + 34}" text-anchor="end">{escape(panel.x)}</text>')
    slope, height = fit(points)
    ends = [at(x, height + slope * x) for x in (0, points[-1][0])]
    parts.append('<polyline class="fit" points="{},{} {},{}"/>'.format(*ends[0], *ends[1]))
    for x, values in panel.runs:
        low, high = at(x, min(values)), at(x, max(values))
        parts.append(f'<line class="range" x1="{low[0]}" x2="{high[0]}" y1="{low[1]}" y2="{high[1]}"/>')
    line = " ".join(f"{at(x, y)[0]},{at(x, y)[1]}" for x, y in points)
    parts.append(f'<polyline class="line" points="{line}"/>')
    parts += ['<circle class="dot" r="3.5" cx="{}" cy="{}"/>'.format(*at(x, y)) for x, y in points]
    return parts
