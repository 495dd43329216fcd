"""Finding out how often a series is read.

Before: ``nursery`` collects the first readings of a series whose profile declares no period.
After: ``bank`` puts the series on the grid found here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

READINGS_NEEDED = 20

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
NICE_PERIODS_MS = (
    10, 20, 50, 100, 200, 500,
    *(n * _SECOND for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * _MINUTE for n in (1, 2, 3, 5, 6, 10, 12, 15, 20, 30)),
    *(n * _HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
    _DAY, 7 * _DAY,
)  # fmt: skip
_LONGEST_MS = 31 * _DAY
_REGULAR = 0.4  # share of the differences that must agree


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a series' slots lie: at ``phase_ms + k · period_ms``."""

    period_ms: int
    phase_ms: int


def snap(period_ms: int) -> int:
    """Return the nice period within 10 % (the nearest, the smaller of two), else two digits.

    Examples
    --------
    >>> snap(302_000), snap(59_000), snap(2_712_345)
    (300000, 60000, 2700000)
    """
    near = [nice for nice in NICE_PERIODS_MS if abs(period_ms - nice) * 10 <= nice]
    if near:
        return min(near, key=lambda nice: (abs(period_ms - nice), nice))
    period_ms = min(max(period_ms, NICE_PERIODS_MS[0]), _LONGEST_MS)
    digits: int = 10 ** max(len(str(period_ms)) - 2, 0)
    return period_ms // digits * digits


def infer_grid(times_ms: Sequence[int]) -> Grid:
    """Infer period and phase from increasing times.

    The period is the commonest difference after snapping (the smaller of equals); where no
    difference is common enough the readings are irregular and the median one is taken. The
    phase is the median place of the readings between two grid points.

    Examples
    --------
    >>> infer_grid([60_000 * k + 7_000 for k in range(20)])
    Grid(period_ms=60000, phase_ms=7000)
    """
    gaps = [later - earlier for earlier, later in zip(times_ms, times_ms[1:], strict=False)]
    snapped = [snap(gap) for gap in gaps]
    votes = {period: snapped.count(period) for period in snapped}
    period = min(votes, key=lambda p: (-votes[p], p))
    if votes[period] < _REGULAR * len(gaps):
        period = snap(median_low(gaps))
    first = times_ms[0]
    # Measured from the first reading, so that residuals do not wrap around.
    residuals = [(t - first + period // 2) % period - period // 2 for t in times_ms]
    return Grid(period, (first + median_low(residuals)) % period)


def declared_grid(period_ms: int, first_ms: int) -> Grid:
    """Put a series with a declared period on the grid of its first reading.

    Readings near whole periods since 1970 get exactly those, so that a little jitter in the
    first one does not move the grid.

    Examples
    --------
    >>> declared_grid(60_000, 121_500), declared_grid(60_000, 150_000)
    (Grid(period_ms=60000, phase_ms=0), Grid(period_ms=60000, phase_ms=30000))
    """
    residual = first_ms % period_ms
    whole = min(residual, period_ms - residual) * 4 <= period_ms
    return Grid(period_ms, 0 if whole else residual)
