"""Forecasts by others among the readings: what is one, what it gives, what is refused and why."""

from __future__ import annotations

import json

import pytest

from hedgerow.topics import Limits, Reason

EIGHT_O_CLOCK = 1_767_254_400_000  # 2026-01-01T08:00:00Z
HOUR = 3_600_000
DAY = 24 * HOUR
MISSING = object()


def forecast(**fields):
    body = {
        "sensor_id": "s",
        "quantity": "flow",
        "expert": "deep",
        "issued_at": "2026-01-01T07:59:00Z",
        "target_time": "2026-01-01T09:00:00Z",
        "predicted": 12.5,
    }
    body |= fields
    return json.dumps({k: v for k, v in body.items() if v is not MISSING}).encode()


def test_a_forecast_stands_in_the_columns_under_its_expert(record, decode_one):
    batch = decode_one(forecast())

    assert (batch.sensor_ids, batch.quantities, batch.experts) == (["s"], ["flow"], ["deep"])
    assert batch.time_ms.tolist() == [EIGHT_O_CLOCK + HOUR]
    assert batch.values.tolist() == [12.5]
    assert batch.failures == []


@pytest.mark.parametrize("quantity", [None, MISSING])
def test_a_series_without_a_quantity(decode_one, quantity):
    assert decode_one(forecast(quantity=quantity)).quantities == [""]


@pytest.mark.parametrize(
    "time", [EIGHT_O_CLOCK + HOUR, (EIGHT_O_CLOCK + HOUR) / 1000, "2026-01-01T10:00:00+01:00"]
)
def test_times_are_written_as_those_of_readings(decode_one, time):
    batch = decode_one(forecast(target_time=time, issued_at=time))

    assert batch.time_ms.tolist() == [EIGHT_O_CLOCK + HOUR]


def test_forecasts_and_readings_keep_their_order(record):
    from hedgerow.topics import ReadingDecoder

    reading = b'{"sensor_id": "s", "timestamp": 1767254400, "values": {"flow": 1, "speed": 2}}'
    log = [
        record(forecast(), offset=4),
        record(reading, offset=5),
        record(b"{", offset=6),
        record(forecast(expert="grid"), offset=7),
        record(b"3", offset=8),
    ]

    batch = ReadingDecoder().decode(log)

    assert batch.experts == ["deep", "", "", "grid", ""]
    assert batch.offsets.tolist() == [4, 5, 5, 7, 8]
    assert batch.positions == [0, 1, 1, 3, 4]
    assert [failure.position for failure in batch.failures] == [2]


@pytest.mark.parametrize("field", ["value", "values"])
def test_what_has_a_value_is_a_reading_whatever_else_it_has(decode_one, field):
    content = 7.0 if field == "value" else {"flow": 7.0}
    batch = decode_one(forecast(timestamp=EIGHT_O_CLOCK, **{field: content}))

    assert batch.experts == [""]
    assert batch.time_ms.tolist() == [EIGHT_O_CLOCK]
    assert batch.values.tolist() == [7.0]


def test_a_reading_that_is_refused_is_no_forecast(decode_one):
    batch = decode_one(forecast(timestamp=EIGHT_O_CLOCK, value=None))

    assert [failure.reason for failure in batch.failures] == [Reason.VALUE]
    assert batch.rejected == 1


def test_only_the_target_is_compared_with_the_time_of_arrival(decode_one):
    limits = Limits()
    latest = EIGHT_O_CLOCK + limits.max_forecast_ahead_ms

    assert decode_one(forecast(target_time=latest, issued_at=latest + DAY)).failures == []
    assert decode_one(forecast(target_time=0, issued_at=0)).failures == []
    assert decode_one(forecast(target_time=latest + 1), timestamp=-1).failures == []


@pytest.mark.parametrize(
    ("fields", "reason", "error"),
    [
        ({"target_time": MISSING}, Reason.SCHEMA, 'target_time is missing from the forecast of "'),
        ({"predicted": MISSING}, Reason.SCHEMA, 'predicted is missing from the forecast of "deep"'),
        ({"sensor_id": MISSING}, Reason.KEY, "sensor_id is missing"),
        ({"sensor_id": " "}, Reason.KEY, "sensor_id is empty"),
        ({"expert": None}, Reason.KEY, "expert null is not a text"),
        ({"expert": ""}, Reason.KEY, "expert is empty"),
        ({"expert": "x" * 257}, Reason.KEY, "257 bytes, more than the limit of 256"),
        ({"expert": "\ud800"}, Reason.ENCODING, "half of a surrogate pair"),
        ({"quantity": ""}, Reason.KEY, "quantity is empty"),
        ({"quantity": 3}, Reason.KEY, "quantity 3.0 is neither a text nor null"),
        ({"predicted": None}, Reason.VALUE, "predicted null is not a finite number"),
        ({"predicted": "12"}, Reason.VALUE, 'predicted "12" is not a finite number'),
        ({"predicted": float("nan")}, Reason.VALUE, "predicted NaN is not a finite number"),
        ({"predicted": float("inf")}, Reason.VALUE, "predicted Infinity is not a finite number"),
        ({"target_time": "soon"}, Reason.TIME, 'target_time "soon" is not an ISO 8601 time'),
        ({"target_time": True}, Reason.TIME, "target_time true is neither ISO 8601 text nor"),
        ({"target_time": -1}, Reason.TIME, "target_time -1.0 is before 1970"),
        (
            {"target_time": EIGHT_O_CLOCK + 31 * DAY + 1},
            Reason.TIME,
            "is more than 2678400 s after Kafka's 2026-01-01T08:00:00Z",
        ),
        ({"issued_at": None}, Reason.TIME, "issued_at null is neither ISO 8601 text nor a number"),
        ({"issued_at": "early"}, Reason.TIME, 'issued_at "early" is not an ISO 8601 time'),
    ],
)
def test_bad_ones_are_dead_letters_and_no_readings(decode_one, fields, reason, error):
    batch = decode_one(forecast(**fields))

    (failure,) = batch.failures
    assert failure.reason is reason
    assert error in failure.error
    assert batch.experts == []
    assert batch.rejected == 0
