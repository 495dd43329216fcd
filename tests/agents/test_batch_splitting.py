"""Promise 1: outputs and state depend on the log alone, not on where batches end.

The same log goes through a worker in one piece, and through workers that cut it anywhere,
save now and then, are killed and restarted: same state bit for bit, same records byte for byte.
"""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig import PARTITION, Record, Rig, batch

from hedgerow.agents.ports import OutRecord
from hedgerow.models import CityModel, Learner, Profile, encode_chunk

CITY = CityModel(
    profiles=(
        Profile("road", match=("road-*",), period_seconds=300, bound_upper=90.0, outside=("deep",)),
        Profile("hourly", match=("hour-*",), period_seconds=3600, horizons=(1, 24)),
    ),
    timezone="Europe/Copenhagen",
)
SENSORS = ("road-1", "road-2", "hour-1", "any-1", "any-2")
BAD = (b"", b"{", b"[1]", b'{"sensor_id": "", "timestamp": 0, "value": 1}', b"\xff", b"NaN")


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A log of a few sensors with forecasts by others, gaps, late, duplicate and bad messages."""
    seed = draw(st.integers(0, 2**32 - 1))
    length = draw(st.integers(1, 160))
    random = draw(st.randoms(use_true_random=False))
    random.seed(seed)
    clocks = dict.fromkeys(SENSORS, 1_767_225_600)
    daily = random.random() < 0.3  # then a sensor falls silent
    records = []
    for offset in range(length):
        sensor = random.choice(SENSORS)
        if random.random() < 0.05:
            records.append(Record(offset, random.choice(BAD), b"k"))
            continue
        if daily and sensor == "any-1" and offset > 100:
            sensor = "hour-1"
        period = 300 if sensor.startswith("road") else 3600
        if random.random() < 0.2:
            forecast = {
                "sensor_id": sensor,
                "expert": random.choice(("deep", "deep", "nobody")),
                "target_time": clocks[sensor]
                + period * random.choice((-1, 0, 1, 1, 2, 3, 12, 900)),
                "predicted": random.choice((50 + random.gauss(0, 9), 1e300, None)),
            }
            records.append(Record(offset, json.dumps(forecast).encode(), b"k"))
            continue
        if daily:
            clocks[sensor] += 86_400
        else:
            clocks[sensor] += period * random.choice((1, 1, 1, 1, 1, 2, 5, 0, -2))
        value = 50 + 40 * math.sin(clocks[sensor] / 13_750.0) + random.gauss(0, 4)
        if random.random() < 0.02:
            value = random.choice((1e9, -1e308, 0.0, 5e-324))
        body: dict[str, object] = {"sensor_id": sensor, "timestamp": clocks[sensor]}
        if sensor == "any-2":
            body["values"] = {"speed": value, "count": float(int(abs(value)) % 7)}
        else:
            body["value"] = value
        records.append(Record(offset, json.dumps(body).encode(), b"k"))
    return records


@dataclass(frozen=True)
class Plan:
    """Where batches end, and what happens there."""

    cuts: dict[int, str]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    cuts = draw(
        st.dictionaries(
            st.integers(1, 159),
            st.sampled_from(("cut", "cut", "save", "save and crash", "crash")),
            max_size=20,
        )
    )
    return Plan(cuts)


def state(learner: Learner) -> dict[str, bytes]:
    learner.recapture_all()
    return {name: encode_chunk(raw) for name, raw in learner.capture().chunks.items()}


def by_id(records: list[OutRecord]) -> dict[tuple[object, ...], OutRecord]:
    """Index records by identity; a repeat must be the same to the last byte."""
    found: dict[tuple[object, ...], OutRecord] = {}
    for record in records:
        if record.topic == "dead-letters":
            headers = dict(record.headers)
            key: tuple[object, ...] = (record.topic, headers["dlq.offset"])
        else:
            key = (record.topic, json.loads(record.value or b"{}")["id"])
        assert found.setdefault(key, record) == record
    return found


async def undisturbed(records: list[Record]) -> tuple[dict[str, bytes], list[OutRecord]]:
    rig = Rig(CITY)
    await rig.assign()
    await rig.feed(batch(records))
    assert rig.failures == []
    return state(rig.learner), rig.emitter.records


async def disturbed(records: list[Record], plan: Plan) -> tuple[dict[str, bytes], list[OutRecord]]:
    rig = Rig(CITY)
    position = await rig.assign()
    cuts = dict(sorted(plan.cuts.items()))
    while position < len(records):
        end = min([cut for cut in cuts if cut > position] + [len(records)])
        await rig.feed(batch(records[position:end], start=position))
        position = end
        action = cuts.pop(end, "cut")
        if action.startswith("save"):
            await rig.save()
        if action.endswith("crash"):
            rig.restart()
            position = await rig.assign()
    assert rig.failures == []
    assert rig.realigned == []
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    assert holding.next_offset == len(records)
    return state(rig.learner), rig.emitter.records


def test_a_daily_log_tells_of_a_silent_sensor() -> None:
    def body(sensor: str, day: int) -> bytes:
        at = 1_767_225_600 + 86_400 * day
        return json.dumps({"sensor_id": sensor, "timestamp": at, "value": day % 5}).encode()

    rows = [(s, day) for day in range(40) for s in SENSORS if s != "any-1" or day < 25]
    records = [Record(offset, body(*row), b"k") for offset, row in enumerate(rows)]
    _, out = asyncio.run(undisturbed(records))
    alerts = [json.loads(record.value or b"") for record in out if record.topic == "alerts"]
    (alert,) = [alert for alert in alerts if alert["kind"] == "silent"]

    assert (alert["series"], alert["state"], alert["observed"]) == ("any-1", "open", None)
    revealing = alert["source_offset"]
    assert rows[revealing][0] != "any-1"
    assert alert["id"] == f"sensor-data:0:{revealing}:any-1:silent:open"
    assert alert["at"] == "2026-01-31T00:00:00Z"


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=logs(), plan=plans())
def test_neither_batches_nor_restarts_show(records: list[Record], plan: Plan) -> None:
    whole_state, whole = asyncio.run(undisturbed(records))
    cut_state, cut = asyncio.run(disturbed(records, plan))
    assert cut_state == whole_state
    assert by_id(cut) == by_id(whole)
