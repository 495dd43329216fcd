"""From running scores to the lines of a table and of the JSON document.

Before: ``run`` ends with the learner's scores. After: ``app/cli/backtest`` prints them and
``report`` draws them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median

from hedgerow.app.backtest.run import Findings
from hedgerow.models import SeriesScore, series_key

SEASONS = ("day", "week")


@dataclass(frozen=True, slots=True)
class Line:
    """Progressive validation of a series, or of all series of a profile, at one horizon.

    Attributes
    ----------
    name : str
        Key of the series, or name of the profile.
    series : int
        How many it sums up: then every number but ``n`` is a median over them.
    horizon, lead_ms : int
        Slots ahead, and how long that is.
    n : int
        Published forecasts whose label arrived.
    mae, rmse : float or None
        Mean absolute error of ``predicted``, root mean squared error of ``mean``.
    skill : dict of str to float or None
        1 − MAE / that of ``persistence``, ``day`` and ``week``, each on the labels both had.
    coverage, width : float or None
        Share of the labels inside their interval, and its mean width.
    regret : float or None
        Error lost against the best single expert in hindsight, as a share of ``mae``; below 0
        where the ensemble is better than all of them.
    weights, mean_weights : dict of str to float
        Share of each expert in ``predicted`` and in ``mean`` at the end, as if all were awake.
    """

    name: str
    series: int
    horizon: int
    lead_ms: int
    n: int
    mae: float | None
    rmse: float | None
    skill: dict[str, float | None]
    coverage: float | None
    width: float | None
    regret: float | None
    weights: dict[str, float]
    mean_weights: dict[str, float]

    @property
    def period_ms(self) -> int:
        """Length of a slot."""
        return self.lead_ms // self.horizon

    @property
    def season(self) -> str:
        """The stronger seasonal reference: the one with the smaller skill against it."""
        known = [(skill, name) for name in SEASONS if (skill := self.skill[name]) is not None]
        return min(known)[1] if known else SEASONS[0]

    @property
    def leading(self) -> list[tuple[str, float]]:
        """The experts by weight, the heaviest first."""
        return sorted(self.weights.items(), key=lambda pair: -pair[1])


def series_lines(scores: Iterable[SeriesScore]) -> list[Line]:
    """Make a line for each series and horizon, in their order."""
    return [_line(score) for score in scores]


def profile_lines(scores: Sequence[SeriesScore]) -> list[Line]:
    """Make a line for each profile and horizon: medians over the series that were scored."""
    groups: dict[tuple[str, int, int], list[Line]] = {}
    for score in scores:
        if score.n:
            key = (score.profile, score.period_ms, score.horizon)
            groups.setdefault(key, []).append(_line(score))
    return [_joined(name, lines) for (name, _, _), lines in sorted(groups.items())]


def _line(score: SeriesScore) -> Line:
    return Line(
        name=series_key(score.sensor_id, score.quantity),
        series=1,
        horizon=score.horizon,
        lead_ms=score.horizon * score.period_ms,
        n=score.n,
        mae=score.absolute_error / score.n if score.n else None,
        rmse=math.sqrt(score.squared_error / score.n) if score.n else None,
        skill={reference.reference: reference.skill for reference in score.references},
        coverage=score.covered / score.with_interval if score.with_interval else None,
        width=score.width_sum / score.with_interval if score.with_interval else None,
        regret=score.regret / score.absolute_error if score.absolute_error else None,
        weights=score.weights,
        mean_weights=score.mean_weights,
    )


def _joined(name: str, lines: Sequence[Line]) -> Line:
    return Line(
        name=name,
        series=len(lines),
        horizon=lines[0].horizon,
        lead_ms=lines[0].lead_ms,
        n=sum(line.n for line in lines),
        mae=_median(line.mae for line in lines),
        rmse=_median(line.rmse for line in lines),
        skill={
            reference: _median(line.skill[reference] for line in lines)
            for reference in lines[0].skill
        },
        coverage=_median(line.coverage for line in lines),
        width=_median(line.width for line in lines),
        regret=_median(line.regret for line in lines),
        weights=_mean_shares([line.weights for line in lines]),
        mean_weights=_mean_shares([line.mean_weights for line in lines]),
    )


def _mean_shares(shares: Sequence[dict[str, float]]) -> dict[str, float]:
    experts = dict.fromkeys(expert for share in shares for expert in share)
    return {expert: fmean(share.get(expert, 0.0) for share in shares) for expert in experts}


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def as_document(findings: Findings, seconds: float) -> dict[str, object]:
    """Everything that was found, for ``--json``."""
    counts = findings.counts
    return {
        "seconds": round(seconds, 3),
        "counts": {
            **asdict(counts),
            "messages": counts.messages,
            "readings": counts.readings,
        },
        "bad": dict(findings.bad),
        "alerts": dict(findings.alerts),
        "profiles": [_document(line) for line in profile_lines(findings.scores)],
        "series": [_document(line) for line in series_lines(findings.scores)],
    }


def _document(line: Line) -> dict[str, object]:
    document = asdict(line)
    document["lead_time_seconds"] = document.pop("lead_ms") / 1000
    return document
