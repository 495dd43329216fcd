"""The loop: what goes in comes out once, with its place in the log, or as a dead letter."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from rig import PARTITION, Rig, batch, log

from hedgerow.agents import holding
from hedgerow.agents.ports import OutRecord
from hedgerow.models import CityModel, Profile, StepResult
from hedgerow.topics import decode_alert, decode_prediction

HOURLY = CityModel(profiles=(Profile("hourly", period_seconds=3600, bound_upper=100.0),))


def reading(hour: int, value: object = 1.0, sensor: str = "s1") -> bytes:
    stamp = f"2026-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z"
    return json.dumps({"sensor_id": sensor, "timestamp": stamp, "value": value}).encode()


def headers(record: OutRecord) -> dict[str, str]:
    return {name: text.decode() for name, text in record.headers}


@pytest.fixture
async def rig() -> Rig:
    rig = Rig(HOURLY)
    await rig.assign()
    return rig


async def test_each_learned_reading_gives_one_prediction_with_its_place(rig: Rig) -> None:
    await rig.feed(batch(log([reading(0), reading(1, 2.0)])))
    sent = [decode_prediction(r.value or b"") for r in rig.emitter.of("predictions")]
    assert [p.id for p in sent] == ["sensor-data:0:0:s1", "sensor-data:0:1:s1"]
    assert [p.observed for p in sent] == [1.0, 2.0]
    assert [f.target_time for f in sent[1].forecasts][0] == "2026-01-01T02:00:00Z"


async def test_a_bad_message_becomes_a_dead_letter_and_the_loop_goes_on(rig: Rig) -> None:
    await rig.feed(batch(log([reading(0), b"{nonsense", reading(1)])))
    (letter,) = rig.emitter.of("dead-letters")
    assert (letter.key, letter.value) == (b"k", b"{nonsense")
    assert headers(letter)["dlq.reason"] == "json"
    assert headers(letter)["dlq.offset"] == "1"
    assert len(rig.emitter.of("predictions")) == 2


async def test_every_message_and_reading_is_accounted_for(rig: Rig) -> None:
    both = b'{"sensor_id": "m", "timestamp": "2026-01-01T00:00:00Z", "values": {"a": 1, "b": null}}'
    old, again = reading(0, 5.0), reading(2, 7.0)
    await rig.feed(batch(log([reading(0), reading(2), old, again, both, b"[]"])))
    counts = rig.learner.counts
    assert counts.messages == 6
    assert (counts.messages_decoded, counts.messages_dead_lettered) == (4, 2)
    assert (counts.learned, counts.late, counts.duplicate, counts.rejected) == (3, 1, 1, 1)
    assert rig.meter.messages_by == {"decoded": 4, "value": 1, "schema": 1}


async def test_a_series_too_many_is_a_dead_letter_and_the_others_go_on() -> None:
    rig = Rig(HOURLY, max_series=1)
    await rig.assign()
    await rig.feed(batch(log([reading(0), reading(0, sensor="s2"), reading(1)])))
    (letter,) = rig.emitter.of("dead-letters")
    assert headers(letter)["dlq.reason"] == "series-limit"
    assert len(rig.emitter.of("predictions")) == 2


async def test_a_crossed_bound_opens_and_closes_one_episode(rig: Rig) -> None:
    await rig.feed(batch(log([reading(h, v) for h, v in enumerate([1, 150, 160, 1, 1, 1])])))
    alerts = [decode_alert(r.value or b"") for r in rig.emitter.of("alerts")]
    bound = [a for a in alerts if a.kind == "bound"]
    assert [a.state for a in bound] == ["open", "resolved"]
    assert len({a.episode for a in bound}) == 1


async def test_a_batch_that_does_not_fit_the_state_is_not_learned(rig: Rig) -> None:
    messages = log([reading(0), reading(1), reading(2)])
    await rig.feed(batch(messages[:1]))
    await rig.feed(batch(messages[2:]))
    assert rig.realigned == [(PARTITION, 1)]
    assert rig.learner.counts.learned == 1
    await rig.feed(batch(messages[:1]))
    assert rig.learner.counts.learned == 1


async def test_a_hole_in_the_log_is_no_gap_in_the_deliveries(rig: Rig) -> None:
    messages = log([reading(0), reading(1), reading(2)])
    await rig.feed(batch(messages[:1]), batch(messages[2:], start=1))
    assert rig.realigned == []
    assert rig.learner.counts.learned == 2


async def test_while_rows_are_copied_a_batch_is_stepped_in_pieces(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [reading(0, sensor=f"s{n}") for n in range(10)]
    more = [reading(1 + n // 10, 2.0 * n, f"s{n % 10}") for n in range(50)]
    messages = log([*first, *more])
    whole = Rig(HOURLY)
    await whole.assign()
    await whole.feed(batch(messages[:10]), batch(messages[10:]))

    await rig.feed(batch(messages[:10]))
    monkeypatch.setattr(holding, "COPIED_AT_ONCE_BYTES", 4 * rig.learner.row_bytes)
    monkeypatch.setattr(holding, "SLICE_BYTES", 1)  # a row
    rig.clock.now += 3600.0
    rig.holdings.checkpoint_when_due()
    while not rig.learner.copying:
        await asyncio.sleep(0)
    seen: list[int] = []
    step = rig.learner.step

    def counted(sensor_ids: list[str], *columns: Any, **more: Any) -> StepResult:
        seen.append(len(sensor_ids))
        return step(sensor_ids, *columns, **more)

    monkeypatch.setattr(rig.learner, "step", counted, raising=False)
    await rig.feed(batch(messages[10:]))
    assert seen[0] == 4
    assert seen[-1] > 4, "not once all is copied"
    assert sum(seen) == 50
    assert rig.realigned == []
    assert rig.emitter.records == whole.emitter.records


async def test_a_partition_of_another_worker_is_left_alone(rig: Rig) -> None:
    rig.holdings.abandon(PARTITION)
    await rig.feed(batch(log([reading(0)])))
    assert rig.emitter.records == []


async def test_an_unforeseen_error_stops_the_worker_and_saves_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.feed(batch(log([reading(0)])))
    await rig.save()
    saved = rig.store.rows[PARTITION].stored

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(rig.learner, "step", broken, raising=False)
    await rig.feed(batch(log([reading(0), reading(1)])[1:]))
    await rig.save()
    assert isinstance(rig.failures[0], ZeroDivisionError)
    assert rig.store.rows[PARTITION].stored is saved
