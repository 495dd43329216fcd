"""Small batches of several partitions are stepped in one unit, and come out as one by one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest
from rig import Record, Rig, log

from hedgerow.agents import loop
from hedgerow.agents.errors import Storm
from hedgerow.agents.forecast import ForecastAgent
from hedgerow.agents.loop import Due
from hedgerow.agents.ports import Batch, Fetch, OutRecord, Partition
from hedgerow.agents.storms import StormLimits
from hedgerow.models import AlertSwitches, CityModel, Profile

CITY = CityModel(
    profiles=(
        Profile("all", period_seconds=3600, bound_upper=100.0, alerts=AlertSwitches(silent=False)),
    )
)
PARTITIONS = [Partition("sensor-data", number) for number in range(3)]


def readings(partition: Partition, hours: range) -> Batch:
    """Readings of two sensors; one message in seven is none, one in eleven is far too high."""
    messages = []
    for hour in hours:
        for sensor in range(2):
            value = 500.0 if (hour + partition.number) % 11 == 0 else hour % 24 + sensor
            body = {
                "sensor_id": f"p{partition.number}-s{sensor}",
                "timestamp": 1_767_225_600 + 3600 * hour,
                "value": "high" if (hour + sensor) % 7 == 0 else value,
            }
            messages.append(json.dumps(body).encode())
    first = 2 * hours.start
    records = [Record(first + position, value) for position, value in enumerate(messages)]
    return Batch(partition, first, first + len(messages), records)


async def rig(max_run: int = 10) -> Rig:
    made = Rig(CITY, limits=StormLimits(max_run=max_run))

    async def earliest(partitions: Sequence[Partition]) -> dict[Partition, int]:
        return dict.fromkeys(partitions, 0)

    await made.holdings.assign(PARTITIONS, earliest)
    return made


async def feed(rig: Rig, *fetches: Fetch) -> None:
    async def stream() -> AsyncIterator[Fetch]:
        for fetch in fetches:
            yield fetch

    await rig.agent.run(stream())


def by_partition(rig: Rig) -> dict[int, list[OutRecord]]:
    """Return what was sent, by the partition that it is about; letters after all else."""
    found: dict[int, list[OutRecord]] = {number: [] for number in range(3)}
    for record in sorted(rig.emitter.records, key=lambda one: one.topic):
        headers = dict(record.headers)
        found[int(headers.get("dlq.partition") or (record.key or b"")[1:2])].append(record)
    return found


async def test_stepped_together_or_alone_the_same_comes_out() -> None:
    alone, together = await rig(), await rig()
    for start in range(0, 60, 20):
        batches = [readings(one, range(start, start + 20)) for one in PARTITIONS]
        await feed(alone, *([batch] for batch in batches))
        await feed(together, batches)

    assert by_partition(together) == by_partition(alone)
    assert {record.topic for record in together.emitter.records} == {
        "predictions",
        "alerts",
        "dead-letters",
    }
    assert together.meter == alone.meter
    for one in PARTITIONS:
        mine, other = together.holdings.get(one), alone.holdings.get(one)
        assert mine is not None
        assert other is not None
        assert mine.next_offset == other.next_offset == 120
        assert mine.progress == other.progress
        assert mine.learner.counts == other.learner.counts
        assert mine.learner.capture().encoded() == other.learner.capture().encoded()


@pytest.mark.parametrize(("most", "sizes"), [(1, [1, 1, 1]), (60, [2, 1]), (1000, [3])])
async def test_what_is_stepped_in_one_unit_stays_small(
    monkeypatch: pytest.MonkeyPatch, most: int, sizes: list[int]
) -> None:
    made = await rig()
    monkeypatch.setattr(loop, "MANY", most)
    seen: list[int] = []
    step = type(made.agent)._step

    def counted(agent: ForecastAgent, due: Sequence[Due]) -> list[Storm]:
        seen.append(len(due))
        return step(agent, due)

    monkeypatch.setattr(type(made.agent), "_step", counted)
    await feed(made, [readings(one, range(20)) for one in PARTITIONS])
    assert seen == sizes


async def test_what_does_not_go_on_is_left_out_and_the_others_are_stepped() -> None:
    made = await rig()
    made.holdings.abandon(PARTITIONS[0])
    fetch = [readings(PARTITIONS[0], range(5)), readings(PARTITIONS[1], range(5, 10))]
    await feed(made, [*fetch, readings(PARTITIONS[2], range(5))])

    assert made.realigned == [(PARTITIONS[1], 0)]
    assert [len(records) > 0 for records in by_partition(made).values()] == [False, False, True]
    assert made.failures == []


async def test_an_error_in_one_partition_lets_nothing_of_the_unit_be_saved(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = await rig()
    last = made.holdings.get(PARTITIONS[2])
    assert last is not None

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(last.learner, "step", broken, raising=False)
    await feed(made, [readings(one, range(5)) for one in PARTITIONS])
    await made.save()

    assert [type(failure) for failure in made.failures] == [ZeroDivisionError]
    assert made.emitter.records == [], "the other two were learned, but not published"
    assert all(made.store.rows[one].stored is None for one in PARTITIONS)
    assert "sensor-data/0, sensor-data/1, sensor-data/2: cannot go on" in caplog.text


async def test_a_storm_in_one_partition_ends_the_loop_after_the_others_are_taken() -> None:
    made = await rig(max_run=3)
    bad = Batch(PARTITIONS[1], 0, 10, log([b"{"] * 10))
    await feed(made, [readings(PARTITIONS[0], range(5)), bad, readings(PARTITIONS[2], range(5))])

    held = [made.holdings.get(one) for one in PARTITIONS]
    assert [one.next_offset for one in held if one is not None] == [10, 3, 10]
    assert [type(failure) for failure in made.failures] == [Storm]
