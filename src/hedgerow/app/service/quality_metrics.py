"""How good the forecasts have been, by profile and horizon: what many series' scores add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from prometheus_client.core import Metric

from hedgerow.app.service import metric_catalogue as metric
from hedgerow.models import Tally


def quality(groups: Mapping[tuple[str, str], Sequence[Tally]]) -> Iterator[Metric]:
    """Yield the gauges of skill, errors, intervals and experts.

    Parameters
    ----------
    groups : Mapping
        The tallies of all held partitions, by profile and horizon.
    """
    error, regret = metric.ABSOLUTE_ERROR.family(), metric.REGRET.family()
    skill, errors = metric.SKILL.family(), metric.ERROR_SUM.family()
    coverage, intervals = metric.INTERVAL_COVERAGE.family(), metric.INTERVAL_LABELS.family()
    weights, level = metric.EXPERT_WEIGHT.family(), metric.INTERVAL_LEVEL.family()
    for name, promised in sorted(
        {(t.profile, t.interval_level) for ts in groups.values() for t in ts}
    ):
        level.add_metric([name], promised)
    for (profile, horizon), tallies in sorted(groups.items()):
        key = [profile, horizon]
        labels = sum(t.labels for t in tallies)
        error.add_metric(key, sum(t.absolute_error for t in tallies) / labels)
        regret.add_metric(key, float(np.median(np.concatenate([t.regrets for t in tallies]))))
        for reference in sorted(tallies[0].skills):
            skills = np.concatenate([t.skills[reference] for t in tallies])
            if len(skills):
                skill.add_metric([*key, reference], float(np.median(skills)))
            for place, of in enumerate(("forecast", "reference")):
                total = sum(t.paired[reference][place] for t in tallies)
                errors.add_metric([*key, reference, of], total)
        inside = sum(t.inside for t in tallies)
        with_interval = sum(t.with_interval for t in tallies)
        if with_interval:
            coverage.add_metric(key, inside / with_interval)
        intervals.add_metric([*key, "inside"], inside)
        intervals.add_metric([*key, "outside"], with_interval - inside)
        series = sum(t.series for t in tallies)
        for expert in sorted({expert for t in tallies for expert in t.weights}):
            total = sum(t.weights.get(expert, 0.0) for t in tallies)
            weights.add_metric([*key, expert], total / series)
    yield from (error, skill, errors, coverage, intervals, level, regret, weights)
