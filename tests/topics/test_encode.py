"""Predictions and alerts go out as the records say, whatever their ids and numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.topics import (
    Forecast,
    Prediction,
    RecordError,
    TimestampError,
    decode_alert,
    decode_prediction,
    encode_record,
    format_time,
    make_alert,
    prediction_id,
    series_key,
)
from hedgerow.topics import columns as module
from hedgerow.topics.columns import PredictionEncoder

EIGHT_O_CLOCK = 1_767_254_400_000
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
finite = st.floats(allow_nan=False, allow_infinity=False)
ends = st.one_of(finite, st.just(math.nan), st.just(math.inf))


def columns(rows, horizon_count):
    """Turn (sensor, quantity, offset, time, value, model, [forecast tuples]) into arguments."""
    sensors, quantities, offsets, issued, observed, models, forecasts = (
        zip(*rows, strict=True) if rows else ((),) * 7
    )
    block = np.array([[list(one) for one in row] for row in forecasts], dtype=np.float64).reshape(
        len(rows), horizon_count, 6
    )
    return {
        "sources": [f"sensor-data:{offset % 3}" for offset in offsets],
        "sensor_ids": list(sensors),
        "quantities": list(quantities),
        "offsets": np.array(offsets, np.int64),
        "issued_ms": np.array(issued, np.int64),
        "observed": np.array(observed, np.float64),
        "models": list(models),
        "horizons": block[:, :, 0].astype(np.int32),
        "target_ms": block[:, :, 1].astype(np.int64),
        "predicted": block[:, :, 2],
        "mean": block[:, :, 3],
        "lower": block[:, :, 4],
        "upper": block[:, :, 5],
    }


def end(number):
    return number if math.isfinite(number) else None


forecasts = st.tuples(
    st.sampled_from([0, 1, 3, 12]), st.integers(0, 2**41), finite, finite, ends, ends
)
rows = st.tuples(
    ids,
    st.one_of(st.just(""), ids),
    st.integers(0, 2**62),
    st.integers(0, 2**41),
    finite,
    ids,
    st.lists(forecasts, min_size=3, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, max_size=5))
def test_a_batch_equals_its_records_one_by_one(log):
    encoded = PredictionEncoder().encode(**columns(log, 3))

    expected = []
    for sensor, quantity, offset, issued, observed, model, ahead in log:
        series = series_key(sensor, quantity)
        record = Prediction(
            id=prediction_id("sensor-data", offset % 3, offset, series),
            series=series,
            sensor_id=sensor,
            quantity=quantity or None,
            source_offset=offset,
            issued_at=format_time(issued),
            observed=observed,
            model=model,
            forecasts=tuple(
                Forecast(horizon, format_time(target), median, mean, end(low), end(high))
                for horizon, target, median, mean, low, high in ahead
                if horizon
            ),
        )
        expected.append(record)
    assert [decode_prediction(value) for _, value in encoded] == expected
    assert encoded == [encode_record(record) for record in expected]
    assert [key.decode() for key, _ in encoded] == [record.series for record in expected]


def test_the_json_a_consumer_sees():
    row = ("s1", "", 7, EIGHT_O_CLOCK + 250, 12.5, "road", [
        (1, EIGHT_O_CLOCK + 3_600_000, 12.0, 12.25, math.nan, math.nan),
        (0, 0, math.nan, math.nan, math.nan, math.nan),
        (12, EIGHT_O_CLOCK + 12 * 3_600_000, 14.0, 14.5, 10.0, 18.0),
    ])  # fmt: skip

    [(key, value)] = PredictionEncoder().encode(**columns([row], 3))

    assert key == b"s1"
    assert json.loads(value) == {
        "id": "sensor-data:1:7:s1",
        "series": "s1",
        "sensor_id": "s1",
        "quantity": None,
        "source_offset": 7,
        "issued_at": "2026-01-01T08:00:00.250Z",
        "observed": 12.5,
        "model": "road",
        "forecasts": [
            {
                "horizon": 1,
                "target_time": "2026-01-01T09:00:00Z",
                "predicted": 12.0,
                "mean": 12.25,
                "lower": None,
                "upper": None,
            },
            {
                "horizon": 12,
                "target_time": "2026-01-01T20:00:00Z",
                "predicted": 14.0,
                "mean": 14.5,
                "lower": 10.0,
                "upper": 18.0,
            },
        ],
    }


@pytest.mark.parametrize("broken", [(math.nan, 1.0), (1.0, math.inf)])
def test_a_forecast_that_is_no_number_is_left_out(broken):
    """``predicted`` and ``mean`` are never null; whatever stands in the target's place."""
    row = ("s1", "", 7, 0, 1.0, "road", [(1, -(2**62), *broken, 0.0, 0.0), (3, 0, 1, 1, 0, 2)])

    [(_, value)] = PredictionEncoder().encode(**columns([row], 2))

    assert [forecast.horizon for forecast in decode_prediction(value).forecasts] == [3]


@given(st.lists(st.integers(-62_135_596_800_000, 253_402_300_799_999), min_size=1, max_size=20))
def test_every_time_is_written_as_one_alone_would_be(times):
    rows = [("s1", "", 7, time_ms, 1.0, "road", [(1, time_ms, 1, 1, 0, 2)]) for time_ms in times]

    encoded = PredictionEncoder().encode(**columns(rows, 1))

    found = [decode_prediction(value) for _, value in encoded]
    assert [record.issued_at for record in found] == [format_time(ms) for ms in times]
    assert [record.forecasts[0].target_time for record in found] == list(map(format_time, times))


@pytest.mark.parametrize("time_ms", [-62_135_596_800_001, 253_402_300_800_000, 2**62])
def test_a_time_that_cannot_be_written_is_refused_by_name(time_ms):
    for issued, target in ((time_ms, 0), (0, time_ms)):
        row = ("s1", "", 7, issued, 1.0, "road", [(1, target, 1, 1, 0, 2)])
        with pytest.raises(TimestampError, match=f"{time_ms} ms is outside"):
            PredictionEncoder().encode(**columns([row], 1))


def test_names_that_are_forgotten_are_written_again_alike(monkeypatch):
    rows = [(f"s{n % 7}", "", n, 0, 1.0, "road", [(1, 0, 1, 1, 0, 2)]) for n in range(50)]
    remembering = PredictionEncoder().encode(**columns(rows, 1))
    monkeypatch.setattr(module, "NAMES_REMEMBERED", 3)
    assert PredictionEncoder().encode(**columns(rows, 1)) == remembering


def test_columns_of_different_length_are_refused():
    row = ("s1", "", 7, 0, 1.0, "road", [(1, 0, 1, 1, 0, 2)])
    arguments = columns([row, row], 1) | {"sensor_ids": ["s1"]}

    with pytest.raises(ValueError, match="shorter|longer"):
        PredictionEncoder().encode(**arguments)


@settings(deadline=None)
@given(ids, ids, st.one_of(st.none(), finite), st.text(st.characters(exclude_categories=["Cs"])))
def test_alerts_come_back_as_they_went(sensor, quantity, number, message):
    alert = make_alert(
        "sensor-data",
        3,
        sensor,
        quantity,
        57,
        kind="bound",
        severity="critical",
        state="resolved",
        opening_offset=41,
        opened_ms=EIGHT_O_CLOCK,
        at_ms=EIGHT_O_CLOCK + 1,
        observed=number,
        expected=None,
        lower=number,
        upper=number,
        message=message,
    )

    key, value = encode_record(alert)

    assert decode_alert(value) == alert
    assert key.decode() == f"{sensor}/{quantity}"
    assert alert.id == f"sensor-data:3:57:{sensor}/{quantity}:bound:resolved"
    assert alert.episode == f"sensor-data:3:41:{sensor}/{quantity}:bound"
    assert alert.at == "2026-01-01T08:00:00.001Z"


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b"\xff", b"null", b'{"id": 1}'])
def test_foreign_bytes_are_a_record_error(value):
    with pytest.raises(RecordError, match="not a prediction"):
        decode_prediction(value)
    with pytest.raises(RecordError, match="not an alert"):
        decode_alert(value)
