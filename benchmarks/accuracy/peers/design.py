"""The features that peers get: what the product knows as well, standardised by nobody.

The last eight readings; readings around the target's slot a day and a week before it; the
same slot a day and a week before the origin; the calendar at the target, in the city's time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.accuracy.forecasts import Floats, lagged
from benchmarks.accuracy.sets import Series

LAGS = 8
HARMONICS = (4, 3)  # of the day, of the week


def design(series: Series, horizon: int, timezone: str) -> Floats:
    """One line for each origin; NaN where a reading is missing.

    Returns
    -------
    ndarray of float64, shape (slots, features)
    """
    values = series.values
    columns = [lagged(values, lag) for lag in range(LAGS)]
    for season in (series.day, series.week):
        back = -(-horizon // season) * season - horizon
        columns += [lagged(values, back + d) for d in (-1, 0, 1) if back + d >= 0]
        columns.append(lagged(values, season))
    local = local_ms(series, horizon, timezone)
    day, week = local % 86_400_000 / 86_400_000, local % 604_800_000 / 604_800_000
    columns += [day, np.floor(week * 7)]
    for share, harmonics in ((day, HARMONICS[0]), (week, HARMONICS[1])):
        for k in range(1, harmonics + 1):
            columns += [np.sin(2 * np.pi * k * share), np.cos(2 * np.pi * k * share)]
    return np.column_stack(columns)


def local_ms(series: Series, horizon: int, timezone: str) -> np.ndarray:
    """Local time of the slot each origin's forecast is about, as if it were UTC."""
    target = series.times_ms + horizon * series.period_ms
    zone = ZoneInfo(timezone)
    hours = target // 3_600_000  # offsets change on the hour
    offsets = {
        hour: datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone).utcoffset()
        for hour in np.unique(hours).tolist()
    }
    shift = np.array([int(offsets[hour].total_seconds() * 1000) for hour in hours.tolist()])
    return target + shift


def filled(table: Floats) -> Floats:
    """Put the first feature, the reading at the origin, where one is missing.

    For methods that cannot do with NaN.
    """
    whole = np.where(np.isfinite(table), table, table[:, :1])
    return np.where(np.isfinite(whole), whole, 0.0)
