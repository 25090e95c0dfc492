"""Drawings for the page: inline SVG in the page's own colours, made of numbers only, each with a title and a description."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from markupsafe import Markup

from leadline.record.counts import Reliability
from leadline.report.words import number

WIDTH, HEIGHT = 420, 320
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 44


class Plane:
    """A stretch of x and y laid over the drawing's inside, with round ticks."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], *, height: int = HEIGHT) -> None:
        self.x, self.y, self.height = x, y, height

    def across(self, value: float) -> float:
        """The pixel of an x."""
        return round(LEFT + (value - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT), 1)

    def up(self, value: float) -> float:
        """The pixel of a y."""
        return round(self.height - BOTTOM - (value - self.y[0]) / (self.y[1] - self.y[0]) * (self.height - TOP - BOTTOM), 1)

    def axes(self, names: tuple[str, str]) -> str:
        """Grid, ticks and the two axes' names."""
        parts = []
        for tick in ticks(*self.y):
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self.up(tick)}" y2="{self.up(tick)}"/>')
            parts.append(f'<text class="tick" x="{LEFT - 6}" y="{self.up(tick) + 4}" text-anchor="end">{compact(tick)}</text>')
        for tick in ticks(*self.x):
            parts.append(
                f'<text class="tick" x="{self.across(tick)}" y="{self.height - BOTTOM + 16}" text-anchor="middle">{compact(tick)}</text>'
            )
        middle = (self.height - BOTTOM + TOP) / 2
        parts.append(f'<text class="axis" x="{(WIDTH + LEFT) / 2}" y="{self.height - 6}" text-anchor="middle">{escape(names[0])}</text>')
        parts.append(f'<text class="axis" transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(names[1])}</text>')
        return "".join(parts)


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers within [low, high], about `wanted` of them."""
    raw = (high - low) / wanted
    power = 10.0 ** np.floor(np.log10(raw)) if raw > 0 else 1.0
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = np.ceil(low / step - 1e-9)
    return [
        float(round((first + i) * step, 12)) for i in range(int((high - low) / step + 1e-9) + 1) if (first + i) * step <= high + step * 1e-9
    ]


def compact(value: float) -> str:
    """A tick's text: 250000 becomes 250k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10 or (abs(value) >= size and size > 1e3):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def drawing(inside: str, *, title: str, text: str, height: int = HEIGHT) -> Markup:
    """The whole SVG, readable aloud by its title and text."""
    return Markup(
        f'<svg class="figure" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}. {escape(text)}">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )


def reliability(diagram: Reliability) -> Markup:
    """Bars of accuracy per confidence bin against the diagonal, and below how many answers each bin holds."""
    bins = len(diagram.count)
    plane = Plane((0, 1), (0, 1))
    bars = []
    most = max(1, int(diagram.count.max()))
    for i in np.flatnonzero(diagram.count):
        left, width = plane.across(i / bins), plane.across(1 / bins) - plane.across(0) - 2
        right, sure, count = float(diagram.accuracy[i]), float(diagram.confidence[i]), int(diagram.count[i])
        said = f"<title>{count:,} answers with confidence {number(sure)}: {number(right)} of them right</title>"
        top, expected = plane.up(right), plane.up(sure)
        gap = f'<rect class="gap" x="{left + 1}" width="{width:.1f}" y="{min(top, expected)}" height="{abs(top - expected):.1f}"/>'
        strength = 0.35 + 0.65 * (count / most) ** 0.5
        bar = f'<rect class="bar" x="{left + 1}" width="{width:.1f}" y="{top}" height="{plane.up(0) - top:.1f}" opacity="{strength:.2f}"/>'
        bars.append(f"<g>{said}{bar}{gap}</g>")
    line = _ideal(plane, (0, 0), (1, 1))
    inside = plane.axes(("confidence of the answer", "share that was right")) + "".join(bars) + line
    return drawing(inside, title="Reliability diagram", text=f"Mean gap between confidence and accuracy {number(diagram.gap)}.")


def scatter(x: np.ndarray, y: np.ndarray, *, names: tuple[str, str], diagonal: bool = False, level: bool = False) -> Markup:
    """Points, with the line of perfect prediction (diagonal) or of no error (level)."""
    across = span(np.concatenate([x, y]) if diagonal else x)
    plane = Plane(across, across if diagonal else span(y))
    dots = "".join(f"M{plane.across(a)} {plane.up(b)}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    line = ""
    if diagonal:
        line = _ideal(plane, (across[0], across[0]), (across[1], across[1]))
    if level:
        line = _ideal(plane, (across[0], 0), (across[1], 0))
    opacity = 0.85 if len(x) < 300 else 0.45
    inside = plane.axes(names) + f'<path class="dots" d="{dots}" opacity="{opacity}"/>' + line
    return drawing(inside, title=f"{names[1]} against {names[0]}", text=f"{len(x):,} examples.")


def _ideal(plane: Plane, start: tuple[float, float], end: tuple[float, float]) -> str:
    """The dashed line on which everything would lie if it were perfect."""
    x1, x2 = plane.across(start[0]), plane.across(end[0])
    return f'<line class="ideal" x1="{x1}" y1="{plane.up(start[1])}" x2="{x2}" y2="{plane.up(end[1])}"/>'


def histogram(values: np.ndarray, *, name: str, bins: int = 40) -> Markup:
    """How often each size of value occurs; the outermost half percent on each side is drawn at the edge."""
    low, high = np.quantile(values, [0.005, 0.995])
    if low == high:
        low, high = low - 1, high + 1
    counts, edges = np.histogram(values.clip(low, high), bins=bins, range=(low, high))
    plane = Plane((float(low), float(high)), (0, float(counts.max()) * 1.05))
    bars = "".join(
        f'<rect class="bar" x="{plane.across(a)}" width="{plane.across(b) - plane.across(a) - 1:.1f}" y="{plane.up(c)}" '
        f'height="{plane.up(0) - plane.up(c):.1f}"><title>{int(c):,} from {number(float(a))} to {number(float(b))}</title></rect>'
        for a, b, c in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if c
    )
    zero = f'<line class="ideal" x1="{plane.across(0)}" x2="{plane.across(0)}" y1="{TOP}" y2="{plane.up(0)}"/>' if low < 0 < high else ""
    return drawing(plane.axes((name, "examples")) + bars + zero, title=f"Histogram of {name}", text=f"{len(values):,} examples.")


def span(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Lowest and highest number with a little room around."""
    low, high = float(np.min(values)), float(np.max(values))
    room = (high - low) * 0.03 or max(abs(high), 1.0) * 0.05
    return low - room, high + room
