"""What is a reading: the three forms, every way to write a time, every legal id."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hedgerow.topics import ReadingDecoder, parse_time

EIGHT_O_CLOCK = 1_767_254_400_000  # 2026-01-01T08:00:00Z


def test_one_value(decode_one):
    batch = decode_one(b'{"sensor_id": "s1", "timestamp": "2026-01-01T08:00:00Z", "value": 12.5}')

    assert batch.sensor_ids == ["s1"]
    assert batch.quantities == [""]
    assert batch.time_ms.tolist() == [EIGHT_O_CLOCK]
    assert batch.values.tolist() == [12.5]
    assert batch.positions == [0]
    assert batch.failures == []
    assert batch.rejected == 0


def test_several_values_in_their_order(decode_one):
    batch = decode_one(
        b'{"sensor_id": "s1", "timestamp": 1767254400, '
        b'"values": {"vehicle_count": 3, "avg_speed": 44}}'
    )

    assert batch.sensor_ids == ["s1", "s1"]
    assert batch.quantities == ["vehicle_count", "avg_speed"]
    assert batch.values.tolist() == [3.0, 44.0]
    assert batch.positions == [0, 0]


@pytest.mark.parametrize("value", [b"12.5", b" 12.5\n", b"125e-1"])
def test_bare_number_takes_key_and_kafka_time(decode_one, value):
    batch = decode_one(value, key="Süd 7".encode(), timestamp=EIGHT_O_CLOCK + 1)

    assert batch.sensor_ids == ["Süd 7"]
    assert batch.quantities == [""]
    assert batch.time_ms.tolist() == [EIGHT_O_CLOCK + 1]
    assert batch.values.tolist() == [12.5]


@pytest.mark.parametrize(
    ("written", "time_ms"),
    [
        ('"2026-01-01T08:00:00Z"', EIGHT_O_CLOCK),
        ('"2026-01-01T08:00:00"', EIGHT_O_CLOCK),
        ('"2026-01-01 08:00:00+00:00"', EIGHT_O_CLOCK),
        ('"2026-01-01T09:30:00+01:30"', EIGHT_O_CLOCK),
        ('"2026-01-01T08:00:00.123456789Z"', EIGHT_O_CLOCK + 123),
        ('"20260101T080000Z"', EIGHT_O_CLOCK),
        ('"2026-01-01"', EIGHT_O_CLOCK - 8 * 3_600_000),
        ('"1970-01-01T00:00:00Z"', 0),
        ("0", 0),
        ("1767254400", EIGHT_O_CLOCK),
        ("1767254400.0", EIGHT_O_CLOCK),
        ("1767254400.123", EIGHT_O_CLOCK + 123),
        ("1.7672544e9", EIGHT_O_CLOCK),
        ("1767254400000", EIGHT_O_CLOCK),
        ("1767254400000.4", EIGHT_O_CLOCK),
        ("100000000000", 100_000_000_000),  # the smallest that counts milliseconds
    ],
)
def test_times(decode_one, written, time_ms):
    batch = decode_one(f'{{"sensor_id":"s","timestamp":{written},"value":1}}'.encode())

    assert batch.failures == []
    assert batch.time_ms.tolist() == [time_ms]


def test_largest_number_of_seconds_is_not_milliseconds(decode_one):
    """99999999999 s is the year 5138, so it needs a record without a time of its own."""
    batch = decode_one(b'{"sensor_id":"s","timestamp":99999999999,"value":1}', timestamp=-1)

    assert batch.time_ms.tolist() == [99_999_999_999_000]


def test_a_day_ahead_is_the_last_that_is_accepted(decode_one, record):
    limit = EIGHT_O_CLOCK + 86_400_000
    log = [
        record(b'{"sensor_id":"s","timestamp":%d,"value":1}' % limit),
        record(b'{"sensor_id":"s","timestamp":%d,"value":1}' % (limit + 1)),
    ]

    batch = ReadingDecoder().decode(log)

    assert batch.positions == [0]
    assert [failure.position for failure in batch.failures] == [1]


def test_without_a_kafka_time_nothing_is_ahead(decode_one):
    batch = decode_one(b'{"sensor_id":"s","timestamp":"2999-01-01","value":1}', timestamp=-1)

    assert batch.failures == []


@pytest.mark.parametrize(
    "sensor_id",
    [
        "x" * 256,
        "ü" * 128,
        "a/b",
        "a:b",
        'quote " and \\ backslash',
        "line\nbreak\ttab\x00null\x7f",
        "\u202ertl\u200b",
        "🚦",
        " leading",
        "null",
        "{}",
        "'; DROP TABLE series; --",
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_any_text_is_an_id(decode_one, sensor_id, ascii_only):
    reading = {"sensor_id": sensor_id, "timestamp": 1, "values": {sensor_id: 1}}

    batch = decode_one(json.dumps(reading, ensure_ascii=ascii_only).encode())

    assert batch.failures == []
    assert batch.sensor_ids == [sensor_id]
    assert batch.quantities == [sensor_id]


@pytest.mark.parametrize(
    "extra",
    [
        b'"unit": "km/h"',
        b'"location": {"lat": 1.5, "tags": ["a", {"b": null}]}',
        b'"huge": 1e999',
        b'"many": ' + b"1" * 5000,
        b'"half": "\\ud800"',
        b'"nan": NaN',
        b'"deep": ' + b"[" * 63 + b"]" * 63,
        '"name": "Süd"'.encode(),
        b'"value": "not this one, the last counts", "timestamp": false',
    ],
)
def test_other_fields_are_ignored(decode_one, extra):
    batch = decode_one(b"{" + extra + b', "sensor_id":"s","timestamp":1,"value":2}')

    assert batch.failures == []
    assert batch.values.tolist() == [2.0]


@pytest.mark.parametrize(
    "written",
    ["-0.0", "0", "-0", "5e-324", "-5e-324", "1e-400", "1.7976931348623157e308", "1" * 300],
)
def test_any_finite_number_is_a_value(decode_one, written):
    batch = decode_one(f'{{"sensor_id":"s","timestamp":1,"value":{written}}}'.encode())

    assert batch.failures == []
    assert batch.values.tolist() == [float(written)]


def test_columns_of_a_batch_belong_together(record):
    log = [
        record(b"1", key=b"a", offset=10),
        record(b"[]", offset=12),
        record(b'{"sensor_id":"b","timestamp":1,"values":{"p":2,"q":null,"r":3}}', offset=15),
        record(None, offset=16),
        record(b'{"sensor_id":"c","timestamp":2,"value":4}', offset=17),
    ]

    batch = ReadingDecoder().decode(log)

    assert batch.sensor_ids == ["a", "b", "b", "c"]
    assert batch.quantities == ["", "p", "r", ""]
    assert batch.values.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert batch.time_ms.tolist() == [EIGHT_O_CLOCK, 1000, 1000, 2000]
    assert batch.offsets.tolist() == [10, 15, 15, 17]
    assert batch.positions == [0, 2, 2, 4]
    assert [failure.position for failure in batch.failures] == [1, 2, 3]
    assert batch.rejected == 1


def test_empty_batch():
    batch = ReadingDecoder().decode([])

    assert batch.sensor_ids == []
    assert batch.time_ms.dtype == np.int64
    assert batch.values.dtype == np.float64
    assert batch.offsets.dtype == np.int64


def test_more_ids_than_are_remembered(monkeypatch, record):
    monkeypatch.setattr("hedgerow.topics.codec._NAMES_REMEMBERED", 3)
    log = [record(b"1", key=b"%d" % (number % 7)) for number in range(50)]

    batch = ReadingDecoder().decode(log)

    assert batch.sensor_ids == [str(number % 7) for number in range(50)]


def test_more_times_than_are_remembered_and_long_ones(monkeypatch, record):
    monkeypatch.setattr("hedgerow.topics.codec._TIMES_REMEMBERED", 3)
    texts = [f"2026-01-01T08:0{number % 7}:00Z" for number in range(50)]
    texts[10] = "2026-01-01T08:03:00." + "1" * 60 + "Z"  # would let a sender fill the memory
    log = [record(b'{"sensor_id": "s", "timestamp": "%s", "value": 1}' % t.encode()) for t in texts]
    decoder = ReadingDecoder()

    for _ in range(2):
        assert decoder.decode(log).time_ms.tolist() == [parse_time(text) for text in texts]
    assert texts[10] not in decoder._times
    assert len(decoder._times) <= 3
