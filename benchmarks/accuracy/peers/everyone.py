"""Which method runs on which series and slots, and the cuts that were made for time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

from benchmarks.accuracy.forecasts import Floats, Forecast, blank
from benchmarks.accuracy.peers import (
    kept,
    lightgbm_nightly,
    refitted,
    river_models,
    statsforecast_models,
)
from benchmarks.accuracy.peers.limited import Limited
from benchmarks.accuracy.peers.nights import EVERY, nights, spread
from benchmarks.accuracy.progress import Watch
from benchmarks.accuracy.run import Made, Other, Scope
from benchmarks.accuracy.sets import Feed

Done = Callable[[], None]
SENSORS = {  # of aarhus' twenty, both quantities: every third, and every seventh
    Scope.WHOLE: range(0, 20, 3),
    Scope.NIGHTS: range(0, 20, 3),
    Scope.ORIGINS: range(0, 20, 7),
}
ORIGINS = {"aarhus": 28, "vic_electricity": 200, "metro_i94": 200, "elec2": 160}
MOST_ORIGINS = 140
LIMIT_SECONDS = 30.0  # CPU time of one fit
FOREST = ("solar", "Birrarung Marr", "158324/count")  # the series that River's forest is run on


@dataclass(slots=True)
class Work:
    """What a method made of a feed.

    Attributes
    ----------
    fits, overtime : int
        Fits, and those that were ended for taking too long; none for a method that learns online.
    seconds : float
        CPU time spent in other processes.
    """

    made: Made = field(default_factory=dict)
    fits: int = 0
    overtime: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A method: its name in the report, and how it forecasts a feed.

    Attributes
    ----------
    run : callable
        Forecasts a feed, and tells after every step.
    steps : callable
        How many steps there will be.
    step_seconds : callable
        About how long one takes, for the time left only.
    """

    name: str
    package: str
    scope: Scope
    run: Callable[[Feed, Done], Work]
    steps: Callable[[Feed], int]
    step_seconds: Callable[[Feed], float]


def peers() -> list[Peer]:
    """List all of them."""
    return [
        _river("River LinearRegression", river_models.linear, 40e-6),
        _river("River LinearRegression, careful", river_models.careful_linear, 50e-6),
        _river("River EWARegressor", river_models.weighted, 75e-6),
        _river("River ARFRegressor", river_models.adaptive_forest, 1.6e-3, Scope.FEW_SERIES),
        Peer("River SNARIMAX", "river", Scope.WHOLE, _snarimax,
             lambda feed: len(_numbers(feed, Scope.WHOLE)), lambda feed: 70e-6 * _slots(feed)),
        Peer("LightGBM", "lightgbm", Scope.NIGHTS, _boosted, _boosted_steps,
             lambda feed: 0.25 + 1.1e-5 * _slots(feed)),
        *(_statsforecast(name) for name in statsforecast_models.NAMES),
    ]  # fmt: skip


def _slots(feed: Feed) -> int:
    return len(feed.series[0].values)


def _numbers(feed: Feed, scope: Scope) -> list[int]:
    """Which series a method is run on."""
    everyone = range(len(feed.series))
    if scope is Scope.FEW_SERIES:
        return [i for i in everyone if feed.series[i].name in FOREST]
    if feed.name == "aarhus":
        return [2 * sensor + quantity for sensor in SENSORS[scope] for quantity in (0, 1)]
    return list(everyone)


def _river(name: str, make: Callable, reading_seconds: float, scope: Scope = Scope.WHOLE) -> Peer:
    def run(feed: Feed, done: Done) -> Work:
        work = Work()
        for number in _numbers(feed, scope):
            for horizon in feed.horizons:
                work.made[number, horizon] = river_models.forecast_regressor(
                    make, feed.series[number], horizon, feed.timezone
                )
                done()
        return work

    return Peer(name, "river", scope, run,
                lambda feed: len(_numbers(feed, scope)) * len(feed.horizons),
                lambda feed: reading_seconds * _slots(feed))  # fmt: skip


def _snarimax(feed: Feed, done: Done) -> Work:
    work = Work()
    for number in _numbers(feed, Scope.WHOLE):
        series = feed.series[number]
        for horizon, forecast in river_models.forecast_snarimax(series, feed.horizons).items():
            work.made[number, horizon] = forecast
        done()
    return work


def _boosted(feed: Feed, done: Done) -> Work:
    work = Work()

    def fitted() -> None:
        work.fits += 2  # for the median and for the mean
        done()

    for number in _numbers(feed, Scope.NIGHTS):
        for horizon in feed.horizons:
            work.made[number, horizon] = refitted.forecast(
                lightgbm_nightly.fit, feed.series[number], horizon, feed.timezone,
                nights(feed, number), fitted,
            )  # fmt: skip
    return work


def _boosted_steps(feed: Feed) -> int:
    return sum(len(nights(feed, i)) for i in _numbers(feed, Scope.NIGHTS)) * len(feed.horizons)


def _statsforecast(name: str) -> Peer:
    def run(feed: Feed, done: Done) -> Work:
        work = Work()
        with Limited(statsforecast_models.forecast_at, LIMIT_SECONDS) as fit:
            for number in _numbers(feed, Scope.ORIGINS):
                series = feed.series[number]
                made: dict[int, Floats] = {horizon: blank(series) for horizon in feed.horizons}
                weeks = statsforecast_models.weeks_of(name, series.period_ms)
                for origin in spread(feed, number, _origins(feed)).tolist():
                    past = statsforecast_models.history(series, origin, weeks)
                    said = fit(name, past, series.day, max(feed.horizons))
                    for horizon in feed.horizons if said is not None else ():
                        made[horizon][origin] = said[horizon - 1]
                    done()
                for horizon, values in made.items():
                    work.made[number, horizon] = Forecast(values, values)
            work.fits, work.overtime, work.seconds = fit.calls, fit.overtime, fit.seconds
        return work

    return Peer(name, "statsforecast", Scope.ORIGINS, run,
                lambda feed: len(_numbers(feed, Scope.ORIGINS)) * _origins(feed),
                lambda feed: 5e-4 * feed.series[0].day * 4)  # fmt: skip


def _origins(feed: Feed) -> int:
    return ORIGINS.get(feed.name, MOST_ORIGINS)


@dataclass(frozen=True, slots=True)
class Everyone:
    """Runs all of them over a feed; see `benchmarks.accuracy.run.Others`.

    Parameters
    ----------
    folder : Path
        Where their forecasts are kept.
    reuse : bool
        Take them from there instead, so that a change of ours can be scored beside them without
        waiting; what is not there is left out.
    """

    chosen: Sequence[Peer]
    folder: Path
    reuse: bool = False

    def work(self, feed: Feed) -> float:
        """About how many seconds it will take."""
        return 0.0 if self.reuse else sum(p.steps(feed) * p.step_seconds(feed) for p in self.chosen)

    def __call__(self, feed: Feed, watch: Watch) -> list[Other]:
        """Give what each of them made of it."""
        found = []
        for peer in self.chosen:
            path = kept.path_of(self.folder, feed.name, peer.name, peer.package)
            other = kept.read(path) if self.reuse else self._run(peer, feed, watch)
            if other is None or not other.made:
                continue
            if not self.reuse:
                kept.write(path, other)
            found.append(other)
            watch.say(
                f"{feed.name}: {peer.name}, {len(other.made)} series and horizons, "
                f"{other.fits:,} fits, {other.seconds:.0f} s of CPU"
            )
        return found

    @staticmethod
    def _run(peer: Peer, feed: Feed, watch: Watch) -> Other:
        step = peer.step_seconds(feed)
        began = process_time()
        work = peer.run(feed, lambda: watch.done(step))
        seconds = process_time() - began + work.seconds
        return Other(peer.name, peer.scope, work.made, seconds, work.fits, work.overtime)


def cuts() -> tuple[str, ...]:
    """Say what was left out for time, and how the others were set up."""
    every = ", ".join(f"{n} on {name}" for name, n in EVERY.items())
    at = ", ".join(f"{n} on {name}" for name, n in ORIGINS.items())
    some, few = (len(SENSORS[scope]) for scope in (Scope.WHOLE, Scope.ORIGINS))
    return (
        f"On aarhus River and LightGBM see every third of the 20 sensors ({some}), statsforecast "
        f"every seventh ({few}), always both quantities.",
        "LightGBM is fitted at local midnight on all history up to it and forecasts from every "
        "slot of the day that begins, as a nightly job does. Only the days after every n-th night, "
        f"counted back from the last, are fitted for and scored; n is {every}. 80 trees, one model "
        "for the median and one for the mean.",
        "River's regressors: features standardised, target scaled by what was read so far, both "
        "clipped at ten deviations; *careful*, and within EWARegressor (steps 0.01 to 0.0003), "
        "with clipped gradients and a step of 0.001.",
        "River's SNARIMAX: one model iterated to every horizon, on differences to last week.",
        "River's ARFRegressor, five trees: the solar plant, one melbourne counter, one count of "
        "aarhus.",
        "statsforecast is fitted anew at each origin, at origins spread evenly over the days that "
        f"LightGBM forecasts: {MOST_ORIGINS} of each series, but {at}. It sees the last "
        f"{statsforecast_models.WEEKS} weeks; on aarhus MSTL sees all there is, which is less, and "
        "Theta two weeks: there one fit on everything takes 10 seconds, on the other sets up to "
        "40. (MSTL on 26 weeks instead of 8, tried on metro_i94 and one melbourne counter, errs "
        "more a day ahead and less nowhere by more than 1.5 %.) MSTL's smoothers step by a tenth "
        "of their window, as R's do by default; the errors tried changed by 0.3 % at most. A fit "
        f"is ended after {LIMIT_SECONDS:.0f} seconds of CPU.",
    )
