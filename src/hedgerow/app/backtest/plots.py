"""The plots of a backtest's report.

Before: ``trace`` matches forecasts with labels. After: ``report`` puts the charts into its page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from hedgerow.app.backtest.svg import Chart, range_of
from hedgerow.app.backtest.trace import Matched, Trace
from hedgerow.app.wording import counted
from hedgerow.models import SeriesScore, series_key

Floats = NDArray[np.float64]
DAY_MS = 86_400_000
SHOWN_MS = 14 * DAY_MS
MOST_SLOTS = 2016  # two weeks at ten minutes, one at five
HOURS = 24
NAME, NAME_PIXELS = 28, 200  # of a series in the chart of alerts
COLOURS = 8  # then they repeat, paler

KEY_FORECAST = (
    '<span class="key"><i class="actual"></i> read <i class="ours"></i> forecast '
    '<i class="band"></i> interval</span>'
)
KEY_HOURS = (
    '<span class="key"><i class="ours"></i> hedgerow <i class="persistence"></i> persistence '
    '<i class="day"></i> a day before</span>'
)

_PALETTE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bb7733", "#888888")

STYLE = """
:root{color-scheme:light dark;--ink:#222;--soft:#888;--rule:#ddd;--paper:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#999;--rule:#444;--paper:#181818}}
body{font:15px/1.45 system-ui,sans-serif;max-width:1140px;margin:2em auto;padding:0 1em;
color:var(--ink);background:var(--paper)}
h1{font-size:1.5em}h2{margin-top:2em;font-size:1.2em}h3{margin-bottom:.2em;font-size:1em}
figure{margin:.4em 0 1em}figcaption{color:var(--soft);font-size:.85em}
svg{width:100%;height:auto;display:block}
table{border-collapse:collapse;font-size:.8em;margin:1em 0;display:block;overflow-x:auto}
th,td{padding:.25em .6em;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child,th:last-child,td:last-child{text-align:left}
.tick{font-size:11px;fill:var(--soft)}.grid{stroke:var(--rule);fill:none}
.frame{stroke:var(--soft);fill:none}
path.actual{stroke:var(--ink);stroke-width:1;fill:none}
path.ours{stroke:#4477aa;stroke-width:1.5;fill:none}path.band{fill:#4477aa;opacity:.25}
path.persistence{stroke:#ee6677;stroke-width:1.2;fill:none}
path.day{stroke:#ccbb44;stroke-width:1.2;fill:none}
rect.anomaly{fill:#aa3377}rect.bound{fill:#ee6677}rect.other{fill:#ccbb44}
.key i{display:inline-block;width:1.2em;height:.5em;margin:0 .2em 0 .8em}
i.actual{background:var(--ink)}i.ours{background:#4477aa}i.band{background:#4477aa;opacity:.25}
i.persistence{background:#ee6677}i.day{background:#ccbb44}
""" + "".join(
    f"path.e{n}{{fill:{colour}}}i.e{n}{{background:{colour}}}"
    f"path.e{n + COLOURS}{{fill:{colour};opacity:.5}}"
    f"i.e{n + COLOURS}{{background:{colour};opacity:.5}}"
    for n, colour in enumerate(_PALETTE)
)


def forecast(matched: Matched, zone: tzinfo, label: str) -> str:
    """Draw the last two weeks of a series: what was read, forecast and held possible."""
    until = int(matched.target_ms[-1])
    at = np.flatnonzero(matched.target_ms > until - SHOWN_MS)[-MOST_SLOTS:]
    x = matched.target_ms[at].astype(np.float64)
    gap = np.diff(x, prepend=x[0]) > 1.5 * float(np.median(np.diff(x))) if len(x) > 1 else [False]
    lower, upper = matched.lower[at], matched.upper[at]
    # A line must not bridge what was never read.
    read, said = np.where(gap, np.nan, matched.label[at]), matched.predicted[at]
    heights = range_of(read, said, lower, upper)
    chart = Chart((x[0], x[-1]), heights, timezone=zone, label=label)
    chart.band(x, lower, upper, "band")
    chart.line(x, read, "actual")
    chart.line(x, np.where(gap, np.nan, said), "ours")
    return chart.draw()


def by_hour(
    scores: Sequence[SeriesScore], matches: Mapping[str, Mapping[int, Matched]], zone: tzinfo
) -> list[str]:
    """Draw, for each profile and horizon, the error by the hour of the label."""
    groups: dict[tuple[str, int], list[dict[str, Floats]]] = {}
    for score in scores:
        matched = matches.get(series_key(score.sensor_id, score.quantity), {}).get(score.horizon)
        if matched is not None:
            errors = hourly_errors(matched, zone)
            groups.setdefault((score.profile, score.horizon), []).append(errors)
    drawn = []
    for (profile, horizon), members in sorted(groups.items()):
        lines = {
            name: _median_over([_relative(member, name) for member in members])
            for name in ("persistence", "day", "ours")
        }
        label = f"{profile}, {counted(horizon, 'slot')} ahead"
        chart = Chart((0, HOURS), range_of(*lines.values(), zero=True), height=160, label=label)
        for name, values in lines.items():
            chart.line(np.arange(HOURS + 1.0), np.append(values, values[-1]), name, steps=True)
        drawn.append(f"<figure><figcaption>{label}</figcaption>{chart.draw()}</figure>")
    return drawn


def hourly_errors(matched: Matched, zone: tzinfo) -> dict[str, Floats]:
    """Mean absolute errors by local hour of the label: ours, persistence's, and the day's.

    Returns
    -------
    dict of str to ndarray of float64, shape (24,)
        NaN for hours without labels.
    """
    hour = _local_hours(matched.target_ms, zone)
    errors = {
        "ours": np.abs(matched.predicted - matched.label),
        "persistence": np.abs(matched.origin - matched.label),
    }
    before = np.searchsorted(matched.target_ms, matched.target_ms - DAY_MS)
    known = matched.target_ms[before] == matched.target_ms - DAY_MS
    errors["day"] = np.where(known, np.abs(matched.label[before] - matched.label), np.nan)
    found = {}
    for name, error in errors.items():
        there = np.isfinite(error)
        counts = np.bincount(hour[there], minlength=HOURS).astype(np.float64)
        sums = np.bincount(hour[there], weights=error[there], minlength=HOURS)
        found[name] = np.divide(sums, counts, out=np.full(HOURS, np.nan), where=counts > 0)
    return found


def _local_hours(times_ms: NDArray[np.int64], zone: tzinfo) -> NDArray[np.int64]:
    quarters, place = np.unique(times_ms // 900_000, return_inverse=True)
    hours = [datetime.fromtimestamp(q * 900, UTC).astimezone(zone).hour for q in quarters.tolist()]
    return np.array(hours, np.int64)[place]


def _relative(errors: Mapping[str, Floats], name: str) -> Floats:
    known = errors["persistence"][np.isfinite(errors["persistence"])]
    scale = float(known.mean()) if len(known) else 0.0
    return errors[name] / scale if scale else np.full(HOURS, np.nan)


def _median_over(lines: Sequence[Floats]) -> Floats:
    table = np.stack(lines)
    known = np.isfinite(table).any(axis=0)
    middle = np.full(HOURS, np.nan)
    middle[known] = np.nanmedian(table[:, known], axis=0)
    return middle


def weights(trace: Trace, zone: tzinfo) -> list[str]:
    """Draw the experts' shares, stacked, for each profile and horizon."""
    names = dict.fromkeys(name for one in trace.weights for name in one.shares)
    drawn = []
    for profile, horizon in names:
        kept = [one for one in trace.weights if (profile, horizon) in one.shares]
        experts = list(dict.fromkeys(e for one in kept for e in one.shares[profile, horizon]))
        x = np.array([one.at_ms for one in kept], np.float64)
        label = f"{profile}, {counted(horizon, 'slot')} ahead"
        chart = Chart((x[0], x[-1]), (0.0, 1.0), height=170, timezone=zone, label=label)
        below = np.zeros(len(x))
        for number, expert in enumerate(experts):
            share = np.array([one.shares[profile, horizon].get(expert, 0.0) for one in kept])
            chart.band(x, below, below + share, f"e{number % (2 * COLOURS)}")
            below = below + share
        key = "".join(
            f'<i class="e{n % (2 * COLOURS)}"></i> {expert}' for n, expert in enumerate(experts)
        )
        drawn.append(
            f'<figure><figcaption>{label} <span class="key">{key}</span></figcaption>'
            f"{chart.draw()}</figure>"
        )
    return drawn


def alerts(trace: Trace, zone: tzinfo) -> str:
    """Draw every episode on the time line, a row for each series that had one."""
    episodes = trace.episodes
    if not episodes:
        return "<p>None.</p>"
    counts: dict[str, int] = {}
    for episode in episodes:
        counts[episode.series] = counts.get(episode.series, 0) + 1
    rows = sorted(counts, key=lambda key: -counts[key])[:40]
    first, last = trace.span
    chart = Chart(
        (first, last),
        (0, len(rows)),
        height=40 + 16 * len(rows),
        timezone=zone,
        label="alerts",
        left=NAME_PIXELS,
    )
    for number, key in enumerate(rows):
        chart.text(len(rows) - number - 0.5, key if len(key) <= NAME else f"{key[: NAME - 1]}…")
    for episode in episodes:
        if episode.series in rows:
            row = len(rows) - rows.index(episode.series)
            style = episode.kind if episode.kind in {"anomaly", "bound"} else "other"
            end = last if episode.resolved_ms is None else episode.resolved_ms
            title = f"{episode.series}: {episode.kind}: {episode.message}"
            chart.bar((episode.opened_ms, end), (row - 0.85, row - 0.15), style, title)
    more = f" The {len(rows)} series with most are shown." if len(counts) > len(rows) else ""
    return (
        f"<p>{len(episodes):,} episodes of {len(counts):,} series; the text of each shows under "
        f"the pointer.{more}</p><figure>{chart.draw(y_ticks=False)}</figure>"
    )
