"""One run: our presets and, unless it is to be quick, the others, feed by feed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from benchmarks.accuracy import ours
from benchmarks.accuracy.elec2 import Elec2, classify
from benchmarks.accuracy.experts import expert_forecasts
from benchmarks.accuracy.forecasts import Forecast
from benchmarks.accuracy.intervals import Calibration, calibration
from benchmarks.accuracy.presets import PRESET_OF
from benchmarks.accuracy.regret import Regret, regret
from benchmarks.accuracy.score import OURS, Scored, score
from benchmarks.accuracy.sets import Feed, load
from benchmarks.cost import Cost, preset_costs

if TYPE_CHECKING:
    from benchmarks.accuracy.peers.everyone import Made


class Other(NamedTuple):
    """What another method made of a feed.

    Attributes
    ----------
    group : str
        Methods of one group are scored together, on the origins that all of them have; those of
        the group "" on all origins.
    seconds : float
        CPU time.
    """

    name: str
    group: str
    made: Made
    seconds: float


class Others(Protocol):
    """Runs other methods over a feed."""

    def __call__(self, feed: Feed, say: Callable[[str], None]) -> list[Other]:
        """Give what each of them made of it."""


@dataclass(slots=True)
class Findings:
    """Everything the report is written from.

    Attributes
    ----------
    scored : list of Scored
        Every series and horizon, on all slots.
    groups : dict of str to list of Scored
        Methods that have few origins or series, with ours and the naive ones on those, by group.
    calibrations : dict of str to list of Calibration
        The intervals of either preset.
    regrets : list of Regret
        Our default's losses against its own experts'.
    costs : list of Cost
        What a series of either preset takes.
    seconds : dict of str to float
        CPU time by method.
    """

    scored: list[Scored] = field(default_factory=list)
    groups: dict[str, list[Scored]] = field(default_factory=dict)
    calibrations: dict[str, list[Calibration]] = field(default_factory=dict)
    regrets: list[Regret] = field(default_factory=list)
    elec2: Elec2 | None = None
    costs: list[Cost] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def measure(
    names: Sequence[str],
    say: Callable[[str], None],
    others: Others | None = None,
    *,
    with_regret: bool = True,
) -> Findings:
    """Run over the feeds named.

    Parameters
    ----------
    say : callable
        Told how far it is.
    others : callable, optional
        Runs the methods beside ours.
    with_regret : bool
        Whether to step a second time, slot by slot, for what each expert said.
    """
    findings = Findings()
    for name in names:
        feed = load(name)
        readings = len(ours.log_of(feed)[0])
        runs = {}
        for method, preset in PRESET_OF.items():
            began = process_time()
            runs[method] = ours.run(feed, preset)
            taken = process_time() - began
            findings.seconds[method] = findings.seconds.get(method, 0.0) + taken
            say(
                f"{name}: {readings:,} readings of {len(feed.series)} series by `{preset}` in "
                f"{taken:.1f} s"
            )
        found = [] if others is None else others(feed, say)
        for other in found:
            before = findings.seconds.get(other.name, 0.0)
            findings.seconds[other.name] = before + other.seconds
        _score(feed, runs, found, findings)
        if with_regret:
            panel, said = expert_forecasts(feed)
            for (number, horizon), lines in said.items():
                forecast = runs[OURS].forecasts[number, horizon]
                findings.regrets.append(
                    regret(feed.series[number], horizon, forecast, panel, lines)
                )
            say(f"{name}: regret against {len(panel.names)} experts")
        if name == "elec2":
            findings.elec2 = classify(feed, runs[OURS])
    findings.costs = preset_costs()
    return findings


def _score(feed: Feed, runs: dict[str, ours.Run], found: list[Other], findings: Findings) -> None:
    for number, series in enumerate(feed.series):
        for horizon in feed.horizons:
            key = number, horizon
            groups: dict[str, dict[str, Forecast]] = {"": {}}
            for other in found:
                if key in other.made:
                    groups.setdefault(other.group, {})[other.name] = other.made[key]
            for group, methods in groups.items():
                mine = {name: run.forecasts[key] for name, run in runs.items()} | methods
                if not group:
                    findings.scored.append(score(series, horizon, mine))
                    continue
                there = [np.isfinite(each.predicted) for each in methods.values()]
                common = np.flatnonzero(np.logical_and.reduce(there))
                findings.groups.setdefault(group, []).append(
                    score(series, horizon, mine, among=common)
                )
            for name, run in runs.items():
                findings.calibrations.setdefault(name, []).append(
                    calibration(series, horizon, run.forecasts[key], run.intervals[key])
                )


def save(findings: Findings, path: Path) -> None:
    """Keep the findings as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(findings), indent=1), "utf-8")
