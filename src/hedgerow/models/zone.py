"""A time zone as two arrays, so that compiled code can tell local time.

Before: the city's time zone, a name. After: ``kernel`` looks up the offset of a target time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_FIRST = 0
_LAST = 4_102_444_800  # 2100-01-01, in seconds
_STRIDE = 2 * 86_400  # no zone has changed twice within two days


class ZoneTable(NamedTuple):
    """UTC times (ms) at which the offset changes, and the offset (ms) from each on."""

    starts: NDArray[np.int64]
    offsets: NDArray[np.int64]


@lru_cache(maxsize=8)
def zone_table(name: str) -> ZoneTable:
    """Tabulate a zone from 1970 to 2100; the last offset holds after that.

    Examples
    --------
    >>> table = zone_table("Europe/Vienna")
    >>> (table.offsets[:3] // 3_600_000).tolist()
    [1, 2, 1]
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
    return ZoneTable(np.array(starts, np.int64) * 1000, np.array(offsets, np.int64) * 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _offset(zone: ZoneInfo, at: int) -> int:
    local = (_EPOCH + timedelta(seconds=at)).astimezone(zone)
    offset = local.utcoffset()
    return 0 if offset is None else round(offset.total_seconds())
