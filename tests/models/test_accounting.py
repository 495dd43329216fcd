"""Every reading is counted once: learned, late, duplicate or rejected."""

from __future__ import annotations

import numpy as np
import pytest
from models.logs import DAY, HOUR, START, Log, city_log, daily, one_series, run, state

from hedgerow.models import CityModel, Counts, Learner, Outcome, Profile

HOURLY = CityModel((Profile("hourly", period_seconds=3600),))


def readings(*slots: float, sensor: str = "s1") -> Log:
    n = len(slots)
    times = np.array([START + round(slot * HOUR) for slot in slots], np.int64)
    return Log([sensor] * n, [""] * n, times, np.ones(n))


def test_a_slot_is_learned_once_and_a_passed_one_is_late() -> None:
    result = run(Learner(HOURLY), readings(0, 1, 1.3, 0.9, 2.6, 2, 4))
    assert [Outcome(o).name for o in result.outcomes] == [
        "LEARNED", "LEARNED", "DUPLICATE", "DUPLICATE", "LEARNED", "LATE", "LEARNED",
    ]  # fmt: skip


def test_in_the_nursery_time_itself_tells_late_from_duplicate() -> None:
    learner = Learner(CityModel())
    result = run(learner, readings(0, 1, 1, 0.5, 1.001))
    assert [Outcome(o).name for o in result.outcomes] == [
        "LEARNED", "LEARNED", "DUPLICATE", "LATE", "LEARNED",
    ]  # fmt: skip
    assert not result.horizons.any()


def test_no_series_beyond_the_limit_is_taken() -> None:
    learner = Learner(HOURLY, max_series=2)
    log = Log(["a", "b", "c", "a", "c"], [""] * 5, START + HOUR * np.arange(5), np.ones(5))
    result = run(learner, log)

    assert result.learned.tolist() == [0, 1, 3]
    assert [(r.position, r.reason) for r in result.refusals] == [
        (2, "series-limit"), (4, "series-limit"),
    ]  # fmt: skip
    assert "'c'" in result.refusals[0].error
    assert learner.series_count == 2


@pytest.mark.parametrize(
    ("time_ms", "value", "reason"),
    [(-1, 1.0, "time"), (2**62, 1.0, "time"), (START, np.nan, "value"), (START, np.inf, "value")],
)
def test_what_the_codec_should_have_refused_is_rejected_here(
    time_ms: int, value: float, reason: str
) -> None:
    learner = Learner(HOURLY)
    log = Log(["a"], [""], np.array([time_ms], np.int64), np.array([value]))
    result = run(learner, log)

    assert result.outcomes.tolist() == [Outcome.REJECTED]
    assert [r.reason for r in result.refusals] == [reason]
    assert learner.series_count == 0


@pytest.mark.parametrize("seed", range(4))
def test_counts_add_up_and_survive_a_snapshot(seed: int) -> None:
    log = city_log(seed, 700)
    learner = Learner(CityModel(), max_series=4)
    result = run(learner, log)
    learner.count_messages(decoded=690, dead_lettered=10, rejected=3)

    counts = learner.counts
    assert counts.readings == len(log) + 3
    assert counts.messages == 700
    assert counts.rejected == len(result.refusals) + 3
    assert Learner.restore(CityModel(), state(learner), max_series=4).counts == counts


def test_counts_start_at_nothing() -> None:
    assert Learner(HOURLY).counts == Counts()


def test_a_missing_label_is_never_invented() -> None:
    log = one_series(daily(200))
    with_gap = Log(
        log.sensor_ids[:150], log.quantities[:150],
        np.delete(log.time_ms, range(100, 150)), np.delete(log.values, range(100, 150)),
    )  # fmt: skip
    learner = Learner(HOURLY)
    run(learner, with_gap)

    # 12 forecasts before the gap have no label, and 12 after the last reading have none yet.
    assert {s.horizon: s.n for s in learner.scores()} == {1: 148, 3: 144, 12: 126}


def test_a_gap_of_centuries_costs_no_more_than_a_week() -> None:
    learner = Learner(HOURLY)
    run(learner, one_series(daily(300)))
    far = one_series(daily(5), start_ms=START + 300_000 * DAY)
    result = run(learner, far)

    assert len(result.learned) == 5
    assert np.isfinite(result.predicted).all()


def test_profiles_of_fewer_horizons_are_padded() -> None:
    city = CityModel((Profile("short", match=("a",), period_seconds=3600, horizons=(2,)),
                      Profile("long", period_seconds=3600)))  # fmt: skip
    log = Log(["a", "b"], ["", ""], np.array([START, START]), np.ones(2))
    result = run(Learner(city), log)

    assert result.horizons.tolist() == [[2, 0, 0], [1, 3, 12]]
    assert result.models == ["short", "long"]
    assert result.target_ms[0, 0] == START + 2 * HOUR
    assert np.isnan(result.predicted[0, 1:]).all()
