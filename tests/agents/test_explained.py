"""Predictions that tell what they were made of: the same numbers, the same bytes on replay."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from random import Random

import pytest
from models.logs import CITY, COMPANY, Log, city_log, company_log
from rig import Record, Rig, batch, log

from hedgerow.models import CityModel, Profile, RiverExpert
from hedgerow.topics import Prediction, decode_prediction

READINGS = 700
PLUGINS = CityModel(
    (
        Profile(
            "plugged", ("*",), 3600.0, experts=("pattern",),
            river=(RiverExpert("river.linear_model.LinearRegression"),),
        ),
    ),
    plugin_key=b"0123456789abcdef",
)  # fmt: skip


def messages(readings: Log) -> list[Record]:
    """One message a reading."""
    columns = zip(
        readings.sensor_ids, readings.quantities, readings.time_ms.tolist(),
        readings.values.tolist(), strict=True,
    )  # fmt: skip
    return log(
        json.dumps(
            {"sensor_id": sensor, "timestamp": time}
            | ({"values": {quantity: value}} if quantity else {"value": value})
        ).encode()
        for sensor, quantity, time, value in columns
    )


def sent(rig: Rig) -> list[bytes]:
    return [record.value or b"" for record in rig.emitter.of("predictions")]


async def published(city: CityModel, records: list[Record], seed: int | None) -> list[bytes]:
    """Run a log through an agent, in batches cut at random, or whole."""
    rig = Rig(city, interval_seconds=1e9)
    await rig.assign()
    random, start = Random(seed), 0
    while start < len(records):
        size = len(records) if seed is None else random.randint(1, 60)
        await rig.feed(batch(records[start : start + size], start))
        start += size
    assert not rig.failures
    return sent(rig)


CASES = [
    pytest.param(CITY, city_log(5, READINGS), id="city"),
    pytest.param(COMPANY, company_log(5, READINGS), id="companions"),
    pytest.param(PLUGINS, city_log(6, 200), id="plug-ins"),
]


@pytest.mark.parametrize(("city", "readings"), CASES)
async def test_the_same_log_gives_the_same_bytes_however_it_is_cut(
    city: CityModel, readings: Log
) -> None:
    explained, records = replace(city, explain=True), messages(readings)
    whole = await published(explained, records, None)
    assert any(b'"explanation"' in value for value in whole)
    for seed in range(2):
        assert await published(explained, records, seed) == whole


@pytest.mark.parametrize(("city", "readings"), CASES)
async def test_without_what_is_told_they_are_the_records_as_ever(
    city: CityModel, readings: Log
) -> None:
    records = messages(readings)
    plain = await published(city, records, None)
    told = await published(replace(city, explain=True), records, None)
    assert not any(b"explanation" in value for value in plain)
    for one, other in zip(plain, told, strict=True):
        body = json.loads(other)
        for forecast in body["forecasts"]:
            del forecast["explanation"]
        assert body == json.loads(one)


@pytest.mark.parametrize(("city", "readings"), CASES)
async def test_what_is_told_sums_to_the_forecast(city: CityModel, readings: Log) -> None:
    told = await published(replace(city, explain=True), messages(readings), 3)
    found = 0
    for prediction in map(decode_prediction, told):
        found += check(prediction)
    assert found > len(told)


def check(prediction: Prediction) -> int:
    for forecast in prediction.forecasts:
        told = forecast.explanation
        assert told
        amounts = [one.amount for one in told.inputs] + [told.others]
        rounding = 1e-12 * math.fsum(map(abs, amounts))
        assert abs(math.fsum(amounts) - forecast.predicted) <= rounding + 1e-12
        names = [one.input for one in told.inputs]
        assert len(names) == len(set(names)) <= 6
        assert math.isclose(math.fsum(one.weight for one in told.experts), 1.0)
        assert math.isclose(math.fsum(one.mean_weight for one in told.experts), 1.0)
        if not {"limits", "drift correction"} & set(names):
            together = math.fsum(one.weight * one.predicted for one in told.experts)
            assert math.isclose(together, forecast.predicted, rel_tol=1e-9, abs_tol=1e-9)
    return len(prediction.forecasts)


async def test_a_worker_that_crashed_repeats_what_it_told() -> None:
    records = messages(city_log(7, 400))
    rig = Rig(replace(CITY, explain=True))
    await rig.assign()
    await rig.feed(batch(records[:150], 0))
    await rig.save()
    await rig.feed(batch(records[150:300], 150))
    before = sent(rig)
    rig.restart()
    assert await rig.assign() == 150
    await rig.feed(batch(records[150:300], 150))
    after = sent(rig)
    repeated = len(after) - len(before)
    assert after[len(before) :] == before[-repeated:]
