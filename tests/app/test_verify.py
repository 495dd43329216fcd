"""Comparing what was published with what should have been, also where retention took a part."""

from __future__ import annotations

import json
from types import SimpleNamespace

from hedgerow.app.audit.verify import (
    Accounted,
    Finding,
    Predictions,
    compare,
    decode_readings,
    verdict,
)
from hedgerow.topics import ReadingDecoder

TOPIC = "sensor-data"


def message(offset: int, sensor: str = "a") -> SimpleNamespace:
    body = {"sensor_id": sensor, "timestamp": 3600 * offset, "value": 1.0}
    return SimpleNamespace(offset=offset, timestamp=-1, key=None, value=json.dumps(body).encode())


def prediction(offset: int, sensor: str = "a", *, observed: float = 1.0) -> bytes:
    name = f"{TOPIC}:0:{offset}:{sensor}"
    return json.dumps({"id": name, "observed": observed}).encode()


def found(
    published: list[bytes],
    *,
    offsets: range = range(10),
    bad: frozenset[int] = frozenset(),
    cut: bool = False,
    dead: dict[int, str] | None = None,
    late: int = 0,
    messages: int = 10,
    next_offset: int = 10,
) -> Finding:
    predictions = Predictions(TOPIC, {0: cut})
    for value in published:
        predictions.add(0, value)
    first = max(offsets.start, predictions.first(0))
    log = [message(n) for n in range(first, min(offsets.stop, next_offset))]
    for one in log:
        if one.offset in bad:
            one.value = b"{"
    return compare(
        TOPIC,
        0,
        accounted=Accounted(next_offset, messages, messages - late, late, 0),
        readings=decode_readings(first, log, ReadingDecoder()),
        predictions=predictions.of(0),
        dead=dead or {},
    )


ALL = [prediction(n) for n in range(10)]


def test_each_reading_with_its_prediction_is_good() -> None:
    one = found(ALL)
    assert one.good
    assert (one.whole, one.readings, one.predictions) == (True, 10, 10)
    assert verdict([one]).endswith("no repeats")


def test_a_gap_is_named() -> None:
    one = found(ALL[:4] + ALL[5:])
    assert (one.missing, one.examples) == (1, ("sensor-data:0:4:a",))
    assert "1 predictions missing" in verdict([one])


def test_a_late_reading_is_excused_and_one_more_is_not() -> None:
    assert found(ALL[:4] + ALL[5:], late=1).good
    assert found(ALL[:4] + ALL[6:], late=1).missing == 1


def test_a_prediction_for_what_the_accounting_calls_late_is_strange() -> None:
    assert found(ALL, late=1).strange == 1


def test_repeats_are_allowed_and_other_bytes_are_not() -> None:
    again = found([*ALL, ALL[3], ALL[3], ALL[7]])
    assert (again.good, again.repeats, again.predictions) == (True, 3, 10)
    other = found([*ALL, ALL[3], prediction(3, observed=2.0)])
    assert (other.good, other.repeats, other.differing) == (False, 1, 1)
    assert other.examples == ("sensor-data:0:3:a",)


def test_a_prediction_without_a_reading_is_strange() -> None:
    assert found([*ALL, prediction(4, "nobody")]).strange == 1


def test_what_is_not_saved_yet_is_no_fault() -> None:
    one = found([*ALL, prediction(10), prediction(11)])
    assert (one.good, one.ahead) == (True, 2)


def test_a_bad_message_needs_its_dead_letter() -> None:
    published = ALL[:4] + ALL[5:]
    assert found(published, bad=frozenset({4}), dead={4: "json"}).good
    assert found(published, bad=frozenset({4})).letters_missing == 1


def test_a_reading_of_a_series_too_many_needs_no_prediction() -> None:
    one = found(ALL[:4] + ALL[5:], dead={4: "series-limit"})
    assert (one.good, one.excused) == (True, 1)


def test_what_retention_took_is_not_missed() -> None:
    one = found(ALL[6:], cut=True)
    assert (one.good, one.first, one.whole, one.readings) == (True, 6, False, 4)
    assert found(ALL[6:8] + ALL[9:], cut=True).missing == 1


def test_where_the_log_is_cut_only_more_gaps_than_excuses_are_a_fault() -> None:
    one = found(ALL[5:7] + ALL[8:], offsets=range(5, 10), late=3)
    assert (one.whole, one.good, one.excused) == (False, True, 1)


def test_records_of_others_are_counted_and_left_alone() -> None:
    predictions = Predictions(TOPIC, {})
    for value in (b"{}", b"no json", b'{"id": "other:0:1:a"}', b'{"id": "sensor-data:x:1:a"}'):
        predictions.add(0, value)
    assert predictions.foreign == 4


def test_a_series_may_hold_colons() -> None:
    predictions = Predictions(TOPIC, {})
    predictions.add(0, json.dumps({"id": f"{TOPIC}:3:7:a:b:c"}).encode())
    keys, bodies = predictions.of(3)
    assert (len(keys), len(bodies), int(keys[0, 0])) == (1, 1, 7)


def test_somebodys_forecast_in_the_log_needs_no_prediction() -> None:
    one = SimpleNamespace(
        offset=0, timestamp=-1, key=None,
        value=b'{"sensor_id": "a", "expert": "x", "target_time": 3600, "predicted": 1}',
    )  # fmt: skip
    readings = decode_readings(0, [one, message(1)], ReadingDecoder())
    assert (readings.messages, readings.keys[:, 0].tolist()) == (2, [1])
