"""The accuracy benchmark itself: nothing from the future, the same slots for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy import ours, report, sets
from benchmarks.accuracy.anchors import ANCHORS
from benchmarks.accuracy.experts import Panel, expert_forecasts
from benchmarks.accuracy.forecasts import Forecast, naive
from benchmarks.accuracy.intervals import calibration, narrowest
from benchmarks.accuracy.peers.design import design, filled
from benchmarks.accuracy.regret import best_mix, project, regret
from benchmarks.accuracy.run import LATER, Findings, Scope, Spent
from benchmarks.accuracy.score import LEAN, OURS, origins, score
from benchmarks.accuracy.sets import Feed, Series
from benchmarks.cost import Cost

HOUR_MS = 3_600_000
HORIZONS = (1, 3, 24)


def series(cell: str = "metro_i94", *, seed: int = 0, days: int = 40) -> Series:
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    values = 100 + 40 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 5, len(hours))
    values[rng.choice(len(hours), 60, replace=False)] = np.nan
    values[0] = 100.0
    return Series(cell, f"s{seed}", "", 1_767_225_600_000, HOUR_MS, values)


@pytest.fixture(scope="module")
def feed() -> Feed:
    both = (series(seed=0), series("melbourne_pedestrian", seed=1))
    return Feed("synthetic", "Europe/Vienna", HORIZONS, both)


@pytest.fixture(scope="module")
def run(feed: Feed) -> ours.Run:
    return ours.run(feed)


def test_of_several_rows_of_one_slot_the_first_counts_and_a_hole_stays_one() -> None:
    rows = [
        {"at": "2026-01-01 00:00:00", "y": "1"},
        {"at": "2026-01-01 00:00:00", "y": "2"},
        {"at": "2026-01-01T03:00:00Z", "y": "3"},
    ]
    found = sets._grid("cell", "s", HOUR_MS, rows, "at", "y")
    assert found.values == pytest.approx([1.0, np.nan, np.nan, 3.0], nan_ok=True)
    assert found.times_ms[3] == 1_767_225_600_000 + 3 * HOUR_MS


@pytest.mark.parametrize("horizon", [1, 3, 24, 30])
def test_nothing_that_a_method_sees_at_an_origin_comes_from_after_it(horizon: int) -> None:
    before = series()
    origin = 600
    values = before.values.copy()
    values[origin + 1 :] = -1e6
    after = replace(before, values=values)
    for name, reference in naive(before, horizon).items():
        changed = naive(after, horizon)[name]
        assert np.array_equal(reference[: origin + 1], changed[: origin + 1], equal_nan=True)
    seen = design(before, horizon, "Europe/Vienna")[: origin + 1]
    assert np.array_equal(
        seen, design(after, horizon, "Europe/Vienna")[: origin + 1], equal_nan=True
    )
    assert np.isfinite(filled(seen)).all()


def test_our_forecasts_stand_at_the_slot_they_were_made_at(feed: Feed) -> None:
    cut = 600
    short = replace(feed, series=tuple(replace(s, values=s.values[:cut]) for s in feed.series))
    whole, part = ours.run(feed), ours.run(short)
    for key, forecast in part.forecasts.items():
        assert np.array_equal(
            forecast.predicted, whole.forecasts[key].predicted[:cut], equal_nan=True
        )
        made = np.isfinite(forecast.predicted)
        assert made.sum() > cut / 2
        assert np.isfinite(feed.series[key[0]].values[:cut][made]).all()


@pytest.mark.parametrize(("horizon", "name"), [(1, "day"), (24, "day"), (30, "day"), (3, "week")])
def test_a_seasonal_reference_is_the_latest_known_value_of_the_target_s_slot(
    horizon: int, name: str
) -> None:
    one = series()
    season = one.day if name == "day" else one.week
    seasons = -(-horizon // season)
    for origin in (400, 555):
        expected = one.values[origin + horizon - seasons * season]
        assert naive(one, horizon)[name][origin] == pytest.approx(expected, nan_ok=True)


def test_only_slots_with_label_origin_and_all_references_after_two_weeks_are_scored() -> None:
    one = series()
    at = origins(one, 3)
    assert at.min() + 3 >= 14 * 24
    for back in (0, -3, 24 - 3, 168 - 3):
        assert np.isfinite(one.values[at - back]).all()
    gap = one.values.copy()
    gap[at[50] + 3] = np.nan
    assert at[50] not in origins(replace(one, values=gap), 3)


def test_a_perfect_forecast_has_ratio_0_and_the_best_naive_one_1() -> None:
    one = series()
    future = np.append(one.values[1:], np.nan)
    best = min(naive(one, 1).items(), key=lambda pair: score(one, 1, {}).errors[pair[0]].mae)
    scored = score(
        one, 1, {"oracle": Forecast(future, future), "naive": Forecast(best[1], best[1])}
    )
    assert scored.ratio("oracle").mae == 0.0
    assert scored.ratio("naive").mae == pytest.approx(1.0)
    assert scored.best_naive[0] == best[0]


def test_where_a_method_has_no_forecast_persistence_takes_its_place_and_is_counted() -> None:
    one = series()
    nothing = np.full(len(one.values), np.nan)
    scored = score(one, 3, {"silent": Forecast(nothing, nothing)})
    assert scored.borrowed["silent"] == scored.slots == len(origins(one, 3))
    assert scored.errors["silent"] == scored.errors["persistence"]


def test_the_experts_are_read_as_they_spoke(feed: Feed, run: ours.Run) -> None:
    experts, said = expert_forecasts(feed)
    for (number, horizon), lines in said.items():
        one = feed.series[number]
        forecast = run.forecasts[number, horizon]
        made = np.isfinite(forecast.predicted)
        persistence = lines[made, experts.names.index("persistence")]
        assert persistence == pytest.approx(one.values[made], rel=1e-6)
        # The ensemble mixes them, so it lies among them.
        assert (forecast.predicted[made] <= np.nanmax(lines[made], axis=1) + 1e-3).all()
        assert (forecast.predicted[made] >= np.nanmin(lines[made], axis=1) - 1e-3).all()


def test_regret_is_0_for_the_best_expert_and_shows_what_mixing_or_switching_would_bring() -> None:
    one = series()
    at = origins(one, 1)
    label = np.full(len(one.values), np.nan)
    label[:-1] = one.values[1:]
    high, low = label + 2.0, label - 6.0  # 3:1 mixed they are perfect
    said = np.column_stack([high, low]).astype(np.float32)
    found = regret(one, 1, Forecast(high, high), panel("high", "low"), said)
    assert found.expert == "high"
    assert found.against_expert == pytest.approx(0.0, abs=1e-5)
    assert found.against_mix > 1e3
    assert best_mix(said[at].astype(float), label[at], absolute=True) == pytest.approx(
        [0.75, 0.25], abs=1e-3
    )
    weeks = (np.arange(len(label)) + 1) // one.week % 2 == 1
    switching = np.column_stack([np.where(weeks, high, low), np.where(weeks, low, high)])
    mine = np.full(len(label), np.nan)
    mine[:] = label + 4.0
    found = regret(one, 1, Forecast(mine, mine), panel("a", "b"), switching.astype(np.float32))
    assert found.against_weekly == pytest.approx(1.0, rel=1e-3)
    assert found.against_expert < 0.2


def test_an_expert_that_sleeps_costs_nothing_and_is_no_comparator_if_it_sleeps_mostly() -> None:
    one = series()
    label = np.append(one.values[1:], np.nan)
    mine = label + 3.0
    night = np.arange(len(label)) % 24 < 10
    asleep = np.full(len(label), np.nan)
    said = np.column_stack([asleep, np.where(night, np.nan, label + 2.0)]).astype(np.float32)
    found = regret(one, 1, Forecast(mine, mine), panel("asleep", "by day"), said)
    assert found.expert == "by day"
    at = origins(one, 1)
    day = (~night[at]).mean()
    assert found.against_expert == pytest.approx(3.0 / (3.0 - day) - 1.0, rel=1e-4)


def panel(*names: str) -> Panel:
    return Panel(names, (True,) * len(names), (True,) * len(names))


def test_the_best_mixture_beats_every_vertex_and_random_ones() -> None:
    rng = np.random.default_rng(1)
    label = rng.normal(size=500)
    said = label[:, None] + rng.normal(size=(500, 4)) * [0.5, 1.0, 2.0, 3.0] + [0.3, -0.2, 0, 1]
    for absolute in (True, False):
        error = (np.abs if absolute else np.square)(
            said @ best_mix(said, label, absolute=absolute) - label
        )
        others = np.vstack([np.eye(4), rng.dirichlet(np.ones(4), 2000)])
        rivals = (np.abs if absolute else np.square)(said @ others.T - label[:, None])
        assert error.mean() <= rivals.mean(axis=0).min() + 1e-6


def test_a_projection_lies_in_the_simplex_and_moves_nothing_inside_it() -> None:
    inside = np.array([0.2, 0.5, 0.3])
    assert project(inside) == pytest.approx(inside)
    outside = project(np.array([3.0, -1.0, 0.5]))
    assert outside == pytest.approx([1.0, 0.0, 0.0])


def test_the_narrowest_interval_holds_nine_of_ten() -> None:
    assert narrowest(np.arange(11.0)) == 9.0
    assert narrowest(np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 100])) == 8.0


def test_calibration_counts_labels_inside_by_fortnight() -> None:
    one = series()
    wide = ours.Interval(np.full(len(one.values), -1e9), np.full(len(one.values), 1e9))
    none = ours.Interval(np.full(len(one.values), 1e9), np.full(len(one.values), 2e9))
    forecast = Forecast(one.values, one.values)
    assert set(calibration(one, 1, forecast, wide).windows) == {1.0}
    assert calibration(one, 1, forecast, none).coverage == 0.0


def test_the_report_compares_with_every_reference_value(feed: Feed, run: ours.Run) -> None:
    findings = Findings()
    for number, one in enumerate(feed.series):
        for horizon in feed.horizons:
            key = number, horizon
            forecast = run.forecasts[key]
            methods = {OURS: forecast, LEAN: forecast, "other": forecast}
            findings.scored.append(score(one, horizon, methods))
            for name in (OURS, LEAN):
                told = calibration(one, horizon, forecast, run.intervals[key])
                findings.calibrations.setdefault(name, []).append(told)
    findings.costs = [
        Cost("accurate", 12, 40_000, few=4.0, many=7.0, fastest=6.0),
        Cost("lean", 9, 15_900, few=2.0, many=3.2, fastest=2.8),
    ]
    findings.groups = {Scope.NIGHTS: findings.scored, LATER: findings.scored[:3]}
    findings.spent = {OURS: Spent({"synthetic": 2.0}), "other": Spent({"synthetic": 1234.0}, 40, 3)}
    text = report.document(findings, "make bench-accuracy", ["a cut"])
    for horizon in HORIZONS:
        anchor = ANCHORS["metro_i94", horizon]
        assert f"{anchor.mae:.3f} {anchor.best}" in text
    assert "| hedgerow | hedgerow lean | persistence | day | week | other |" in text
    assert text.count(f"| {anchor.mae:.3f} {anchor.best} |") == 2  # in a table of each preset
    assert "| at most 16 KB a series | 15.9 KB | met |" in text
    assert "| 2.0 and 3.2 µs | **missed** |" in text
    assert "- a cut" in text
    # The first table, that of the nights and that of the later ones.
    assert text.count("| set, slots ahead | forecasts scored | hedgerow |") == 3
    assert text.count("| **hedgerow errs no more in** |") == 3
    assert "| 6 / 6 of 6 |" in text
    assert "| other | 1,234 | 1,234 | 40 | 3 |" in text
    assert "of 6 above; worst" in text
