"""Times at the border: ISO 8601 and epoch numbers in, ISO 8601 out, milliseconds inside.

Before: the codec, which finds a time in a message. After: the encoder, which writes one into a
record; that one remembers the texts it wrote last, as a city's sensors share their times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from hedgerow.topics.errors import TimestampError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

SECONDS_BELOW = 1e11
"""A number smaller than this counts seconds (to the year 5138), a larger one milliseconds."""

MAX_TIME_MS = (datetime(9000, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND - 1
"""The latest time of a reading: the farthest forecast (170 years on) can still be written."""


def parse_time(text: str) -> int:
    """Read an ISO 8601 time as epoch milliseconds; a time without a zone is UTC.

    What is finer than a millisecond is cut off.

    Raises
    ------
    TimestampError
        If the text is not a date or time that `datetime.fromisoformat` reads.

    Examples
    --------
    >>> parse_time("2026-01-01T08:00:00Z")
    1767254400000
    >>> parse_time("2026-01-01T09:00:00.250+01:00")
    1767254400250
    >>> parse_time("2026-01-01")
    1767225600000
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        raise TimestampError("is not an ISO 8601 time such as 2026-01-01T08:00:00Z") from None


def epoch_time(number: float) -> int:
    """Take a number of epoch seconds or milliseconds as epoch milliseconds.

    Parameters
    ----------
    number : float
        Finite. Smaller than `SECONDS_BELOW` in size it counts seconds, else milliseconds;
        rounded to the millisecond, since a binary fraction rarely hits one.

    Examples
    --------
    >>> epoch_time(1767254400), epoch_time(1767254400000), epoch_time(1767254400.123)
    (1767254400000, 1767254400000, 1767254400123)
    """
    return round(number * 1000.0) if abs(number) < SECONDS_BELOW else round(number)


@lru_cache(maxsize=65_536)
def format_time(time_ms: int) -> str:
    """Write epoch milliseconds as ISO 8601 in UTC, with milliseconds only where there are some.

    Raises
    ------
    TimestampError
        If the time is outside the years 1 to 9999.

    Examples
    --------
    >>> format_time(1767254400000), format_time(1767254400250)
    ('2026-01-01T08:00:00Z', '2026-01-01T08:00:00.250Z')
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        raise TimestampError(f"{time_ms} ms is outside the years 1 to 9999") from None
    spec = "milliseconds" if time_ms % 1000 else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
