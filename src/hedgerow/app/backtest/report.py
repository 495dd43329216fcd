"""The backtest's report: one HTML file with every plot inside it, to be opened without a network.

Before: ``run`` and its trace. The page has no script and names nothing outside itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from hedgerow.app.backtest import plots
from hedgerow.app.backtest.lines import Line, profile_lines, series_lines
from hedgerow.app.backtest.run import Findings
from hedgerow.app.backtest.table import heaviest_text, lead_text, number, percent, profile_text
from hedgerow.app.backtest.trace import Matched, Trace
from hedgerow.app.errors import AppError
from hedgerow.models import CityModel, SeriesScore, series_key

MOST_PLOTTED = 8
MOST_LINES = 200
EXPERTS_SHOWN = 3


def write_report(
    path: Path,
    findings: Findings,
    trace: Trace,
    city: CityModel,
    *,
    files: Sequence[Path],
    pattern: str = "*",
) -> None:
    """Write the report.

    Parameters
    ----------
    path : Path
        An HTML file; one that is there is replaced.
    pattern : str
        Shell pattern over the keys of the series to plot; the first eight are taken.

    Raises
    ------
    AppError
        If the file cannot be written.
    """
    page = document(findings, trace, city, files=files, pattern=pattern)
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise AppError(f"the report cannot be written to {path}: {error.strerror}") from error


def expect_writable(path: Path) -> None:
    """Find out before hours of learning whether a report could be written after them.

    Raises
    ------
    AppError
        If it could not.
    """
    if path.is_dir():
        reason = "that is a folder"
    elif not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        reason = "Permission denied"
    else:
        return
    raise AppError(f"the report cannot be written to {path}: {reason}")


def document(
    findings: Findings,
    trace: Trace,
    city: CityModel,
    *,
    files: Sequence[Path],
    pattern: str = "*",
) -> str:
    """Put the page together."""
    zone = ZoneInfo(city.timezone)
    names = ", ".join(file.name for file in files)
    scores = findings.scores
    matches = _matches(scores, trace)
    shown = [key for key in trace.keys if fnmatchcase(key, pattern)][:MOST_PLOTTED]
    parts = [
        f"<h1>Backtest of {escape(names)}</h1>",
        _summary(findings, city),
        "<h2>Scores</h2>",
        _table(profile_lines(scores), "profile"),
        _series_table(series_lines(scores)),
        "<h2>Error by hour of day</h2>",
        f"<p>Mean absolute error of the forecasts about each hour, {escape(city.timezone)}: the "
        "median over the series, each as a share of its own mean error of persistence. "
        f"{plots.KEY_HOURS}</p>",
        *plots.by_hour(scores, matches, zone),
        "<h2>Weights over time</h2>",
        "<p>Share of each expert in the forecast, mean over the series of a profile.</p>",
        *plots.weights(trace, zone),
        "<h2>Alerts</h2>",
        plots.alerts(trace, zone),
        "<h2>Forecast and reality</h2>",
        f"<p>The last two weeks of {len(shown)} of {len(trace.keys)} series; --plot chooses "
        f"others. {plots.KEY_FORECAST}</p>",
    ]
    for key in shown:
        parts.append(f"<h3>{escape(key)}</h3>")
        for horizon, matched in matches.get(key, {}).items():
            lead = lead_text(horizon * _period(scores, key))
            parts.append(f"<figure><figcaption>{lead} ahead</figcaption>")
            parts.append(plots.forecast(matched, zone, f"{key}, {lead} ahead") + "</figure>")
    title = f"<title>Backtest of {escape(names)}</title>"
    wide = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{wide}{title}<style>{plots.STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _matches(scores: Sequence[SeriesScore], trace: Trace) -> dict[str, dict[int, Matched]]:
    periods = {series_key(s.sensor_id, s.quantity): s.period_ms for s in scores}
    found: dict[str, dict[int, Matched]] = {}
    for horizon in sorted({score.horizon for score in scores}):
        for key, matched in trace.matched(periods, horizon):
            if len(matched.label):
                found.setdefault(key, {})[horizon] = matched
    return found


def _period(scores: Sequence[SeriesScore], key: str) -> int:
    return next(s.period_ms for s in scores if series_key(s.sensor_id, s.quantity) == key)


def _summary(findings: Findings, city: CityModel) -> str:
    counts = findings.counts
    lines = [
        f"{counts.readings:,} readings: {counts.learned:,} learned, {counts.late:,} late, "
        f"{counts.duplicate:,} duplicate, {counts.rejected:,} rejected.",
        f"Time zone {city.timezone}. Every forecast was made before its label was seen.",
    ]
    if findings.bad:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in findings.bad.most_common())
        lines.append(f"{findings.bad.total():,} rows would be dead letters: {reasons}.")
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _series_table(lines: Sequence[Line]) -> str:
    left_out = len(lines) - MOST_LINES
    note = f"<p>{left_out:,} lines more: --all or --json.</p>" if left_out > 0 else ""
    table = _table(lines[:MOST_LINES], "series")
    return f"<details><summary>Every series</summary>{table}{note}</details>"


def _table(lines: Sequence[Line], name: str) -> str:
    headings = (
        name, "ahead", "scored", "MAE", "RMSE", "skill vs persistence", "vs day", "vs week",
        "inside interval", "width", "regret", "heaviest experts",
    )  # fmt: skip
    rows = []
    for line in lines:
        cells = (
            line.name if name == "series" else profile_text(line),
            lead_text(line.lead_ms),
            f"{line.n:,}",
            number(line.mae),
            number(line.rmse),
            *(percent(line.skill[reference]) for reference in ("persistence", "day", "week")),
            "-" if line.coverage is None else f"{line.coverage:.1%}",
            number(line.width),
            percent(line.regret),
            heaviest_text(line, EXPERTS_SHOWN),
        )
        rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
