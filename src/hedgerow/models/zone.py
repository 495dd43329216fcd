"""A city's calendar as arrays, so that compiled code can tell local time and rest days.

Before: the city's time zone and country, two names. After: ``features`` looks up the offset of
a time and whether its day is a holiday.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import jit
from hedgerow.models.errors import ProfileError

_FIRST = 0
_LAST = 4_102_444_800  # 2100-01-01, in seconds
_STRIDE = 2 * 86_400  # no zone has changed twice within two days
_DAY_MS = 86_400_000
_SATURDAY = 5


class ZoneTable(NamedTuple):
    """The local calendar.

    Attributes
    ----------
    starts, offsets : ndarray of int64
        UTC times (ms) at which the offset changes, and the offset (ms) from each on.
    holidays : ndarray of int64
        Public holidays as days since 1970, in order.
    """

    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    holidays: NDArray[np.int64]


@jit
def local_time(zone: ZoneTable, time_ms: int) -> int:
    """Return the local wall-clock time of a UTC time, both in ms."""
    i = int(np.searchsorted(zone.starts, time_ms, "right")) - 1
    return int(time_ms + zone.offsets[max(i, 0)])


@jit
def stretch_of(zone: ZoneTable, time_ms: int) -> int:
    """Return which of the zone's offsets holds at a UTC time, for `local_from`."""
    return max(int(np.searchsorted(zone.starts, time_ms, "right")) - 1, 0)


@jit
def local_from(zone: ZoneTable, stretch: int, time_ms: int) -> int:
    """Return `local_time` without a search: ``stretch`` is that of a time little before."""
    while stretch + 1 < len(zone.starts) and zone.starts[stretch + 1] <= time_ms:
        stretch += 1
    return int(time_ms + zone.offsets[stretch])


@jit
def is_holiday(zone: ZoneTable, local_ms: int) -> bool:
    """Tell whether a local time falls on a public holiday."""
    day = local_ms // _DAY_MS
    i = int(np.searchsorted(zone.holidays, day))
    return bool(i < len(zone.holidays) and zone.holidays[i] == day)


@jit
def is_weekend(local_ms: int) -> bool:
    """Tell whether a local time falls on a Saturday or Sunday."""
    return (local_ms // _DAY_MS + 3) % 7 >= _SATURDAY


@lru_cache(maxsize=8)
def zone_table(name: str, country: str = "") -> ZoneTable:
    """Tabulate a zone from 1970 to 2100; the last offset holds after that.

    Parameters
    ----------
    name : str
        IANA name of the zone.
    country : str
        Whose public holidays: an ISO 3166 code such as ``DK``, with its subdivision as in
        ``AU-VIC``; empty for none.

    Raises
    ------
    ProfileError
        If no holidays are known for the country.

    Examples
    --------
    >>> table = zone_table("Europe/Vienna", "AT")
    >>> (table.offsets[:3] // 3_600_000).tolist()
    [1, 2, 1]
    >>> is_holiday(table, 20_448 * 86_400_000)  # 26 December 2025
    True
    """
    zone = ZoneInfo(name)
    starts, offsets = [_FIRST], [_offset(zone, _FIRST)]
    for at in range(_FIRST, _LAST, _STRIDE):
        after = min(at + _STRIDE, _LAST)
        if _offset(zone, after) == offsets[-1]:
            continue
        low, high = at, after
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(zone, middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        starts.append(high)
        offsets.append(_offset(zone, high))
    return ZoneTable(
        np.array(starts, np.int64) * 1000,
        np.array(offsets, np.int64) * 1000,
        holiday_days(country),
    )


def holiday_days(country: str) -> NDArray[np.int64]:
    """Return the public holidays of a country, 2000 to 2060, as days since 1970."""
    if not country:
        return np.zeros(0, np.int64)
    # Slow to import, so only where a city names its country.
    import holidays  # noqa: PLC0415

    code, _, part = country.partition("-")
    try:
        found = holidays.country_holidays(code, subdiv=part or None, years=range(2000, 2061))
    except NotImplementedError as error:
        raise ProfileError(
            f"holidays = {country!r}: {error}; it takes an ISO 3166 code such as DK or AU-VIC"
        ) from None
    epoch = date(1970, 1, 1)
    return np.array(sorted((day - epoch).days for day in found), np.int64)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _offset(zone: ZoneInfo, at: int) -> int:
    local = (_EPOCH + timedelta(seconds=at)).astimezone(zone)
    offset = local.utcoffset()
    return 0 if offset is None else round(offset.total_seconds())
