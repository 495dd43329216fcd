"""The product's own step over a feed, its published forecasts sorted by origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.forecasts import Floats, Forecast, blank
from benchmarks.accuracy.sets import Feed
from hedgerow.models import CityModel, Learner, Profile

BATCH = 50_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Limits by origin."""

    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a learner published about a feed.

    Attributes
    ----------
    forecasts, intervals : dict
        By (index of the series, horizon).
    """

    forecasts: dict[tuple[int, int], Forecast]
    intervals: dict[tuple[int, int], Interval]


def learner_for(feed: Feed, preset: str = "accurate") -> Learner:
    """Make a learner with the defaults: only horizons, time zone and the preset are given."""
    profile = Profile(feed.name, horizons=feed.horizons, experts=(preset,))
    return Learner(CityModel(profiles=(profile,), timezone=feed.timezone))


def log_of(feed: Feed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order all readings of a feed as they would arrive.

    Returns
    -------
    which, slots : ndarray of int64
        Series and slot of each reading, by time, then in the order of the series.
    """
    which, slots, times = [], [], []
    for number, series in enumerate(feed.series):
        there = np.flatnonzero(np.isfinite(series.values))
        which.append(np.full(len(there), number))
        slots.append(there)
        times.append(series.times_ms[there])
    order = np.lexsort((np.concatenate(which), np.concatenate(times)))
    return np.concatenate(which)[order], np.concatenate(slots)[order]


def run(feed: Feed, preset: str = "accurate") -> Run:
    """Step a fresh learner through the feed."""
    columns = ("predicted", "mean", "lower", "upper")
    out = {
        (number, horizon): {name: blank(series) for name in columns}
        for number, series in enumerate(feed.series)
        for horizon in feed.horizons
    }
    learner = learner_for(feed, preset)
    which, slots = log_of(feed)
    for begin in range(0, len(which), BATCH):
        series, slot = which[begin : begin + BATCH], slots[begin : begin + BATCH]
        mine = [feed.series[i] for i in series.tolist()]
        result = learner.step(
            [one.sensor_id for one in mine],
            [one.quantity for one in mine],
            np.array(
                [one.first_ms + int(k) * one.period_ms for one, k in zip(mine, slot, strict=True)]
            ),
            np.array([one.values[k] for one, k in zip(mine, slot, strict=True)]),
            np.arange(begin, begin + len(series)),
        )
        for column, horizon in enumerate(feed.horizons):
            made = result.horizons[:, column] == horizon
            origin = result.learned[made]
            for number in np.unique(series[origin]).tolist():
                of_this = series[origin] == number
                into = out[number, horizon]
                for name in columns:
                    values = getattr(result, name)[made, column]
                    into[name][slot[origin][of_this]] = values[of_this]
    _check_grid(feed, learner)
    return Run(
        {key: Forecast(each["predicted"], each["mean"]) for key, each in out.items()},
        {key: Interval(each["lower"], each["upper"]) for key, each in out.items()},
    )


def _check_grid(feed: Feed, learner: Learner) -> None:
    """The learner finds the period by itself; a wrong one would score other slots."""
    periods = {(s.sensor_id, s.quantity): s.period_ms for s in feed.series}
    for score in learner.scores():
        if score.period_ms != periods[score.sensor_id, score.quantity]:
            raise SystemExit(
                f"{feed.name}: series {score.sensor_id} was put on a grid of {score.period_ms} ms"
            )
