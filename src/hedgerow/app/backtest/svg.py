"""Charts as SVG text, by hand: lines, bands, stacked areas and bars over time or numbers.

``report`` puts them into a page. Colours are CSS classes, so that the page decides them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from html import escape

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 62, 10, 8, 22


@dataclass(slots=True)
class Chart:
    """A frame with two scales; marks are added, then it is drawn.

    Parameters
    ----------
    x, y : tuple of float
        Range of each scale; x is in epoch milliseconds where a time zone is given.
    height : int
        In pixels; the width is 900.
    timezone : tzinfo, optional
        For the labels of a time scale.
    label : str
        What a reader that cannot see it is told.
    left : int
        Room for what stands before the vertical scale, in pixels.

    Examples
    --------
    >>> chart = Chart((0, 1), (0, 10), label="errors")
    >>> chart.line(np.array([0.0, 1.0]), np.array([0.0, 10.0]), "ours")
    >>> "<path" in chart.draw()
    True
    """

    x: tuple[float, float]
    y: tuple[float, float]
    height: int = 220
    timezone: tzinfo | None = None
    label: str = ""
    left: int = LEFT
    _marks: list[str] = field(default_factory=list)

    def line(self, x: Floats, y: Floats, style: str, *, steps: bool = False) -> None:
        """Draw a line, interrupted where ``y`` is NaN."""
        runs = []
        for run in _runs(np.isfinite(y)):
            points = [self._point(a, b) for a, b in zip(x[run], y[run], strict=True)]
            joint = "H" if steps else "L"
            runs.append(f"M{' '.join(points)}" if joint == "L" else _stairs(points))
        if runs:
            self._marks.append(f'<path class="{style}" d="{"".join(runs)}"/>')

    def band(self, x: Floats, lower: Floats, upper: Floats, style: str) -> None:
        """Fill between two lines, where both are known."""
        for run in _runs(np.isfinite(lower) & np.isfinite(upper)):
            there = [self._point(a, b) for a, b in zip(x[run], upper[run], strict=True)]
            back = [self._point(a, b) for a, b in zip(x[run], lower[run], strict=True)]
            path = f"M{' '.join([*there, *reversed(back)])}Z"
            self._marks.append(f'<path class="{style}" d="{path}"/>')

    def bar(self, x: tuple[float, float], y: tuple[float, float], style: str, title: str) -> None:
        """Draw a box, at least two pixels wide, with a text that shows under the pointer."""
        left, top = self._at_x(x[0]), self._at_y(y[1])
        width = max(2.0, self._at_x(x[1]) - left)
        height = max(1.0, self._at_y(y[0]) - top)
        self._marks.append(
            f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}"><title>{escape(title)}</title></rect>'
        )

    def text(self, y: float, words: str) -> None:
        """Write at the left of the frame, where a scale would stand."""
        self._marks.append(
            f'<text class="tick" x="{self.left - 6}" y="{self._at_y(y):.1f}" '
            f'text-anchor="end" dominant-baseline="middle">{escape(words)}</text>'
        )

    def draw(self, *, y_ticks: bool = True) -> str:
        """Return the SVG element."""
        parts = [
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" '
            f'aria-label="{escape(self.label, quote=True)}">'
        ]
        for tick in _ticks(*self.y, 5) if y_ticks else ():
            at = self._at_y(tick)
            parts.append(
                f'<path class="grid" d="M{self.left} {at:.1f}H{WIDTH - RIGHT}"/>'
                f'<text class="tick" x="{self.left - 6}" y="{at:.1f}" text-anchor="end" '
                f'dominant-baseline="middle">{_short(tick)}</text>'
            )
        for tick, words in self._x_ticks():
            parts.append(
                f'<text class="tick" x="{self._at_x(tick):.1f}" y="{self.height - 6}" '
                f'text-anchor="middle">{escape(words)}</text>'
            )
        frame = f"M{self.left} {TOP}V{self.height - BOTTOM}H{WIDTH - RIGHT}"
        return "".join([*parts, *self._marks, f'<path class="frame" d="{frame}"/></svg>'])

    def _x_ticks(self) -> Iterable[tuple[float, str]]:
        if self.timezone is None:
            return [(tick, _short(tick)) for tick in _ticks(*self.x, 12)]
        ticks = np.linspace(self.x[0], self.x[1], 7)[:-1] + (self.x[1] - self.x[0]) / 12
        form = "%Y-%m-%d" if self.x[1] - self.x[0] > 10 * 86_400_000 else "%m-%d %H:%M"
        return [
            (
                tick,
                datetime.fromtimestamp(tick / 1000, UTC).astimezone(self.timezone).strftime(form),
            )
            for tick in ticks.tolist()
        ]

    def _point(self, x: float, y: float) -> str:
        return f"{self._at_x(x):.1f} {self._at_y(y):.1f}"

    def _at_x(self, x: float) -> float:
        low, high = self.x
        share = (x - low) / (high - low) if high > low else 0.5
        return self.left + min(max(share, 0.0), 1.0) * (WIDTH - self.left - RIGHT)

    def _at_y(self, y: float) -> float:
        low, high = self.y
        share = (y - low) / (high - low) if high > low else 0.5
        return TOP + (1.0 - min(max(share, 0.0), 1.0)) * (self.height - TOP - BOTTOM)


def range_of(*columns: Floats, zero: bool = False) -> tuple[float, float]:
    """Find a range that holds all finite values, with a little room.

    Examples
    --------
    >>> range_of(np.array([1.0, np.nan, 9.0]), zero=True)
    (0.0, 9.45)
    """
    values = np.concatenate([column[np.isfinite(column)] for column in columns])
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if zero:
        low = min(low, 0.0)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return (low if zero and low == 0.0 else low - room), high + room


def _stairs(points: Sequence[str]) -> str:
    first, *rest = points
    path = [f"M{first}"]
    for point in rest:
        x, y = point.split()
        path.append(f"H{x}V{y}")
    return "".join(path)


def _runs(good: NDArray[np.bool_]) -> list[slice]:
    """Find the runs of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    return [slice(a, b) for a, b in edges.reshape(-1, 2).tolist()]


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Choose round numbers within a range.

    Examples
    --------
    >>> _ticks(0, 23, 12)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    """
    span = high - low
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(step * power for step in (1, 2, 5, 10, 20) if span / (step * power) <= most)
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]


def _short(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"
