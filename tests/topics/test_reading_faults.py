"""What is no reading: every reason, with its count of rejected readings and its sentence."""

from __future__ import annotations

import pytest

from hedgerow.topics import Limits, Reason

EIGHT_O_CLOCK = 1_767_254_400_000  # 2026-01-01T08:00:00Z


def reading(sensor_id=b'"s"', timestamp=b"1", value=b"1", name=b"value"):
    return b'{"sensor_id":%s,"timestamp":%s,"%s":%s}' % (sensor_id, timestamp, name, value)


def failure_of(batch):
    assert len(batch.failures) == 1
    return batch.failures[0]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"  \n",
        b"{",
        b"}",
        b"hello",
        b"\x00",
        b"\xef\xbb\xbf12.5",  # a byte order mark
        b"12.5 13",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"1_000",
        b"nan",
        b"-",
        b"-Inf",
        b"{'sensor_id': 's'}",
        b'{"sensor_id":"s","timestamp":1,"value":1,}',
        b'{"sensor_id":"s","timestamp":1,"value":1}}',
        b'{"sensor_id":"s\n","timestamp":1,"value":1}',
        b'{"sensor_id":"\\q","timestamp":1,"value":1}',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b'{"sensor_id":"s","timestamp":1,"value":1,"x":' + b"[" * 64 + b"]" * 64 + b"}",
        b'"' + b'\\"' * 100_000,
    ],
)
def test_json(decode_one, value):
    batch = decode_one(value)

    assert failure_of(batch).reason is Reason.JSON
    assert batch.sensor_ids == []
    assert batch.rejected == 0


@pytest.mark.parametrize(
    "value",
    [
        b"null",
        b"true",
        b'"12.5"',
        b"[]",
        b'[{"sensor_id":"s","timestamp":1,"value":1}]',
        b'{"sensor_id":"s"}',
        b'{"sensor_id":"s","value":1}',
        b'{"sensor_id":"s","timestamp":1}',
        b'{"sensor_id":"s","timestamp":1,"value":1,"values":{"a":1}}',
        b'{"sensor_id":"s","timestamp":1,"value":1,"values":null}',
        b'{"sensor_id":"s","timestamp":1,"value":null,"values":{"a":1}}',
        reading(name=b"values", value=b"{}"),
        reading(name=b"values", value=b"[1, 2]"),
        reading(name=b"values", value=b"3"),
        reading(name=b"values", value=b"null"),
        reading(name=b"values", value=b"{%s}" % b",".join(b'"%d":1' % n for n in range(1001))),
    ],
)
def test_schema(decode_one, value):
    batch = decode_one(value)

    assert failure_of(batch).reason is Reason.SCHEMA
    assert batch.sensor_ids == []
    assert batch.rejected == 0


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b'{"timestamp":1,"value":1}',
        *(reading(sensor_id=bad) for bad in (b"null", b"7", b"true", b"[]", b"{}", b'""')),
        *(reading(sensor_id=bad) for bad in (b'" "', b'"\\t\\u00a0\\u3000"')),
        reading(sensor_id=b'"%s"' % (b"x" * 257)),
        reading(sensor_id='"{}"'.format("ü" * 129).encode()),
        reading(name=b"values", value=b'{"": 1, "good": 2}'),
        reading(name=b"values", value=b'{"good": 2, "  ": 1}'),
        reading(name=b"values", value=b'{"good": 2, "%s": 1}' % (b"q" * 257)),
    ],
)
def test_key_in_the_message(decode_one, value):
    batch = decode_one(value)

    assert failure_of(batch).reason is Reason.KEY
    assert batch.sensor_ids == []
    assert batch.rejected == 0


@pytest.mark.parametrize("number", [b"12.5", b"NaN", b"1e999"])
@pytest.mark.parametrize("key", [None, b"", b" ", b"x" * 257])
def test_key_of_a_bare_number(decode_one, number, key):
    batch = decode_one(number, key=key)

    assert failure_of(batch).reason is Reason.KEY
    assert batch.rejected == 0


@pytest.mark.parametrize(
    "bad",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"1" + b"0" * 400,
        b"9" * 5000,
        b"null",
        b"true",
        b"false",
        b'"12.5"',
        b'"NaN"',
        b'""',
        b"[1]",
        b"{}",
    ],
)
class TestValue:
    def test_single(self, decode_one, bad):
        batch = decode_one(reading(value=bad))

        assert failure_of(batch).reason is Reason.VALUE
        assert batch.sensor_ids == []
        assert batch.rejected == 1

    def test_among_good_ones(self, decode_one, bad):
        values = b'{"a":1,"b":%s,"c":3,"d":%s}' % (bad, bad)

        batch = decode_one(reading(name=b"values", value=values))

        failure = failure_of(batch)
        assert failure.reason is Reason.VALUE
        assert '"b"' in failure.error
        assert "2 of 4 values refused" in failure.error
        assert batch.quantities == ["a", "c"]
        assert batch.values.tolist() == [1.0, 3.0]
        assert batch.rejected == 2

    def test_all_of_several(self, decode_one, bad):
        batch = decode_one(reading(name=b"values", value=b'{"a":%s,"b":%s}' % (bad, bad)))

        assert failure_of(batch).reason is Reason.VALUE
        assert batch.sensor_ids == []
        assert batch.rejected == 2


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"9" * 5000])
def test_bare_number_that_is_not_finite(decode_one, number):
    batch = decode_one(number)

    assert failure_of(batch).reason is Reason.VALUE
    assert batch.rejected == 1


@pytest.mark.parametrize(
    "stamp",
    [
        b'""',
        b'"yesterday"',
        b'"1767254400"',
        b'"2026-13-01"',
        b'"2026-01-01T25:00:00Z"',
        b'" 2026-01-01"',
        b'"\\ud800"',
        b"null",
        b"true",
        b"[1767254400]",
        b"{}",
        b"NaN",
        b"Infinity",
        b"1e999",
        b"1e308",
        b"-1",
        b"-1767254400",
        b"1" + b"0" * 400,
        b'"1969-12-31T23:59:59.999Z"',
        b'"1970-01-01T00:00:00+00:01"',
        b'"0001-01-01T00:00:00+23:59"',
        b'"9999-12-31T23:59:59-23:59"',
        b'"2026-01-02T08:00:00.001Z"',
        b'"%s"' % (b"2" * 100_000),
    ],
)
class TestTime:
    def test_of_one_value(self, decode_one, stamp):
        batch = decode_one(reading(timestamp=stamp))

        assert failure_of(batch).reason is Reason.TIME
        assert batch.sensor_ids == []
        assert batch.rejected == 1

    def test_rejects_every_value(self, decode_one, stamp):
        values = b'{"a":1,"b":null,"c":3}'

        batch = decode_one(reading(timestamp=stamp, name=b"values", value=values))

        assert failure_of(batch).reason is Reason.TIME
        assert batch.sensor_ids == []
        assert batch.rejected == 3


@pytest.mark.parametrize("stamp", [b'"9000-01-01"', b'"9999-12-31"', b"1e15", b"1e300"])
def test_a_time_past_every_calendar(decode_one, stamp):
    """Nothing is known of the record's own time, yet a forecast must still be writable."""
    batch = decode_one(reading(timestamp=stamp), timestamp=-1)

    assert failure_of(batch).reason is Reason.TIME


@pytest.mark.parametrize("kafka_ms", [-1, -(2**63), 2**63 - 1])
def test_bare_number_without_a_kafka_time(decode_one, kafka_ms):
    batch = decode_one(b"1", timestamp=kafka_ms)

    assert failure_of(batch).reason is Reason.TIME
    assert batch.rejected == 1


@pytest.mark.parametrize(
    "value",
    [
        b"\xff\xfe",
        b"12.5\xff",
        reading(sensor_id=b'"\xff"'),
        reading(sensor_id=b'"\xed\xa0\x80"'),  # a surrogate, written as UTF-8 forbids
        reading(sensor_id=b'"\xc0\xaf"'),  # an overlong form
        reading(sensor_id=b'"\\ud800"'),
        reading(sensor_id=b'"\\ude00\\ud83d"'),
        reading(name=b"values", value=b'{"a":1,"\\udfff":2}'),
        b'{"note":"\xff","sensor_id":"s","timestamp":1,"value":1}',
        b'{"\xff":0,"sensor_id":"s","timestamp":1,"value":1}',
        '{"sensor_id":"s","timestamp":1,"value":1}'.encode("utf-16"),
    ],
)
def test_encoding(decode_one, value):
    batch = decode_one(value)

    assert failure_of(batch).reason is Reason.ENCODING
    assert batch.sensor_ids == []
    assert batch.rejected == 0


def test_encoding_of_a_key_that_is_needed(decode_one):
    assert failure_of(decode_one(b"1", key=b"\xff")).reason is Reason.ENCODING


def test_a_key_that_is_not_needed_is_not_read(decode_one):
    assert decode_one(reading(), key=b"\xff").failures == []


def test_size(decode_one):
    limits = Limits(max_message_bytes=64)
    fits, too_long = (reading(value=b"1" + b" " * spaces) for spaces in (23, 24))
    assert [len(fits), len(too_long)] == [64, 65]

    assert decode_one(fits, limits=limits).failures == []
    failure = failure_of(decode_one(too_long, limits=limits))
    assert failure.reason is Reason.SIZE
    assert failure.error == "the value has 65 bytes, more than the limit of 64"


def test_own_limits(decode_one):
    limits = Limits(max_id_bytes=3, max_ahead_ms=0, max_quantities=1)
    now = b"%d" % EIGHT_O_CLOCK

    reasons = [
        failure_of(decode_one(value, limits=limits)).reason
        for value in (
            reading(sensor_id=b'"four"', timestamp=now),
            reading(timestamp=b"%d" % (EIGHT_O_CLOCK + 1)),
            reading(timestamp=now, name=b"values", value=b'{"a":1,"b":2}'),
        )
    ]

    assert decode_one(reading(timestamp=now), limits=limits).failures == []
    assert reasons == [Reason.KEY, Reason.TIME, Reason.SCHEMA]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"{", "the value is not JSON: Expecting property name"),
        (b'{"a', "the value is not JSON: Unterminated string starting at character 1"),
        (b"{}", "sensor_id is missing"),
        (reading(sensor_id=b"7"), "sensor_id 7.0 is not a text"),
        (reading(value=b"null"), "value null is not a finite number"),
        (
            reading(timestamp=b'"2026-01-03"'),
            'timestamp "2026-01-03" is more than 86400 s after Kafka\'s 2026-01-01T08:00:00Z',
        ),
        (reading(timestamp=b"-5"), "timestamp -5.0 is before 1970"),
    ],
)
def test_sentences(decode_one, value, error):
    assert failure_of(decode_one(value)).error.startswith(error)


def test_sentences_stay_short_and_ascii(decode_one):
    hostile = '"{}"'.format("\u202e\u0000é".replace("\u0000", "\\u0000") * 50_000).encode()[
        :200_000
    ]

    for batch in (
        decode_one(reading(sensor_id=hostile + b'"')),
        decode_one(reading(timestamp=hostile + b'"')),
        decode_one(reading(value=hostile + b'"')),
    ):
        error = failure_of(batch).error
        assert len(error) < 200
        assert error.isascii()
