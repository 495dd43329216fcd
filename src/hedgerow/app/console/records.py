"""Records of a series from their bytes, as far as they are predictions of ours.

Before: `board` keeps them. After: the page's views.
"""

from __future__ import annotations

from collections.abc import Iterable

from hedgerow.topics import Prediction, TopicError, decode_prediction, parse_time


def decoded(values: Iterable[bytes]) -> list[Prediction]:
    """Decode records; what has the fields of the head but is no prediction of ours is left out.

    Examples
    --------
    >>> decoded([b'{"series": "a", "source_offset": 7, "issued_at": "today"}'])
    []
    """
    records = []
    for value in values:
        try:
            record = decode_prediction(value)
            for at in (record.issued_at, *(f.target_time for f in record.forecasts)):
                parse_time(at)
        except TopicError:
            continue
        records.append(record)
    return records
