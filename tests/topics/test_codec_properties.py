"""What holds for every message there can be."""

from __future__ import annotations

import decimal
import json
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.topics import Failure, Limits, ReadingDecoder, Reason
from hedgerow.topics.examine import examine

EIGHT_O_CLOCK = 1_767_254_400_000
WHOLE = {Reason.JSON, Reason.SCHEMA, Reason.KEY, Reason.SIZE, Reason.ENCODING}

texts = st.text(st.characters(exclude_categories=()), max_size=20)  # surrogates too
numbers = st.one_of(
    st.floats(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**64, 1e11, -0.0, 1_767_254_400, EIGHT_O_CLOCK]),
)
times = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    numbers,
    texts,
    st.none(),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
sane_readings = st.fixed_dictionaries(
    {"sensor_id": st.sampled_from(["s", "Süd/7", "🚦"]), "timestamp": st.integers(0, 2**31)},
    optional={
        "value": st.floats(-1e6, 1e6) | st.sampled_from([None, math.nan, math.inf]),
        "values": st.dictionaries(st.sampled_from("abc"), st.floats(-9, 9) | st.none()),
        "note": trees,
    },
)
odd_readings = st.fixed_dictionaries(
    {},
    optional={
        "sensor_id": st.one_of(st.just("s"), texts, leaves),
        "timestamp": times,
        "value": st.one_of(numbers, trees),
        "values": st.one_of(st.dictionaries(texts, st.one_of(numbers, leaves), max_size=5), trees),
        "note": trees,
    },
)

sane_forecasts = st.fixed_dictionaries(
    {
        "sensor_id": st.sampled_from(["s", "Süd/7"]),
        "expert": st.sampled_from(["deep", "day-ahead"]),
        "target_time": st.integers(0, 2**31),
        "predicted": st.floats(-1e6, 1e6) | st.sampled_from([-0.0, math.nan]),
    },
    optional={
        "quantity": st.sampled_from(["flow", None, ""]),
        "issued_at": times,
        "timestamp": times,
        "value": st.none() | numbers,
        "note": trees,
    },
)
odd_forecasts = st.fixed_dictionaries(
    {"expert": st.one_of(st.just("deep"), texts, leaves)},
    optional={
        "sensor_id": st.one_of(st.just("s"), texts, leaves),
        "quantity": st.one_of(texts, leaves),
        "target_time": times,
        "issued_at": times,
        "predicted": st.one_of(numbers, trees),
        "values": trees,
    },
)


def as_json(tree):
    try:
        return json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(tree).encode()


@st.composite
def spoiled(draw):
    """A message that was JSON until some bytes were cut, doubled or overwritten."""
    value = bytearray(as_json(draw(sane_readings | sane_forecasts)))
    chance = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(0, 4))):
        place = chance.randrange(len(value) + 1)
        fresh = chance.choice([b"", b'"', b"\\", b"{", b"]", b",", b"\xff", b"e9", b"-", b"\x00"])
        value[place : place + chance.randrange(3)] = fresh
    return bytes(value)


values = st.one_of(
    st.none(),
    st.binary(max_size=60),
    spoiled(),
    sane_readings.map(as_json),
    odd_readings.map(as_json),
    sane_forecasts.map(as_json),
    odd_forecasts.map(as_json),
    trees.map(as_json),
    numbers.map(as_json),
)
keys = st.one_of(st.none(), st.just(b"s1"), st.binary(max_size=8))
kafka_times = st.one_of(
    st.just(EIGHT_O_CLOCK), st.just(-1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**41)
)


@pytest.fixture(scope="module")
def records(record):
    return st.builds(record, values, keys, kafka_times, st.integers(0, 2**62))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_each_message_gives_readings_or_a_failure(records, data):
    log = data.draw(st.lists(records, max_size=6))

    batch = ReadingDecoder().decode(log)

    failed = [failure.position for failure in batch.failures]
    assert failed == sorted(set(failed))
    assert batch.positions == sorted(batch.positions)
    assert set(failed) | set(batch.positions) == set(range(len(log)))
    for failure in batch.failures:
        if failure.reason in WHOLE | {Reason.TIME}:
            assert failure.position not in batch.positions
    of_readings = [f for f in batch.failures if b'"expert"' not in (log[f.position].value or b"")]
    least = sum(failure.reason not in WHOLE for failure in of_readings)
    assert batch.rejected >= least
    if all(failure.reason in WHOLE for failure in batch.failures):
        assert batch.rejected == 0
    assert all(failure.error and len(failure.error) < 300 for failure in batch.failures)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_every_reading_can_be_stored_and_written(records, data):
    log = data.draw(st.lists(records, max_size=6))

    batch = ReadingDecoder().decode(log)

    count = len(batch.sensor_ids)
    columns = (
        batch.quantities,
        batch.experts,
        batch.time_ms,
        batch.values,
        batch.offsets,
        batch.positions,
    )
    assert all(len(column) == count for column in columns)
    assert all(math.isfinite(value) for value in batch.values.tolist())
    assert all(0 <= time < 2**48 for time in batch.time_ms.tolist())
    assert all(0 < len(name.encode()) <= 256 for name in batch.sensor_ids)
    assert all(len(name.encode()) <= 256 for name in batch.quantities + batch.experts)
    assert batch.offsets.tolist() == [log[position].offset for position in batch.positions]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_the_quick_way_agrees_with_the_exact_one(records, data):
    message = data.draw(records)

    batch = ReadingDecoder().decode([message])
    verdict = examine(message.value, message.key, message.timestamp, Limits())

    readings = list(
        zip(
            batch.sensor_ids,
            batch.quantities,
            batch.time_ms.tolist(),
            map(repr, batch.values.tolist()),  # repr tells 0.0 and -0.0 apart
            strict=True,
        )
    )
    assert readings == [
        (verdict.sensor_id, quantity, verdict.time_ms, repr(value))
        for quantity, value in verdict.readings
    ]
    assert batch.experts == [verdict.expert] * len(readings)
    assert batch.rejected == verdict.rejected
    expected = [] if verdict.reason is None else [Failure(0, verdict.reason, verdict.error)]
    assert batch.failures == expected


@settings(deadline=None)
@given(st.data())
def test_a_message_means_the_same_in_any_batch(records, data):
    log = data.draw(st.lists(records, min_size=1, max_size=8))
    cut = data.draw(st.integers(0, len(log)))
    decoder = ReadingDecoder()

    whole = decoder.decode(log)
    first, second = decoder.decode(log[:cut]), ReadingDecoder().decode(log[cut:])

    assert whole.sensor_ids == first.sensor_ids + second.sensor_ids
    assert whole.quantities == first.quantities + second.quantities
    assert whole.experts == first.experts + second.experts
    assert whole.time_ms.tolist() == first.time_ms.tolist() + second.time_ms.tolist()
    assert whole.values.tolist() == first.values.tolist() + second.values.tolist()
    assert whole.offsets.tolist() == first.offsets.tolist() + second.offsets.tolist()
    assert whole.rejected == first.rejected + second.rejected
    reasons = [
        (failure.reason, failure.error) for part in (first, second) for failure in part.failures
    ]
    assert [(failure.reason, failure.error) for failure in whole.failures] == reasons


@pytest.mark.parametrize("levels", [60, 64, 65, 100])
def test_nesting_is_judged_alike_from_any_depth_of_the_stack(decode_one, levels):
    """Python's own limit counts the caller's frames too; ours must bite first."""
    value = b'{"sensor_id":"s","timestamp":1,"value":1,"note":%s1%s}'
    message = value % (b"[" * levels, b"]" * levels)

    def descend(frames):
        return decode_one(message) if frames == 0 else descend(frames - 1)

    shallow = decode_one(message)
    deep = descend(sys.getrecursionlimit() // 2)

    assert [failure.reason for failure in shallow.failures] == ([Reason.JSON] * (levels > 63))
    assert deep.failures == shallow.failures


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 30))
def test_numbers_are_read_as_python_reads_them(decode_one, number, digits):
    for written in {repr(number), f"{number:.{digits}e}", f"{number:.{digits}f}"}:
        expected = float(written)
        if math.isinf(expected):  # rounded up, past the largest float
            continue
        batch = decode_one(written.encode())
        assert [float(value).hex() for value in batch.values] == [
            (expected if set(written) - set("-0") else 0.0).hex()
        ]


@settings(deadline=None)
@given(st.floats(1e-300, 1e300))
def test_numbers_half_way_between_two_floats(decode_one, low):
    """The hardest to round: every digit counts, however many there are."""
    with decimal.localcontext(prec=1500):
        middle = (decimal.Decimal(low) + decimal.Decimal(math.nextafter(low, math.inf))) / 2
    for written in (f"{middle:f}", f"{middle:e}", f"{middle:e}".replace("e", "0000000001e")):
        assert decode_one(written.encode()).values.tolist() == [float(written)]
