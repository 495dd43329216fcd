"""Which method runs on which series, and the cuts that were made for time.

All of a method's forecasts of a feed are kept below ``build/bench/peers``, so that a change of
ours can be scored beside them again without waiting for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.accuracy.forecasts import Forecast
from benchmarks.accuracy.peers import lightgbm_nightly, river_models, statsforecast_models
from benchmarks.accuracy.run import Other, Others
from benchmarks.accuracy.score import origins
from benchmarks.accuracy.sets import Feed

# By (index of the series, horizon).
Made = dict[tuple[int, int], Forecast]

REFIT_DAYS = {  # every night where that takes minutes; on the others it would take hours
    "au_solar_wind": 1,
    "aarhus": 1,
    "vic_electricity": 7,
    "melbourne_pedestrian": 7,
    "elec2": 7,
    "metro_i94": 14,
}
SENSORS = 3  # of aarhus' twenty, for methods that are too slow for all
ORIGINS = {"aarhus": 12}  # refits of statsforecast for each series
MOST_ORIGINS = 40
WEEKS = 8
FEW_SERIES, FEW_ORIGINS = "few series", "few origins"


@dataclass(frozen=True, slots=True)
class Peer:
    """A method: its name in the report, and how it forecasts a feed.

    Attributes
    ----------
    group : str
        Scored with the others of its group; see `benchmarks.accuracy.run.Other`.
    """

    name: str
    run: Callable[[Feed], Made]
    package: str
    group: str = ""


def peers(*, nightly: bool = False) -> list[Peer]:
    """List all of them."""

    def boosted(feed: Feed) -> Made:
        days = 1 if nightly else REFIT_DAYS[feed.name]
        return {
            (number, horizon): lightgbm_nightly.forecast(
                feed.series[number], horizon, feed.timezone, every_days=days
            )
            for number in _some(feed)
            for horizon in feed.horizons
        }

    def river(make: Callable) -> Callable[[Feed], Made]:
        few = make is river_models.adaptive_forest

        def run(feed: Feed) -> Made:
            return {
                (number, horizon): river_models.forecast_regressor(
                    make, feed.series[number], horizon, feed.timezone
                )
                for number in (_few(feed) if few else _some(feed))
                for horizon in feed.horizons
            }

        return run

    return [
        Peer("LightGBM", boosted, "lightgbm"),
        Peer("River LinearRegression", river(river_models.linear), "river"),
        Peer("River LinearRegression, careful", river(river_models.careful_linear), "river"),
        Peer("River EWARegressor", river(river_models.weighted), "river"),
        Peer("River ARFRegressor", river(river_models.adaptive_forest), "river", FEW_SERIES),
        Peer("River SNARIMAX", _snarimax, "river"),
        Peer("MSTL", lambda feed: _statsforecast(feed, "MSTL"), "statsforecast", FEW_ORIGINS),
        Peer(
            "DynamicOptimizedTheta",
            lambda feed: _statsforecast(feed, "DynamicOptimizedTheta"),
            "statsforecast",
            FEW_ORIGINS,
        ),
    ]


def _some(feed: Feed) -> range:
    """All series, or both quantities of aarhus' first sensors."""
    return range(2 * SENSORS if feed.name == "aarhus" else len(feed.series))


def _few(feed: Feed) -> range:
    number = {"au_solar_wind": 1, "melbourne_pedestrian": 1, "aarhus": 1}.get(feed.name, 0)
    return range(number)


def _snarimax(feed: Feed) -> Made:
    made = {}
    for number in _some(feed):
        series = feed.series[number]
        for horizon, forecast in river_models.forecast_snarimax(series, feed.horizons).items():
            made[number, horizon] = forecast
    return made


def _statsforecast(feed: Feed, name: str) -> Made:
    made = {}
    for number in range(min(len(feed.series), 4)):
        series = feed.series[number]
        at = statsforecast_models.coarse_origins(
            origins(series, max(feed.horizons)), ORIGINS.get(feed.name, MOST_ORIGINS)
        )
        found = statsforecast_models.forecast(series, feed.horizons, at, name=name, weeks=WEEKS)
        for horizon, forecast in found.items():
            made[number, horizon] = forecast
    return made


def forecasts(peer: Peer, feed: Feed, folder: Path, *, reuse: bool) -> tuple[Made, float]:
    """Run a method over a feed, or take what an earlier run of the same version made.

    What was never run is left out then.

    Returns
    -------
    made : dict
        Its forecasts.
    seconds : float
        CPU time they took when they were made.
    """
    made_with = f"{peer.package}-{version(peer.package)}"
    path = folder / f"{feed.name} {peer.name} {made_with}.npz".replace(" ", "_")
    if reuse:
        return _read(path) if path.is_file() else ({}, 0.0)
    began = process_time()
    made = peer.run(feed)
    seconds = process_time() - began
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        f"{number}.{horizon}.{what}": getattr(forecast, what)
        for (number, horizon), forecast in made.items()
        for what in ("predicted", "mean")
    }
    np.savez_compressed(path, seconds=seconds, **columns)
    return made, seconds


def _read(path: Path) -> tuple[Made, float]:
    made = {}
    with np.load(path) as kept:
        for name in kept.files:
            if name.endswith(".predicted"):
                number, horizon, _ = name.split(".")
                mean = kept[f"{number}.{horizon}.mean"]
                made[int(number), int(horizon)] = Forecast(kept[name], mean)
        return made, float(kept["seconds"])


def runner(chosen: Sequence[Peer], folder: Path, *, reuse: bool) -> Others:
    """Make what runs these over a feed."""

    def run(feed: Feed, say: Callable[[str], None]) -> list[Other]:
        found = []
        for peer in chosen:
            made, seconds = forecasts(peer, feed, folder, reuse=reuse)
            say(f"{feed.name}: {peer.name} on {len(made)} in {seconds:.0f} s of CPU")
            if made:
                found.append(Other(peer.name, peer.group, made, seconds))
        return found

    return run


def cuts(*, nightly: bool) -> tuple[str, ...]:
    """Say what was left out for time, and how the others were set up."""
    rarer = ", ".join(f"every {n} days on {name}" for name, n in REFIT_DAYS.items() if n > 1)
    refitted = "every night" if nightly else f"every night, but {rarer}"
    return (
        f"LightGBM: {refitted}; 80 trees, one model for the median and one for the mean.",
        f"River and LightGBM on aarhus: the first {SENSORS} of the 20 sensors, both quantities.",
        "River's regressors: features standardised, target scaled by what was read so far, both\n"
        "  clipped at ten deviations; *careful*, and within EWARegressor (steps 0.01 to 0.0003), "
        "with\n  clipped gradients and a step of 0.001.",
        "River's SNARIMAX: one model iterated to every horizon, on differences to last week.",
        "River's ARFRegressor(5): the solar plant, one melbourne counter, one count of aarhus.",
        f"statsforecast: fitted anew on the last {WEEKS} weeks at {MOST_ORIGINS} evenly spaced "
        f"origins of\n  each series ({ORIGINS['aarhus']} of the first two sensors of aarhus).",
    )
