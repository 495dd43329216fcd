"""Forwarding: forecasts by others get a place in the readings' log, each under its sensor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from rig import PARTITION, Record, Rig, batch, log

from hedgerow.agents.forward import ForwardAgent
from hedgerow.agents.ports import Fetch, Partition
from hedgerow.models import CityModel, Profile
from hedgerow.topics import ReadingDecoder, TopicNames

HOUR = 3600
START = 1_800_000_000
CITY = CityModel(profiles=(Profile("hourly", period_seconds=HOUR, outside=("deep",)),))
EXTRA = Partition("expert-forecasts", 0)


def reading(hour: int, value: float = 1.0, sensor: str = "s1") -> bytes:
    body = {"sensor_id": sensor, "timestamp": START + HOUR * hour, "value": value}
    return json.dumps(body).encode()


def forecast(hour: int, value: object = 7.0, sensor: str = "s1", expert: str = "deep") -> bytes:
    body = {"sensor_id": sensor, "expert": expert, "target_time": START + HOUR * hour}
    return json.dumps({**body, "predicted": value}).encode()


def forward(rig: Rig) -> ForwardAgent:
    return ForwardAgent(
        decoder=ReadingDecoder(),
        holdings=rig.holdings,
        names=TopicNames(),
        emitter=rig.emitter,
        meter=rig.meter,
        realign=lambda partition, offset: rig.realigned.append((partition, offset)),
        on_failure=rig.failures.append,
    )


async def run(agent: ForwardAgent, messages: Sequence[Record]) -> None:
    async def stream() -> AsyncIterator[Fetch]:
        yield [replace(batch(messages), partition=EXTRA)]

    await agent.run(stream())


@pytest.fixture
async def rig() -> Rig:
    rig = Rig(CITY)
    await rig.assign(EXTRA)
    return rig


async def test_forecasts_go_on_as_they_are_under_their_sensor_in_order(rig: Rig) -> None:
    sent = [forecast(2, sensor="Süd/7"), forecast(2), forecast(3)]

    await run(forward(rig), log(sent, key=b"whatever"))

    assert [(r.topic, r.key, r.value) for r in rig.emitter.records] == [
        ("sensor-data", key, value)
        for key, value in zip(["Süd/7".encode(), b"s1", b"s1"], sent, strict=True)
    ]
    assert rig.meter.forecasts_by == {"forwarded": 3}


async def test_what_is_no_forecast_is_a_dead_letter(rig: Rig) -> None:
    await run(forward(rig), log([b"{", reading(0), forecast(1, None), forecast(1)]))

    letters = rig.emitter.of("dead-letters")
    reasons = [dict(letter.headers)["dlq.reason"] for letter in letters]
    assert reasons == [b"json", b"schema", b"value"]
    assert {dict(letter.headers)["dlq.topic"] for letter in letters} == {b"expert-forecasts"}
    assert rig.emitter.of("sensor-data")[0].value == forecast(1)
    holding = rig.holdings.get(EXTRA)
    assert holding is not None
    counts = holding.learner.counts
    assert (counts.messages_decoded, counts.messages_dead_lettered) == (1, 3)
    assert counts.readings == 0


async def test_after_a_crash_the_rest_is_forwarded_again_in_the_same_order(rig: Rig) -> None:
    messages = log([forecast(hour) for hour in range(6)])
    await run(forward(rig), messages[:2])
    await rig.save()
    await run(forward(rig), messages[2:4])

    rig.restart()
    position = await rig.assign(EXTRA)
    assert position == 2
    await run(forward(rig), messages[position:])

    went = [r.value for r in rig.emitter.of("sensor-data")]
    assert went == [message.value for message in [*messages[:4], *messages[2:]]]


async def test_a_batch_that_does_not_go_on_where_it_ended_is_not_forwarded(rig: Rig) -> None:
    await run(forward(rig), log([forecast(1), forecast(2)])[1:])

    assert rig.emitter.records == []
    assert rig.realigned == [(EXTRA, 0)]


async def test_in_the_readings_log_they_are_counted_apart_and_give_no_record() -> None:
    rig = Rig(CITY)
    await rig.assign()
    others = [forecast(2), forecast(2, expert="nobody"), forecast(2, sensor="s9"), forecast(2, "x")]
    await rig.feed(batch(log([reading(0), reading(1), *others])))

    assert len(rig.emitter.of("predictions")) == 2
    assert rig.meter.forecasts_by == {"used": 1, "ignored": 2}
    assert rig.meter.messages_by == {"decoded": 5, "value": 1}
    counts = rig.learner.counts
    assert (counts.messages, counts.readings) == (6, 2)
    assert (counts.forecasts_used, counts.forecasts_ignored) == (1, 2)
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    assert holding.next_offset == 6
