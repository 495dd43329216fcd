"""Which slot of its series' grid each record belongs to, so that forecasts meet their labels.

A reading may come beside its grid point; a forecast names the grid point itself. Before: decoded
predictions. After: `series` puts every forecast beside the reading it was about.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hedgerow.topics import Forecast, Prediction, parse_time


def slots_of(records: Sequence[Prediction]) -> list[int]:
    """Return the grid point of each record's reading, in epoch milliseconds.

    It follows from the record's own forecasts, each a number of periods ahead. A record without
    any is taken to lie where its reading does.

    Parameters
    ----------
    records : sequence of Prediction
        Of one series, oldest first.

    Examples
    --------
    >>> from hedgerow.topics import Forecast
    >>> ahead = (Forecast(1, "2026-01-01T09:00:00Z", 1.0, 1.0, None, None),
    ...          Forecast(3, "2026-01-01T11:00:00Z", 1.0, 1.0, None, None))
    >>> late = Prediction("t:0:1:s", "s", "s", None, 1, "2026-01-01T08:12:30Z", 2.0, "all", ahead)
    >>> slots_of([late]) == [parse_time("2026-01-01T08:00:00Z")]
    True
    """
    period = period_of(records)
    return [
        parse_time(record.issued_at)
        if not record.forecasts or period is None
        else parse_time(record.forecasts[0].target_time) - record.forecasts[0].horizon * period
        for record in records
    ]


def forecast_about(slot: int, records: Sequence[Prediction]) -> tuple[Prediction, Forecast] | None:
    """Return the newest of these records that forecast a slot, with that forecast.

    Parameters
    ----------
    records : sequence of Prediction
        Of one series, oldest first.
    """
    return forecast_near(slot, 0.0, records)


def forecast_near(
    at: int, reach: float, records: Sequence[Prediction]
) -> tuple[Prediction, Forecast] | None:
    """Return the same for a time no further than ``reach`` milliseconds from the slot."""
    for record in reversed(records):
        for forecast in record.forecasts:
            if abs(parse_time(forecast.target_time) - at) <= reach:
                return record, forecast
    return None


def period_of(records: Sequence[Prediction]) -> int | None:
    """Return the length of a slot in milliseconds, ``None`` where the records do not tell.

    One record with two horizons is enough; with a single horizon it is the least step from one
    record's target to the next one's.
    """
    for record in reversed(records):
        if len(record.forecasts) > 1:
            near, far = record.forecasts[0], record.forecasts[-1]
            apart = parse_time(far.target_time) - parse_time(near.target_time)
            return apart // (far.horizon - near.horizon)
    targets = sorted({parse_time(r.forecasts[0].target_time) for r in records if r.forecasts})
    return min((after - before for before, after in pairwise(targets)), default=None)
