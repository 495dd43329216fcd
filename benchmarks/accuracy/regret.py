"""Regret: what the ensemble lost against the best that its own experts could have given.

All comparators are chosen in hindsight, on the slots that are scored. Where an expert slept it is
taken to have said what the ensemble did, so that sleep costs nobody anything; one that slept most
of the time is no comparator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.experts import Panel
from benchmarks.accuracy.forecasts import Floats, Forecast
from benchmarks.accuracy.score import origins
from benchmarks.accuracy.sets import Series

MOSTLY = 0.5  # share of the slots at which a comparator must be awake
REWEIGHTINGS = 15
DESCENTS = 300


@dataclass(frozen=True, slots=True)
class Regret:
    """One series at one horizon: our error over that of each comparator, less one.

    Attributes
    ----------
    expert : str
        The best single expert by absolute error.
    against_expert, against_expert_rmse : float
        The best single expert.
    against_mix, against_mix_rmse : float
        The best fixed convex combination of all experts.
    against_weekly : float
        The best single expert of each calendar week: a sequence that may switch every week.
    """

    cell: str
    series: str
    horizon: int
    expert: str
    against_expert: float
    against_expert_rmse: float
    against_mix: float
    against_mix_rmse: float
    against_weekly: float


def regret(
    series: Series,
    horizon: int,
    forecast: Forecast,
    panel: Panel,
    said: NDArray[np.float32],
) -> Regret:
    """Compare our forecasts with the experts' own."""
    at = origins(series, horizon)
    label = series.values[at + horizon]
    scale = float(np.abs(label - label.mean()).mean()) or 1.0
    there = np.isfinite(said[at]).mean(axis=0) >= MOSTLY
    names = np.array(panel.names)[there & np.array(panel.absolute)].tolist()
    for_absolute = _awake(said[at][:, there & panel.absolute], forecast.predicted[at])
    for_square = _awake(said[at][:, there & panel.squared], forecast.mean[at])
    errors = np.abs(for_absolute - label[:, None])
    ours = float(np.abs(forecast.predicted[at] - label).mean())
    ours_rmse = _rmse(forecast.mean[at] - label)
    best = int(errors.mean(axis=0).argmin())
    week = (series.times_ms[at + horizon] - series.first_ms) // 604_800_000
    weekly = sum(
        float(errors[week == number].sum(axis=0).min()) for number in np.unique(week).tolist()
    )
    absolute = for_absolute @ best_mix(for_absolute / scale, label / scale, absolute=True)
    square = for_square @ best_mix(for_square / scale, label / scale, absolute=False)
    best_rmse = min(_rmse(column - label) for column in for_square.T)
    return Regret(
        series.cell,
        series.name,
        horizon,
        names[best],
        ours / float(errors[:, best].mean()) - 1,
        ours_rmse / best_rmse - 1,
        ours / float(np.abs(absolute - label).mean()) - 1,
        ours_rmse / _rmse(square - label) - 1,
        ours / (weekly / len(label)) - 1,
    )


def best_mix(said: Floats, label: Floats, *, absolute: bool) -> Floats:
    """Find the convex combination of columns with the smallest error.

    The squared error by accelerated projected gradient descent; the absolute
    one by reweighting squares (IRLS), keeping the best mixture met.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [4.0, 1.0], [2.0, 5.0]])
    >>> best_mix(x, x @ np.array([0.25, 0.75]), absolute=False).round(3).tolist()
    [0.25, 0.75]
    """
    experts = said.shape[1]
    mix = np.full(experts, 1.0 / experts)
    # Shares add up to 1, so the error is a mixture of the experts' errors.
    errors_of = said - label[:, None]
    if not absolute:
        vertices = np.square(errors_of).mean(axis=0)
        start = np.eye(experts)[int(vertices.argmin())]
        return _descend(errors_of.T @ errors_of, start)
    candidates = [mix, *np.eye(experts), best_mix(said, label, absolute=False)]
    errors = [float(np.abs(said @ one - label).mean()) for one in candidates]
    least = min(errors)
    mix = best = candidates[errors.index(least)]
    for _ in range(REWEIGHTINGS):
        weight = 1.0 / np.maximum(np.abs(errors_of @ mix), 1e-4)
        mix = _descend((errors_of * weight[:, None]).T @ errors_of, mix)
        error = float(np.abs(said @ mix - label).mean())
        if error < least:
            least, best = error, mix
    return best


def _descend(gram: Floats, mix: Floats) -> Floats:
    """Minimise mix·G·mix over the simplex (FISTA)."""
    step = 1.0 / float(np.linalg.eigvalsh(gram)[-1])
    ahead, momentum = mix, 1.0
    for _ in range(DESCENTS):
        new = project(ahead - step * (gram @ ahead))
        faster = (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5) / 2.0
        ahead = new + (momentum - 1.0) / faster * (new - mix)
        mix, momentum = new, faster
    return mix


def project(point: Floats) -> Floats:
    """Project onto the simplex (Duchi et al. 2008).

    Examples
    --------
    >>> project(np.array([0.6, 0.6, -1.0])).tolist()
    [0.5, 0.5, 0.0]
    """
    ordered = np.sort(point)[::-1]
    excess = (np.cumsum(ordered) - 1.0) / np.arange(1, len(point) + 1)
    kept = int(np.flatnonzero(ordered > excess)[-1])
    return np.maximum(point - excess[kept], 0.0)


def _awake(said: NDArray[np.float32], ours: Floats) -> Floats:
    said = said.astype(np.float64)
    return np.where(np.isfinite(said), said, ours[:, None])


def _rmse(errors: Floats) -> float:
    return float(np.sqrt(np.square(errors).mean()))
