"""The nights after which a method that is fitted again every night is scored.

Fitting one every night for years would take hours. What it says on a day depends on the fit of
the night before alone, so it is fitted on every n-th night only, each time on all history up to
that night as if it had been on all of them, and the days after those nights are scored. No n is a
multiple of seven, so every weekday has its turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.peers.design import local_ms
from benchmarks.accuracy.score import UNSCORED_DAYS, origins
from benchmarks.accuracy.sets import Feed, Series

DAY_MS = 86_400_000
EVERY = {  # chosen by what a fit takes, so that no set takes more than some minutes
    "au_solar_wind": 11,
    "vic_electricity": 25,
    "metro_i94": 34,
    "melbourne_pedestrian": 17,
    "aarhus": 5,
    "elec2": 22,
}


@dataclass(frozen=True, slots=True)
class Night:
    """A local midnight and the day after it.

    Attributes
    ----------
    begin : int
        Slot of the day's first origin. Labels of slots before it are known to the fit.
    end : int
        First slot of the next day.
    """

    begin: int
    end: int


def nights_of(series: Series, timezone: str, every: int) -> list[Night]:
    """Every n-th night, counted back from the last, whose day has readings and is scored."""
    days = local_ms(series, 0, timezone) // DAY_MS
    begins = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    ends = np.append(begins[1:], len(days))
    found = [
        Night(begin, end)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        if begin >= UNSCORED_DAYS * series.day and np.isfinite(series.values[begin:end]).any()
    ]
    return found[::-1][::every][::-1]


def nights(feed: Feed, number: int) -> list[Night]:
    """Those of one series of a feed."""
    return nights_of(feed.series[number], feed.timezone, EVERY[feed.name])


def spread(feed: Feed, number: int, wanted: int) -> NDArray[np.int64]:
    """Some origins that are scored at every horizon, evenly over the days after the nights."""
    series = feed.series[number]
    scored = set.intersection(*(set(origins(series, h).tolist()) for h in feed.horizons))
    at = [
        slot for night in nights(feed, number) for slot in range(night.begin, night.end)
        if slot in scored
    ]  # fmt: skip
    chosen = np.unique(np.round(np.linspace(0, len(at) - 1, min(wanted, len(at)))).astype(int))
    return np.array(at, np.int64)[chosen]
