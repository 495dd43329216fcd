"""Series dealt out to other partitions: nothing of what was learned is lost or doubled."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.snapshot.moving import deal

CITY = CityModel(
    profiles=(
        Profile("road", match=("road-*",), period_seconds=300, horizons=(1, 3)),
        Profile("any"),
    )
)
ROADS = [f"road-{n}" for n in range(7)]
OTHERS = [f"other-{n}" for n in range(3)]  # no period declared: they wait, then find it


def learned(sensors: list[str], slots: range, learner: Learner | None = None) -> Learner:
    learner = learner or Learner(CITY)
    for slot in slots:
        learner.step(
            sensors,
            [""] * len(sensors),
            np.full(len(sensors), 300_000 * slot),
            np.array([np.sin(slot / 9) + len(name) + int(name[-1]) for name in sensors]),
            np.arange(len(sensors)) + slot * len(sensors),
        )
    learner.count_messages(decoded=len(sensors) * len(slots))
    return learner


def published(learner: Learner, sensors: list[str], slot: int) -> np.ndarray:
    result = learner.step(
        sensors,
        [""] * len(sensors),
        np.full(len(sensors), 300_000 * slot),
        np.full(len(sensors), 7.0),
        np.arange(len(sensors)),
    )
    return np.concatenate([result.predicted, result.lower, result.mean], axis=1)


@pytest.mark.parametrize("slots", [10, 60])  # the second lets undeclared series out of waiting
def test_a_moved_series_goes_on_as_if_it_had_always_been_there(slots: int) -> None:
    sensors = ROADS + OTHERS
    alone = learned(sensors, range(slots))
    old = [learned(sensors[n::2], range(slots)) for n in range(2)]
    target = {name: n % 3 for n, name in enumerate(sensors)}
    where = deal(old, city=CITY, partitions=3, target_of=target.__getitem__)
    assert (where.moved + where.kept, where.doubled) == (len(sensors), [])
    for number, learner in enumerate(where.learners):
        mine = [name for name in sensors if target[name] == number]
        assert sorted(learner.series.sensor_ids) == sorted(mine)
        after = Learner.restore(CITY, _stored(learner))
        expected = published(learned(mine, range(slots)), mine, slots)
        np.testing.assert_array_equal(published(after, mine, slots), expected)
    assert alone.series_count == sum(one.series_count for one in where.learners)


def _stored(learner: Learner) -> dict[str, bytes]:
    from hedgerow.models import encode_chunk

    learner.recapture_all()
    return {name: encode_chunk(raw) for name, raw in learner.capture().chunks.items()}


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_the_accounting_stays_the_same_in_sum(partitions: int) -> None:
    old = [learned(ROADS[n::3], range(5 + n)) for n in range(3)]
    before = np.sum([astuple(one.counts) for one in old], axis=0)
    where = deal(old, city=CITY, partitions=partitions, target_of=lambda s: int(s[-1]) % partitions)
    after = np.sum([astuple(one.counts) for one in where.learners], axis=0)
    assert after.tolist() == before.tolist()


def test_of_a_series_in_two_partitions_the_row_at_home_is_kept_and_said() -> None:
    old = [learned(["road-1"], range(5)), learned(["road-1", "road-2"], range(40))]
    where = deal(old, city=CITY, partitions=2, target_of=lambda _: 1)
    assert where.doubled == ["road-1"]
    assert where.learners[1].series_count == 2
    expected = published(learned(["road-1", "road-2"], range(40)), ["road-1", "road-2"], 40)
    np.testing.assert_array_equal(published(where.learners[1], ["road-1", "road-2"], 40), expected)


def test_plugins_move_with_their_row() -> None:
    from hedgerow.models import RiverExpert

    city = CityModel(
        profiles=(
            Profile(
                "river", period_seconds=300, horizons=(1,),
                river=(RiverExpert("river.linear_model.PARegressor"),),
            ),
        ),
        plugin_key=b"k",
    )  # fmt: skip
    old = [learned(["road-1", "road-2"], range(30), Learner(city))]
    where = deal(old, city=city, partitions=2, target_of=lambda s: int(s[-1]) - 1)
    for number, name in enumerate(("road-1", "road-2")):
        expected = published(learned([name], range(30), Learner(city)), [name], 30)
        np.testing.assert_array_equal(published(where.learners[number], [name], 30), expected)


def test_a_moved_series_is_still_watched_for_silence() -> None:
    week = range(14 * 288)
    old = [learned(ROADS[:3], week), learned(ROADS[3:6], week)]
    where = deal(old, city=CITY, partitions=1, target_of=lambda _: 0)
    (moved,) = where.learners
    assert moved.reached_ms == old[0].reached_ms == 300_000 * (14 * 288 - 1)

    after = Learner.restore(CITY, _stored(moved))
    n = 8
    result = after.step(
        ROADS[1:6] * n,
        [""] * 5 * n,
        np.repeat(300_000 * (14 * 288 + np.arange(n)), 5),
        np.sin(np.arange(5.0 * n)),
        np.arange(5 * n),
    )
    silent = [alert.sensor_id for alert in result.alerts if alert.kind == "silent"]
    assert silent == [ROADS[0]]
