"""How good the forecasts were, by kind of sensor and horizon.

Every number is a progressive validation: each forecast was made before its label was seen,
and scored when it arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hedgerow.models import SeriesScore

SEASONS = ("day", "week")
UNITS = {
    "traffic": "cars/h",
    "pedestrian": "people/h",
    "parking": "% taken",
    "bikes": "trips/h",
    "solar": "MW",
    "wind": "MW",
}


@dataclass(slots=True)
class _Paired:
    """Our error and a reference's on the same slots."""

    n: int = 0
    ours: float = 0.0
    theirs: float = 0.0

    @property
    def skill(self) -> float | None:
        return 1 - self.ours / self.theirs if self.theirs else None


@dataclass(slots=True)
class Line:
    """One kind of sensor at one horizon.

    Attributes
    ----------
    lead_ms : int
        How far ahead.
    n : int
        Forecasts scored.
    """

    kind: str
    horizon: int
    lead_ms: int
    n: int = 0
    absolute_error: float = 0.0
    covered: int = 0
    with_interval: int = 0
    references: dict[str, _Paired] = field(default_factory=dict)

    @property
    def mae(self) -> float | None:
        """Mean absolute error."""
        return self.absolute_error / self.n if self.n else None

    @property
    def coverage(self) -> float | None:
        """Share of the labels inside their intervals."""
        return self.covered / self.with_interval if self.with_interval else None

    def skill(self, reference: str) -> float | None:
        """1 − our error / the reference's, over the slots both forecast."""
        return self.references.get(reference, _Paired()).skill

    @property
    def season(self) -> str:
        """The stronger of the seasonal naive forecasts: the one that errs less."""

        def mean_error(name: str) -> float:
            paired = self.references.get(name, _Paired())
            return paired.theirs / paired.n if paired.n else float("inf")

        return min(SEASONS, key=mean_error)


def tally(scores: Iterable[SeriesScore]) -> list[Line]:
    """Add up the scores of the series by profile and horizon.

    Returns
    -------
    list of Line
        In the order of the kinds' names, then of the horizons.
    """
    lines: dict[tuple[str, int], Line] = {}
    for score in scores:
        key = (score.profile, score.horizon)
        line = lines.setdefault(
            key, Line(score.profile, score.horizon, score.horizon * score.period_ms)
        )
        line.n += score.n
        line.absolute_error += score.absolute_error
        line.covered += score.covered
        line.with_interval += score.with_interval
        for reference in score.references:
            paired = line.references.setdefault(reference.reference, _Paired())
            paired.n += reference.n
            paired.ours += reference.absolute_error
            paired.theirs += reference.reference_absolute_error
    return [lines[key] for key in sorted(lines)]


def score_table(lines: Iterable[Line]) -> Table:
    """Lay the lines out, within 80 columns."""
    table = Table(
        title="Forecasts, each scored before anything was learned from its label",
        caption="skill: 1 - our error / the naive forecast's; seasonal: the value a day or a\n"
        "week before, whichever errs less; 90 % interval: share of the labels inside it",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("kind", no_wrap=True)
    for heading in ("ahead", "scored", "MAE"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("skill vs\npersistence", justify="right")
    table.add_column("skill vs\nseasonal", justify="right", no_wrap=True)
    table.add_column("90 %\ninterval", justify="right")
    before = ""
    for line in lines:
        kind = "" if line.kind == before else line.kind
        if kind and before:
            table.add_section()
        before = line.kind
        table.add_row(
            kind,
            lead_text(line.lead_ms),
            f"{line.n:,}",
            "-" if line.mae is None else f"{line.mae:.4g}",
            UNITS.get(line.kind, ""),
            _percent(line.skill("persistence")),
            f"{_percent(line.skill(line.season))} {line.season:<4}",
            "-" if line.coverage is None else f"{line.coverage:.0%}",
        )
    return table


def lead_text(lead_ms: int) -> str:
    """Write a lead time.

    Examples
    --------
    >>> lead_text(1_800_000), lead_text(5_400_000), lead_text(43_200_000)
    ('30 min', '1.5 h', '12 h')
    """
    minutes = lead_ms / 60_000
    return f"{minutes:g} min" if minutes < 60 else f"{minutes / 60:g} h"


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{share:+.0%}" if round(share, 2) else "0%"
