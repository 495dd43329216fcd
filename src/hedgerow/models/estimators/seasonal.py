"""What a series remembers of itself: its last season, its week, its level and trend."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime

import numpy as np
from river.time_series.base import Forecaster

from hedgerow.models.bank.layout import HEAD, HOLT_LEVEL, HOLT_TREND, SEEN, SURPRISE
from hedgerow.models.bank.planes import row_layout
from hedgerow.models.estimators.standardised import Features, finite
from hedgerow.models.experts.catalogue import LEVEL_RATES
from hedgerow.models.experts.features import (
    damped_sum,
    holt_step,
    pattern_bin,
    remember,
    standardise_reading,
    usual_in,
)
from hedgerow.models.profile import Profile
from hedgerow.models.zone import is_holiday, local_time, zone_table

_MONDAY_MS = 345_600_000  # 1970-01-05


class SeasonalNaive(Forecaster):  # type: ignore[misc]  # River ships no types
    """Forecast the value one season before the target: persistence, ``day`` and ``week``.

    ŷ(t + h) = y(t + h − s n), n the fewest seasons of s slots for which that is known [1]_.

    Parameters
    ----------
    season : int
        s in slots; 1 is persistence.

    References
    ----------
    .. [1] R. J. Hyndman and G. Athanasopoulos, "Forecasting: Principles and Practice", 3rd
       edition, 2021, section 5.2.

    Examples
    --------
    >>> from hedgerow.models.estimators import SeasonalNaive
    >>> model = SeasonalNaive(season=3)
    >>> for value in [1.0, 2.0, 3.0, 4.0]:
    ...     model.learn_one(value)
    >>> model.forecast(horizon=4)
    [2.0, 3.0, 4.0, 2.0]
    """

    def __init__(self, season: int = 1) -> None:
        if season < 1:
            raise ValueError(f"season is {season!r}; it must be 1 slot or more")
        self.season = season
        self._values: deque[float] = deque(maxlen=season)

    def learn_one(self, y: float, x: Features | None = None) -> None:
        """Remember a value, NaN where a slot has none."""
        self._values.append(float(y))

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:
        """Return the forecasts of the next ``horizon`` slots, NaN where nothing is known."""
        values = [math.nan] * (self.season - len(self._values)) + list(self._values)
        return [values[h % self.season] for h in range(horizon)]


class Holt(Forecaster):  # type: ignore[misc]  # as above
    """Level and damped trend, smoothed exponentially: the bank's expert ``holt``.

    l ← a + α (y − a) with a = l + φ b, b ← φ b + β (Δl − φ b); the forecast h slots ahead is
    l + (φ + … + φʰ) b [1]_, with α = 0.3, β = 0.05, φ = 0.9.

    References
    ----------
    .. [1] E. S. Gardner and E. McKenzie, "Forecasting trends in time series", Management
       Science 31(10), 1985.

    Examples
    --------
    >>> from hedgerow.models.estimators import Holt
    >>> model = Holt()
    >>> for value in range(200):
    ...     model.learn_one(2.0 * value)
    >>> [round(forecast, 1) for forecast in model.forecast(horizon=2)]
    [395.4, 396.0]
    """

    def __init__(self) -> None:
        self._row = np.zeros(HEAD)  # of which only count, level and trend are used
        self._gap = 1

    def learn_one(self, y: float, x: Features | None = None) -> None:
        """Let a value into level and trend; NaN says that its slot has none."""
        if math.isnan(y):
            self._gap += 1
            return
        self._row[SEEN] += 1.0
        holt_step(self._row, finite(y), self._gap)
        self._gap = 1

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:
        """Return the forecasts of the next ``horizon`` slots."""
        level, trend = float(self._row[HOLT_LEVEL]), float(self._row[HOLT_TREND])
        past = self._gap - 1
        return [level + damped_sum(past + h) * trend for h in range(1, horizon + 1)]


class WeeklyPattern(Forecaster):  # type: ignore[misc]  # as above
    """Decayed mean by slot of the local week: the bank's expert ``pattern``.

    m ← m + max(1/5, 1/n) (y − m) in the bin of the local time, n its visits; public holidays
    count as Sundays. From the 51st value on a deviation is cut at 8 times the usual one, so
    that a wild value does not stay for weeks.

    Parameters
    ----------
    start : datetime
        Time of the first value, with a time zone. A Monday in UTC if not given.
    period_seconds : float
        Length of a slot. The week has at most 336 bins.
    timezone : str
        IANA name of the zone whose week it is.
    holidays : str
        Whose public holidays count, such as ``DK`` or ``AU-VIC``; empty for none.

    Examples
    --------
    >>> from hedgerow.models.estimators import WeeklyPattern
    >>> model = WeeklyPattern()
    >>> for hour in range(3 * 168):
    ...     rush = hour % 24 == 8 and hour % 168 < 5 * 24
    ...     model.learn_one(9.0 if rush else 1.0)
    >>> week = model.forecast(horizon=168)
    >>> week[7:10], week[6 * 24 + 8]
    ([1.0, 9.0, 1.0], 1.0)
    """

    def __init__(
        self,
        start: datetime | None = None,
        period_seconds: float = 3600.0,
        timezone: str = "UTC",
        holidays: str = "",
    ) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError(f"start is {start!r}; it must have a time zone")
        self.start = start
        self.period_seconds = period_seconds
        self.timezone = timezone
        self.holidays = holidays
        self._start_ms = _MONDAY_MS if start is None else round(start.timestamp() * 1000)
        profile = Profile(period_seconds=period_seconds, horizons=(1,), experts=("pattern",))
        layout = row_layout(profile, round(period_seconds * 1000))
        self._sizes = layout.sizes
        self._row = layout.blank.copy()
        self._single = layout.blank_single.copy()
        self._slot = -1

    def _bin(self, slot: int) -> int:
        zone = zone_table(self.timezone, self.holidays)
        local_ms = local_time(zone, self._start_ms + slot * self._sizes.period_ms)
        return pattern_bin(self._sizes, local_ms, is_holiday(zone, local_ms))

    def learn_one(self, y: float, x: Features | None = None) -> None:
        """Let a value into the bin of its slot; NaN says that its slot has none."""
        self._slot += 1
        if not math.isnan(y):
            at, value = self._bin(self._slot), finite(y)
            standardise_reading(self._row, value)  # what deviation is usual begins with its spread
            remember(self._row, self._single, self._sizes, self._slot, value, at)

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:
        """Return the next slots' means; the series' level where a bin has no value yet."""
        means = [
            usual_in(self._row, self._single, self._sizes, self._bin(self._slot + h))
            for h in range(1, horizon + 1)
        ]
        level = float(self._row[HOLT_LEVEL])
        return [level if math.isnan(mean) else mean for mean in means]


class LevelledPattern(WeeklyPattern):
    """The weekly pattern plus its smoothed recent error: the bank's ``levels``, one at a time.

    The forecast is m + e, m the pattern's; e ← e + α (y − m − e) follows how far the series has
    lately been off it [1]_.

    Parameters
    ----------
    rate : float
        α: 0.3, 0.1 or 0.03.
    start, period_seconds, timezone, holidays
        As of `WeeklyPattern`.

    References
    ----------
    .. [1] Simple exponential smoothing of the deseasonalised series: R. J. Hyndman and
       G. Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, 2021, section 8.1.

    Examples
    --------
    >>> from hedgerow.models.estimators import LevelledPattern
    >>> model = LevelledPattern(0.3)
    >>> for hour in range(800):
    ...     model.learn_one(10.0 if hour < 760 else 14.0)
    >>> round(model.forecast(horizon=1)[0], 1)
    14.0
    """

    def __init__(
        self,
        rate: float = 0.1,
        start: datetime | None = None,
        period_seconds: float = 3600.0,
        timezone: str = "UTC",
        holidays: str = "",
    ) -> None:
        if rate not in LEVEL_RATES:
            raise ValueError(f"rate is {rate!r}; it must be one of {LEVEL_RATES}")
        super().__init__(start, period_seconds, timezone, holidays)
        self.rate = rate

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:
        """Return the next slots' means, moved by the recent error."""
        off = float(self._row[SURPRISE + LEVEL_RATES.index(self.rate)])
        return [mean + off for mean in super().forecast(horizon)]
