"""The registry's record: what is taken, what is refused, and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.topics import RecordError, Sensor, decode_sensor, encode_sensor
from hedgerow.topics.sensors import faults

texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.none() | st.floats(-89, 89)
sensors = st.builds(
    Sensor,
    sensor_id=texts,
    name=texts,
    kind=texts,
    unit=texts,
    zone=texts,
    longitude=numbers,
    latitude=numbers,
    x=numbers,
    y=numbers,
    bound_lower=numbers,
    bound_upper=numbers,
    period_seconds=numbers,
    neighbours=st.lists(texts, max_size=5).map(tuple),
)


@given(sensors)
def test_what_has_no_fault_comes_back_as_it_was_and_all_else_is_refused(sensor: Sensor) -> None:
    key, value = encode_sensor(sensor)

    if list(faults(sensor)):
        with pytest.raises(RecordError):
            decode_sensor(key, value)
    else:
        assert decode_sensor(key, value) == sensor


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `sensor_id`"),
        (b'{"sensor_id":"s","zones":"a"}', "unknown field `zones`; a sensor has sensor_id, name"),
        (b'{"sensor_id":"s","longitude":"12"}', "Expected `float | null`, got `str`"),
        (b'{"sensor_id":"t"}', "the key must be the sensor_id, 't'"),
        (b'{"sensor_id":"s","longitude":12}', "longitude is given alone; a position has longitude"),
        (b'{"sensor_id":"s","longitude":12,"latitude":91}', "between -90 and 90 degrees"),
        (b'{"sensor_id":"s","longitude":1,"latitude":1,"x":1,"y":1}', "not both"),
        (b'{"sensor_id":"s","bound_lower":2,"bound_upper":2}', "must be in order"),
        (b'{"sensor_id":"s","period_seconds":0.5}', "must lie between 1 and 2678400"),
        (b'{"sensor_id":"s","neighbours":["s"]}', "none of them itself"),
        (b'{"sensor_id":"s","neighbours":["a","b","c","d","e"]}', "a sensor can have 4"),
    ],
)
def test_a_record_that_is_not_right_is_refused_with_what_would_be(
    body: bytes, sentence: str
) -> None:
    with pytest.raises(RecordError, match="sensor s: ") as refused:
        decode_sensor(b"s", body)

    assert sentence in str(refused.value)
