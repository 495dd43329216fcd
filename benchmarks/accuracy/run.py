"""One run: our presets and, unless it is to be quick, the others, feed by feed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from time import process_time
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import ours
from benchmarks.accuracy.elec2 import Elec2, classify
from benchmarks.accuracy.experts import expert_forecasts
from benchmarks.accuracy.forecasts import Forecast
from benchmarks.accuracy.intervals import Calibration, calibration
from benchmarks.accuracy.presets import PRESET_OF
from benchmarks.accuracy.progress import Silent, Watch
from benchmarks.accuracy.regret import Regret, regret
from benchmarks.accuracy.score import OURS, Scored, origins, score
from benchmarks.accuracy.sets import Feed, load
from benchmarks.cost import Cost, preset_costs

OURS_SECONDS = 15e-6  # a reading and preset, about: for the time left only
REGRET_SECONDS = 150e-6
LATER = "later nights"

# By (index of the series, horizon).
Made = dict[tuple[int, int], Forecast]


class Scope(StrEnum):
    """What a method was run on, and so the table it stands in."""

    WHOLE = "whole"
    FEW_SERIES = "few series"
    NIGHTS = "nights"
    ORIGINS = "origins"


class Other(NamedTuple):
    """What another method made of a feed.

    Attributes
    ----------
    seconds : float
        CPU time.
    fits, overtime : int
        Fits, and those that were ended for taking too long; none for a method that learns online.
    """

    name: str
    scope: Scope
    made: Made
    seconds: float
    fits: int = 0
    overtime: int = 0


class Others(Protocol):
    """Runs other methods over a feed."""

    def work(self, feed: Feed) -> float:
        """About how many seconds it will take."""

    def __call__(self, feed: Feed, watch: Watch) -> list[Other]:
        """Give what each of them made of it."""


@dataclass(slots=True)
class Spent:
    """What a method took on all feeds.

    Attributes
    ----------
    seconds : dict of str to float
        CPU time by feed.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    fits: int = 0
    overtime: int = 0


@dataclass(slots=True)
class Findings:
    """Everything the report is written from.

    Attributes
    ----------
    scored : list of Scored
        Every series and horizon, on all slots.
    groups : dict of str to list of Scored
        All methods on the slots or series that the more expensive ones were run on, by table; see
        `tables_of`.
    calibrations : dict of str to list of Calibration
        The intervals of either preset.
    regrets : list of Regret
        Our default's losses against its own experts'.
    costs : list of Cost
        What a series of either preset takes.
    spent : dict of str to Spent
        CPU time by method.
    """

    scored: list[Scored] = field(default_factory=list)
    groups: dict[str, list[Scored]] = field(default_factory=dict)
    calibrations: dict[str, list[Calibration]] = field(default_factory=dict)
    regrets: list[Regret] = field(default_factory=list)
    elec2: Elec2 | None = None
    costs: list[Cost] = field(default_factory=list)
    spent: dict[str, Spent] = field(default_factory=dict)


def measure(
    names: Sequence[str],
    watch: Watch | None = None,
    others: Others | None = None,
    *,
    with_regret: bool = True,
) -> Findings:
    """Run over the feeds named.

    Parameters
    ----------
    watch : Watch, optional
        Told how far it is.
    others : callable, optional
        Runs the methods beside ours.
    with_regret : bool
        Whether to step a second time, slot by slot, for what each expert said.
    """
    watch = watch or Silent()
    findings = Findings()
    feeds = [load(name) for name in names]
    for feed in feeds:
        watch.expect(_work(feed, with_regret=with_regret))
        watch.expect(0.0 if others is None else others.work(feed))
    for feed in feeds:
        readings = len(ours.log_of(feed)[0])
        runs = {}
        for method, preset in PRESET_OF.items():
            began = process_time()
            runs[method] = ours.run(feed, preset)
            taken = process_time() - began
            findings.spent.setdefault(method, Spent()).seconds[feed.name] = taken
            watch.say(
                f"{feed.name}: {readings:,} readings of {len(feed.series)} series by `{preset}` "
                f"in {taken:.1f} s"
            )
        found = [] if others is None else others(feed, watch)
        for other in found:
            spent = findings.spent.setdefault(other.name, Spent())
            spent.seconds[feed.name] = other.seconds
            spent.fits += other.fits
            spent.overtime += other.overtime
        _score(feed, runs, found, findings)
        if with_regret:
            panel, said = expert_forecasts(feed)
            for (number, horizon), lines in said.items():
                forecast = runs[OURS].forecasts[number, horizon]
                findings.regrets.append(
                    regret(feed.series[number], horizon, forecast, panel, lines)
                )
            watch.say(f"{feed.name}: regret against {len(panel.names)} experts")
        if feed.name == "elec2":
            findings.elec2 = classify(feed, runs[OURS])
        watch.done(_work(feed, with_regret=with_regret))
    findings.costs = preset_costs()
    return findings


def _work(feed: Feed, *, with_regret: bool) -> float:
    readings = len(ours.log_of(feed)[0])
    return readings * (OURS_SECONDS * len(PRESET_OF) + REGRET_SECONDS * with_regret)


def _score(feed: Feed, runs: dict[str, ours.Run], found: list[Other], findings: Findings) -> None:
    for number, series in enumerate(feed.series):
        for horizon in feed.horizons:
            key = number, horizon
            made: dict[Scope, dict[str, Forecast]] = {scope: {} for scope in Scope}
            for other in found:
                if key in other.made:
                    made[other.scope][other.name] = other.made[key]
            everywhere = {name: run.forecasts[key] for name, run in runs.items()}
            everywhere |= made[Scope.WHOLE]
            findings.scored.append(score(series, horizon, everywhere))
            for table, methods, at in tables_of(made, origins(series, horizon)):
                scored = score(series, horizon, everywhere | methods, among=at)
                findings.groups.setdefault(table, []).append(scored)
            for name, run in runs.items():
                findings.calibrations.setdefault(name, []).append(
                    calibration(series, horizon, run.forecasts[key], run.intervals[key])
                )


def tables_of(
    made: Mapping[Scope, Mapping[str, Forecast]], scored: NDArray[np.int64]
) -> Iterator[tuple[str, dict[str, Forecast], NDArray[np.int64]]]:
    """Sort the more expensive methods into tables, each on slots that all in it have.

    Those that are fitted every night are shown a second time on the later half of their slots,
    where they have most history; those that are fitted at every origin stand beside them on the
    origins of these alone.

    Yields
    ------
    table : str
    methods : dict of str to Forecast
        Those in it besides the ones that were run on everything.
    at : ndarray of int64
        The slots scored.
    """
    few, nightly, rare = (
        dict(made[scope]) for scope in (Scope.FEW_SERIES, Scope.NIGHTS, Scope.ORIGINS)
    )
    if few:
        yield Scope.FEW_SERIES, few, _common(few, scored)
    if nightly and len(at := _common(nightly, scored)):
        yield Scope.NIGHTS, nightly, at
        yield LATER, nightly, at[len(at) // 2 :]
    if rare and len(at := _common(nightly | rare, scored)):
        yield Scope.ORIGINS, nightly | rare, at


def _common(methods: Mapping[str, Forecast], scored: NDArray[np.int64]) -> NDArray[np.int64]:
    there = [np.isfinite(each.predicted[scored]) for each in methods.values()]
    return scored[np.logical_and.reduce(there)]


def save(findings: Findings, path: Path) -> None:
    """Keep the findings as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(findings), indent=1), "utf-8")
