"""A series draws on the last readings of its companions, as the log has them, or does without."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from models.logs import COMPANY, HOUR, START, Log, company_log, run, state
from numpy.typing import NDArray

from hedgerow.models import CityModel, Learner, Profile, ProfileError, RiverExpert
from hedgerow.models.bank import layout as at
from hedgerow.models.bank.planes import row_layout
from hedgerow.models.experts import signals
from hedgerow.models.profile import MOST_COMPANIONS
from hedgerow.models.snapshot.moving import deal

PLAIN = Profile("all", period_seconds=3600, horizons=(1, 3), experts=("pattern", "levels"))
NEAR = replace(PLAIN, neighbours={"s": ("near",)})
LARGEST = sys.float_info.max


def led(n: int = 600, *, sensor: str = "near", quantity: str = "") -> Log:
    """Series ``s`` repeats an hour later what its neighbour did, noise around it aside."""
    rng = np.random.default_rng(8)
    wave = 50 + rng.normal(size=n + 1).cumsum() / 5 + 5 * rng.normal(size=n + 1)
    values = np.stack([wave[1:], wave[:-1] + rng.normal(size=n)], axis=1).ravel()
    times = START + HOUR * np.repeat(np.arange(n), 2)
    return Log([sensor, "s"] * n, [quantity, quantity] * n, times, values)


def told(learner: Learner, sensor: str, quantity: str = "") -> list[float]:
    """What the expert on companions said at the last reading: median and mean by horizon."""
    series = learner.series.find(sensor, quantity)
    bank = learner.banks[int(learner.series.banks[series])]
    row, sizes = bank.rows[int(learner.series.rows[series])], bank.layout.sizes
    said = []
    for horizon, block in zip(bank.layout.horizons, bank.layout.blocks, strict=True):
        entry = block + sizes.pending + int(row[at.SLOT]) % horizon * sizes.entry
        first = int(entry + at.ENTRY_HEAD + bank.setup.companions)
        said += row[first : first + 2].tolist()
    return said


def asleep(said: list[float]) -> bool:
    assert np.isnan(said).all() or np.isfinite(said).all()
    return math.isnan(said[0])


def errors(profile: Profile, log: Log, *others: Profile) -> float:
    """Mean absolute error of ``s``, one slot ahead, after a while."""
    result = run(Learner(CityModel((profile, *others))), log)
    mine = [i for i, p in enumerate(result.learned) if log.sensor_ids[p] == "s"]
    forecasts = result.predicted[mine, 0][200:-1]
    labels = log.values[result.learned[mine]][201:]
    return float(np.abs(forecasts - labels).mean())


def test_what_a_neighbour_shows_makes_the_forecast_better() -> None:
    assert errors(NEAR, led()) < 0.6 * errors(PLAIN, led())


def test_so_does_another_quantity_of_the_sensor() -> None:
    log = led(sensor="s")
    names = ["speed", "count"] * (len(log) // 2)
    both = Log(log.sensor_ids, names, log.time_ms, log.values)
    learned = Learner(CityModel((replace(PLAIN, companions=("speed", "count")),)))
    without = Learner(CityModel((PLAIN,)))
    count = slice(401, None, 2)
    off = [np.abs(run(one, both).mean[count, 0][:-1] - both.values[403::2]).mean()
           for one in (learned, without)]  # fmt: skip
    assert off[0] < 0.6 * off[1]


def test_and_a_companion_of_another_profile_and_period() -> None:
    slow = Profile("slow", match=("near",), period_seconds=1800, experts=("pattern",))
    assert errors(NEAR, led(), slow) == pytest.approx(errors(NEAR, led()), rel=0.05)


@pytest.mark.parametrize(
    "neighbours", [("elsewhere",), ("near/flow",)], ids=["not here", "not of that quantity"]
)
def test_a_companion_that_is_not_in_the_partition_sleeps(neighbours: tuple[str, ...]) -> None:
    learner = Learner(CityModel((replace(PLAIN, neighbours={"s": neighbours}),)))
    run(learner, led(100))
    assert asleep(told(learner, "s"))
    (weights,) = {s.weights["companions"] for s in learner.scores()}
    assert weights == 0.0


def test_only_who_has_companions_is_told_by_them() -> None:
    learner = Learner(CityModel((NEAR,)))
    run(learner, led(100))
    assert asleep(told(learner, "near"))
    assert not asleep(told(learner, "s"))


def test_an_old_signal_is_none() -> None:
    learner = Learner(CityModel((NEAR,)))
    run(learner, led(100))
    heard = []
    for slot in range(100, 106):
        run(learner, Log(["s"], [""], np.array([START + slot * HOUR]), np.array([50.0])))
        heard.append(not asleep(told(learner, "s")))
    assert heard == [True, True, True, False, False, False]  # near was last read at 99


def test_a_reading_that_comes_later_in_the_log_is_not_seen_before() -> None:
    def said(order: list[str]) -> list[float]:
        learner = Learner(CityModel((NEAR,)))
        run(learner, led(100))
        values = [{"s": 50.0, "near": 70.0}[sensor] for sensor in order]
        times = np.full(len(order), START + 100 * HOUR)
        run(learner, Log(order, [""] * len(order), times, np.array(values)))
        return told(learner, "s")

    assert said(["s", "near"]) == said(["s"]) != said(["near", "s"])


def test_without_companions_a_row_has_no_room_for_them() -> None:
    sizes = row_layout(PLAIN, HOUR).sizes
    assert (sizes.places, sizes.company) == (0, 0)
    names = [field.name for field in row_layout(PLAIN, HOUR).fields]
    assert not any("companions" in name for name in names)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_readings_of_series_that_look_at_each_other_keep_their_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    series = st.integers(0, count - 1)
    banks = np.array(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count)))
    places = st.lists(st.one_of(st.just(-1), series), min_size=2, max_size=2)
    links = np.array(data.draw(st.lists(places, min_size=count, max_size=count)))
    ids = np.array(data.draw(st.lists(series, min_size=1, max_size=30)))
    bank_of = np.where(np.array(data.draw(st.lists(st.booleans(), min_size=len(ids),
                       max_size=len(ids)))), banks[ids], -1)  # fmt: skip
    learner = Learner(COMPANY)
    learner.signals._links, learner.signals._count = links, count

    calls = learner.signals.calls(ids, bank_of, banks)
    order = [p for _, positions in calls for p in positions.tolist()]

    assert sorted(order) == np.flatnonzero(bank_of >= 0).tolist()
    assert all((bank_of[positions] == bank).all() for bank, positions in calls)
    place = {p: i for i, p in enumerate(order)}
    for later in order:
        for earlier in order:
            a, b = ids[earlier], ids[later]
            if earlier < later and (a == b or a in links[b] or b in links[a]):
                assert place[earlier] < place[later]


def test_banks_stepped_one_after_the_other_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = company_log(3, 500)
    whole, halves = Learner(COMPANY), Learner(COMPANY)
    monkeypatch.setattr(signals, "take_turns", lambda *columns: columns[-1].fill(0))
    run(whole, log)
    for start in (0, 250):
        run(halves, log.part(start, start + 250))
    assert state(whole) != state(halves)


def test_a_restored_learner_sees_what_was_last_shown() -> None:
    log = company_log(5, 600)
    through, before = Learner(COMPANY), Learner(COMPANY)
    run(through, log.part(0, 400))
    run(before, log.part(0, 400))
    restored = Learner.restore(COMPANY, state(before))
    for learner in (through, restored):
        run(learner, log.part(400, 600))
    assert state(restored) == state(through)


def stations(n: int) -> Log:
    sensors = ["s", "near", "far"]
    values = np.random.default_rng(4).normal(50, 5, size=3 * n)
    return Log(sensors * n, [""] * 3 * n, START + HOUR * np.repeat(np.arange(n), 3), values)


@pytest.mark.parametrize("together", [True, False])
def test_moved_with_its_companion_a_series_goes_on_and_without_it_sleeps(together: bool) -> None:
    city = CityModel((NEAR,))
    one = Learner(city)
    run(one, stations(50))
    target = {"s": 1, "near": int(together), "far": 0}
    where = deal([one], city=city, partitions=2, target_of=target.__getitem__)
    moved = Learner.restore(city, state(where.learners[1]))
    stayed = Learner(city)
    run(stayed, stations(50))
    after = Log(["s"], [""], np.array([START + 50 * HOUR]), np.array([52.0]))
    run(moved, after)
    run(stayed, after)
    if together:
        assert told(moved, "s") == told(stayed, "s")
    assert asleep(told(moved, "s")) is not together


values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1e9, -1e9, LARGEST, -LARGEST, 5e-324, 1e-160]),
)


@settings(max_examples=100, deadline=None)
@given(
    readings=st.lists(
        st.tuples(st.sampled_from(["s", "near"]), st.sampled_from([0, 1, 1, 2, 200]), values),
        max_size=120,
    )
)
@example(readings=[("near", 1, LARGEST), ("s", 0, -LARGEST), ("s", 1, LARGEST)] * 30)
@example(readings=[("near", 1, 0.0), ("s", 0, 5e-324)] * 60)
def test_no_series_breaks_that_of_another(readings: list[tuple[str, int, float]]) -> None:
    slots = np.cumsum([gap for _, gap, _ in readings], dtype=np.int64)
    log = Log(
        [sensor for sensor, _, _ in readings],
        [""] * len(readings),
        START + slots * HOUR,
        np.array([value for _, _, value in readings], np.float64),
    )
    learner = Learner(CityModel((NEAR,)))
    result = run(learner, log)

    assert np.isfinite(result.predicted).all()
    assert np.isfinite(result.mean).all()
    if readings:
        assert np.isfinite(learner.banks[0].singles[: learner.banks[0].count]).all()


def test_beside_plugins_the_expert_says_the_same() -> None:
    river = RiverExpert("river.linear_model.PARegressor")
    log, said = led(80), list[NDArray[np.float64]]()
    for profile in (NEAR, replace(NEAR, river=(river,))):
        learner = Learner(CityModel((profile,), plugin_key=b"k"))
        run(learner, log)
        said.append(np.array(told(learner, "s")))
    np.testing.assert_array_equal(said[0], said[1])


@pytest.mark.parametrize(
    ("companions", "neighbours", "wrong"),
    [
        (("speed", "speed"), {}, "companions = .* must be different quantities"),
        (("",), {}, "must be different quantities"),
        ((), {"s1": ("s1",)}, "neighbours of 's1' = .* none of them itself"),
        ((), {"s1": ("s2", "s2")}, "must be different sensors or series"),
        (("a", "b"), {"s1": ("s2", "s3", "s4")}, f"up to 5 .*, it can have {MOST_COMPANIONS}"),
    ],
)  # fmt: skip
def test_companions_that_cannot_be_are_refused(
    companions: tuple[str, ...], neighbours: dict[str, tuple[str, ...]], wrong: str
) -> None:
    with pytest.raises(ProfileError, match=wrong):
        Profile(companions=companions, neighbours=neighbours)


def test_a_quantity_that_every_pattern_ends_with_needs_no_place_beside_itself() -> None:
    both = Profile(match=("*/speed", "*/count"), companions=("speed", "count"))
    assert both.places == 1
    assert both.companions_of("s", "speed") == ("s/count",)
    assert replace(both, match=("*",)).places == 2
