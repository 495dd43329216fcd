"""Records to bytes and back, one by one; ``columns`` writes a batch of predictions at once.

Before: what the learner found. After: the producer. The bytes depend on the arguments alone, so
that a replay repeats them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hedgerow.topics.errors import RecordError
from hedgerow.topics.identity import alert_id, episode_id, series_key
from hedgerow.topics.records import Alert, Prediction
from hedgerow.topics.timestamps import format_time

_encode = msgspec.json.Encoder().encode
_parse_prediction = msgspec.json.Decoder(Prediction).decode
_parse_alert = msgspec.json.Decoder(Alert).decode


def make_alert(
    topic: str,
    partition: int,
    sensor_id: str,
    quantity: str,
    offset: int,
    *,
    kind: str,
    severity: str,
    state: Literal["open", "resolved"],
    opening_offset: int,
    opened_ms: int,
    at_ms: int,
    observed: float | None,
    expected: float | None,
    lower: float | None,
    upper: float | None,
    message: str,
) -> Alert:
    """Put an alert's record together: ids, key and times from the place of its reading.

    Examples
    --------
    >>> alert = make_alert(
    ...     "sensor-data", 0, "s1", "", 9, kind="bound", severity="critical", state="open",
    ...     opening_offset=9, opened_ms=0, at_ms=0, observed=99.0, expected=None, lower=None,
    ...     upper=80.0, message="99 is above the bound 80",
    ... )
    >>> alert.id, alert.episode
    ('sensor-data:0:9:s1:bound:open', 'sensor-data:0:9:s1:bound')
    """
    series = series_key(sensor_id, quantity)
    return Alert(
        id=alert_id(topic, partition, offset, series, kind=kind, state=state),
        episode=episode_id(topic, partition, opening_offset, series, kind),
        series=series,
        sensor_id=sensor_id,
        quantity=quantity or None,
        source_offset=offset,
        kind=kind,
        severity=severity,
        state=state,
        opened_at=format_time(opened_ms),
        at=format_time(at_ms),
        observed=observed,
        expected=expected,
        lower=lower,
        upper=upper,
        message=message,
    )


def encode_record(record: Prediction | Alert) -> tuple[bytes, bytes]:
    """Write one record: its key, the series, and its value, JSON. NaN and infinity become null.

    Examples
    --------
    >>> encode_record(Prediction("t:0:1:s", "s", "s", None, 1, "2026-01-01T08:00:00Z", 2.0,
    ...                          "default", ()))[0]
    b's'
    """
    return record.series.encode(), _encode(record)


def decode_prediction(value: bytes) -> Prediction:
    """Read a record of ``predictions``.

    Raises
    ------
    RecordError
        If the bytes are something else.
    """
    try:
        return _parse_prediction(value)
    except ValueError as error:
        raise RecordError(f"not a prediction: {error}") from None


def decode_alert(value: bytes) -> Alert:
    """Read a record of ``alerts``.

    Raises
    ------
    RecordError
        If the bytes are something else.

    Examples
    --------
    >>> decode_alert(b"{}")
    Traceback (most recent call last):
    hedgerow.topics.errors.RecordError: not an alert: Object missing required field `id`
    """
    try:
        return _parse_alert(value)
    except ValueError as error:
        raise RecordError(f"not an alert: {error}") from None
