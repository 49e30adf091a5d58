"""Curves as SVG, by hand: panels in rows of two, on a card of their own that is readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, MARGIN, GAP = 880, 28, 44
AXIS, PANEL, INNER = 52, 338, 150
"""Room for the numbers beside a panel; its width and height."""
HEAD, ROW, FOOT = 58, 232, 40
STYLE = """
  .card { fill: #fcfcfd; stroke: #d9dde3 }
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #545b65 }
  .title { font-size: 16px; font-weight: 600; fill: #1d2127 } .panel { font-weight: 600; fill: #1d2127 }
  .last { font-weight: 600; fill: #b4235a }
  .grid { stroke: #e6e9ed } .axis { stroke: #a3aab3 } .beyond { fill: #eef0f3 }
  .fit { stroke: #8b929a; stroke-width: 1.2; stroke-dasharray: 5 4; fill: none }
  .area { fill: #c2255c; opacity: .08 } .line { stroke: #c2255c; stroke-width: 2.2; fill: none; stroke-linejoin: round }
  .dot { fill: #c2255c; stroke: #fcfcfd; stroke-width: 1.5 } .range { stroke: #c2255c; stroke-width: 2; opacity: .35 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #16191d; stroke: #323840 }
    text { fill: #a9b1bb } .title, .panel { fill: #eceff2 } .last { fill: #ff8db4 }
    .grid { stroke: #262b31 } .axis { stroke: #6d7681 } .beyond { fill: #1f2429 } .fit { stroke: #868f99 }
    .area { fill: #ff7aa8; opacity: .1 } .line, .range { stroke: #ff7aa8 } .dot { fill: #ff7aa8; stroke: #16191d }
  }
"""


@dataclass(frozen=True)
class Panel:
    """One curve: for each x all that was measured there. The line goes through the medians. Beyond `until` something
    else makes it than before, so that the straight line is drawn through what comes before. A curve that `is_level` at
    its best has no such line."""

    title: str
    x: str
    runs: Sequence[tuple[float, Sequence[float]]]
    until: float | None = None
    is_level: bool = False

    def points(self) -> list[tuple[float, float]]:
        return [(x, sorted(values)[len(values) // 2]) for x, values in self.runs]

    def steady(self) -> list[tuple[float, float]]:
        return [(x, y) for x, y in self.points() if self.until is None or x <= self.until]

    def ends(self, unit: str) -> str:
        """The first and the last point in words."""
        first, last = self.points()[0], self.points()[-1]
        return f"{short(first[1])} {unit} at {short(first[0])}, {short(last[1])} {unit} at {short(last[0])}"

    def lines(self) -> list[list[float]]:
        """x and what was measured there, to be kept."""
        return [[x, *values] for x, values in self.runs]


def short(value: float) -> str:
    """Three digits that count: 12345 → 12,345; 0.12345 → 0.123."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


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
    """A picture of the panels. The legend stands below them."""
    name = escape(title)
    height = HEAD + ROW * math.ceil(len(panels) / 2) + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}">',
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
        f'<text class="title" x="{MARGIN}" y="34">{name}</text>',
    ]
    for place, panel in enumerate(panels):
        left = MARGIN + AXIS + (place % 2) * (PANEL + AXIS + GAP)
        parts += _panel(panel, left, HEAD + ROW * (place // 2) + 26)
    foot = height - 18
    parts += [
        f'<line class="line" x1="{MARGIN}" x2="{MARGIN + 26}" y1="{foot - 4}" y2="{foot - 4}"/>',
        f'<circle class="dot" r="4" cx="{MARGIN + 13}" cy="{foot - 4}"/>',
        f'<text x="{MARGIN + 34}" y="{foot}">measured: the median, and from least to most</text>',
        f'<line class="fit" x1="{MARGIN + 330}" x2="{MARGIN + 356}" y1="{foot - 4}" y2="{foot - 4}"/>',
        f'<text x="{MARGIN + 364}" y="{foot}">the straight line nearest to it</text>',
    ]
    if any(one.until is not None for one in panels):
        parts += [
            f'<rect class="beyond" x="{MARGIN + 570}" y="{foot - 11}" width="26" height="14"/>',
            f'<text x="{MARGIN + 604}" y="{foot}">the tick grows by itself</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, left: float, top: float) -> list[str]:
    points = panel.points()
    across = steps(max(x for x, _ in points))
    up = steps(max(max(values) for _, values in panel.runs))

    def at(x: float, y: float) -> tuple[float, float]:
        return round(left + PANEL * x / across[-1], 1), round(top + INNER * (1 - min(max(y, 0), up[-1]) / up[-1]), 1)

    bottom, right = top + INNER, left + PANEL
    parts = [f'<text class="panel" x="{left - AXIS}" y="{top - 16}">{escape(panel.title)}</text>']
    if panel.until is not None:
        turn = at(panel.until, 0)[0]
        parts.append(f'<rect class="beyond" x="{turn}" y="{top}" width="{right - turn:g}" height="{INNER}"/>')
    for y in up:
        height = at(0, y)[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{left - 10}" y="{height + 4}" text-anchor="end">{y:,g}</text>')
    parts += [f'<text x="{at(x, 0)[0]}" y="{bottom + 18}" text-anchor="middle">{x:,g}</text>' for x in across]
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(f'<text x="{right}" y="{bottom + 35}" text-anchor="end">{escape(panel.x)}</text>')
    steady = panel.steady()
    line = " ".join(f"{at(x, y)[0]},{at(x, y)[1]}" for x, y in points)
    (first, _), (last, level) = at(*points[0]), at(*points[-1])
    parts.append(f'<polygon class="area" points="{first},{bottom} {line} {last},{bottom}"/>')
    for x, values in panel.runs:
        low, high = at(x, min(values)), at(x, max(values))
        parts.append(f'<line class="range" x1="{low[0]}" x2="{high[0]}" y1="{low[1]}" y2="{high[1]}"/>')
    parts.append(f'<polyline class="line" points="{line}"/>')
    if not panel.is_level:
        slope, height = fit(steady)
        ends = [at(x, height + slope * x) for x in (steady[0][0], steady[-1][0])]
        parts.append('<polyline class="fit" points="{},{} {},{}"/>'.format(*ends[0], *ends[1]))
    parts += ['<circle class="dot" r="4" cx="{}" cy="{}"/>'.format(*at(x, y)) for x, y in points]
    above = max(level - 11, top - 2)
    parts.append(f'<text class="last" x="{last}" y="{above}" text-anchor="end">{short(points[-1][1])}</text>')
    return parts
