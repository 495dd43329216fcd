"""One run: our default and, unless it is to be quick, the others, feed by feed."""

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
from benchmarks.accuracy.regret import Regret, regret
from benchmarks.accuracy.score import OURS, Scored, score
from benchmarks.accuracy.sets import Feed, load

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
    calibrations : list of Calibration
        Our intervals.
    regrets : list of Regret
        Our losses against our own experts'.
    seconds : dict of str to float
        CPU time by method.
    """

    scored: list[Scored] = field(default_factory=list)
    groups: dict[str, list[Scored]] = field(default_factory=dict)
    calibrations: list[Calibration] = field(default_factory=list)
    regrets: list[Regret] = field(default_factory=list)
    elec2: Elec2 | None = None
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
        began = process_time()
        run = ours.run(feed)
        taken = process_time() - began
        findings.seconds[OURS] = findings.seconds.get(OURS, 0.0) + taken
        readings = len(ours.log_of(feed)[0])
        say(f"{name}: {readings:,} readings of {len(feed.series)} series in {taken:.1f} s")
        found = [] if others is None else others(feed, say)
        for other in found:
            before = findings.seconds.get(other.name, 0.0)
            findings.seconds[other.name] = before + other.seconds
        _score(feed, run, found, findings)
        if with_regret:
            panel, said = expert_forecasts(feed)
            for (number, horizon), lines in said.items():
                forecast = run.forecasts[number, horizon]
                findings.regrets.append(
                    regret(feed.series[number], horizon, forecast, panel, lines)
                )
            say(f"{name}: regret against {len(panel.names)} experts")
        if name == "elec2":
            findings.elec2 = classify(feed, run)
    return findings


def _score(feed: Feed, run: ours.Run, found: list[Other], findings: Findings) -> None:
    for number, series in enumerate(feed.series):
        for horizon in feed.horizons:
            key = number, horizon
            groups: dict[str, dict[str, Forecast]] = {"": {}}
            for other in found:
                if key in other.made:
                    groups.setdefault(other.group, {})[other.name] = other.made[key]
            for group, methods in groups.items():
                mine = {OURS: run.forecasts[key], **methods}
                if not group:
                    findings.scored.append(score(series, horizon, mine))
                    continue
                there = [np.isfinite(each.predicted) for each in methods.values()]
                common = np.flatnonzero(np.logical_and.reduce(there))
                findings.groups.setdefault(group, []).append(
                    score(series, horizon, mine, among=common)
                )
            findings.calibrations.append(
                calibration(series, horizon, run.forecasts[key], run.intervals[key])
            )


def save(findings: Findings, path: Path) -> None:
    """Keep the findings as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(findings), indent=1), "utf-8")
