"""The methods beside ours: fitted on what was known, scored together, ended when too slow."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import run
from benchmarks.accuracy.forecasts import Forecast
from benchmarks.accuracy.peers import kept, nights, refitted
from benchmarks.accuracy.peers.design import local_ms
from benchmarks.accuracy.peers.limited import Limited
from benchmarks.accuracy.peers.nights import EVERY, nights_of, spread
from benchmarks.accuracy.progress import Watch
from benchmarks.accuracy.run import LATER, Other, Scope, Spent, tables_of
from benchmarks.accuracy.score import UNSCORED_DAYS, origins
from benchmarks.accuracy.sets import FEEDS, Feed, Series

HOUR_MS = 3_600_000
ZONE = "Europe/Vienna"


def series(days: int = 60) -> Series:
    rng = np.random.default_rng(0)
    hours = np.arange(24 * days)
    values = 100 + 40 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 5, len(hours))
    values[rng.choice(np.arange(1, len(hours)), 60, replace=False)] = np.nan
    # From 1 March 2026: a Sunday in its middle is one hour short.
    return Series("cell", "s", "", 1_772_323_200_000, HOUR_MS, values)


def forecast_of(slots: list[int], length: int = 100) -> Forecast:
    values = np.full(length, np.nan)
    values[slots] = 1.0
    return Forecast(values, values)


def test_a_night_begins_at_local_midnight_also_where_a_day_is_an_hour_short() -> None:
    one = series()
    found = nights_of(one, ZONE, 1)
    local = local_ms(one, 0, ZONE)
    assert all(local[night.begin] % nights.DAY_MS == 0 for night in found)
    assert [b.begin for b in found[1:]] == [a.end for a in found[:-1]]
    assert {night.end - night.begin for night in found[:-1]} == {23, 24}


def test_every_nth_night_is_taken_back_from_the_last_and_none_before_scoring_begins() -> None:
    one = series()
    every_night, some = nights_of(one, ZONE, 1), nights_of(one, ZONE, 5)
    assert every_night[0].begin >= UNSCORED_DAYS * 24
    assert some == every_night[::-1][::5][::-1]
    assert some[-1].end == len(one.values)


def test_a_night_before_a_day_without_readings_is_none() -> None:
    one = series()
    silent = nights_of(one, ZONE, 1)[10]
    values = one.values.copy()
    values[silent.begin : silent.end] = np.nan
    assert silent not in nights_of(replace(one, values=values), ZONE, 1)


def test_every_set_has_its_nights_and_each_weekday_its_turn() -> None:
    assert EVERY.keys() == FEEDS.keys()
    assert all(every % 7 for every in EVERY.values())


def test_origins_for_a_fit_each_are_scored_at_all_horizons_and_lie_on_the_days_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(EVERY, "feed", 5)
    feed = Feed("feed", ZONE, (1, 24), (series(),))
    at = spread(feed, 0, 30)
    assert len(at) == len(set(at.tolist())) == 30
    days = {slot for n in nights.nights(feed, 0) for slot in range(n.begin, n.end)}
    assert set(at.tolist()) <= days
    for horizon in feed.horizons:
        assert set(at.tolist()) <= set(origins(series(), horizon).tolist())


def mean_and_level(features: np.ndarray, labels: np.ndarray) -> refitted.Fitted:
    """Forecast the mean label for the absolute error, the reading at the origin for the other."""
    mean = float(labels.mean())
    return lambda ahead: (np.full(len(ahead), mean), ahead[:, 0])


def test_what_is_fitted_in_a_night_knows_the_labels_that_had_arrived_and_no_others() -> None:
    one, horizon = series(), 3
    chosen = nights_of(one, ZONE, 20)
    made = refitted.forecast(mean_and_level, one, horizon, ZONE, chosen)
    days = {slot for n in chosen for slot in range(n.begin, n.end)}
    there = np.flatnonzero(np.isfinite(one.values))
    assert set(np.flatnonzero(np.isfinite(made.predicted)).tolist()) == days & set(there.tolist())
    for night in chosen:
        pairs = [o for o in there.tolist() if o + horizon < night.begin]
        labels = one.values[np.array(pairs) + horizon]
        of_day = made.predicted[night.begin : night.end]
        assert of_day[np.isfinite(of_day)] == pytest.approx(float(np.nanmean(labels)))
        day = slice(night.begin, night.end)
        assert made.mean[day] == pytest.approx(one.values[day], nan_ok=True)


def test_a_table_has_the_scored_slots_that_all_of_its_methods_have() -> None:
    made = {
        Scope.WHOLE: {"online": forecast_of(list(range(100)))},
        Scope.FEW_SERIES: {},
        Scope.NIGHTS: {"nightly": forecast_of([1, 10, 11, 12, 13, 50, 51])},
        Scope.ORIGINS: {"a": forecast_of([10, 12, 51]), "b": forecast_of([10, 51, 60])},
    }
    found = {
        table: (set(methods), at.tolist())
        for table, methods, at in tables_of(made, np.arange(2, 100))
    }
    assert found == {
        Scope.NIGHTS: ({"nightly"}, [10, 11, 12, 13, 50, 51]),
        LATER: ({"nightly"}, [13, 50, 51]),
        Scope.ORIGINS: ({"nightly", "a", "b"}, [10, 51]),
    }


class Tally:
    """A watch that adds up."""

    expected = behind = 0.0

    def say(self, text: str) -> None:
        """Not asked about."""

    def expect(self, work: float) -> None:
        self.expected += work

    def done(self, work: float) -> None:
        self.behind += work


class Nightly:
    """One method, which repeats the last reading on every second day."""

    def work(self, feed: Feed) -> float:
        return 5.0

    def __call__(self, feed: Feed, watch: Watch) -> list[Other]:
        watch.done(5.0)
        (one,) = feed.series
        held = np.where(np.arange(len(one.values)) // 24 % 2 == 0, one.values, np.nan)
        made = {(0, horizon): Forecast(held, held) for horizon in feed.horizons}
        return [Other("held", Scope.NIGHTS, made, 2.5, 7, 1)]


def test_a_run_scores_all_on_the_slots_of_the_dearest_and_its_bar_ends_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = Feed("feed", ZONE, (1, 24), (series(),))
    monkeypatch.setattr(run, "load", lambda name: feed)
    monkeypatch.setattr(run, "preset_costs", list)
    tally = Tally()
    findings = run.measure(["feed"], tally, Nightly(), with_regret=False)
    assert tally.behind == pytest.approx(tally.expected)
    assert findings.spent["held"] == Spent({"feed": 2.5}, 7, 1)
    for whole, nightly, later in zip(
        findings.scored, findings.groups[Scope.NIGHTS], findings.groups[LATER], strict=True
    ):
        assert "held" not in whole.errors
        assert nightly.errors["held"] == nightly.errors["persistence"]
        assert nightly.borrowed == dict.fromkeys(nightly.borrowed, 0)
        assert nightly.slots == pytest.approx(whole.slots / 2, rel=0.1)
        assert later.slots == pytest.approx(nightly.slots / 2, abs=1)


def slow(seconds: float) -> float:
    """Use up CPU time."""
    began = time.process_time()
    while time.process_time() < began + seconds:
        pass
    return seconds


def wrong() -> None:
    """Fail."""
    raise ValueError("a series of nothing")


def test_a_fit_that_takes_too_much_cpu_is_ended_and_the_next_one_answers() -> None:
    with Limited(slow, limit_seconds=1.0) as call:
        assert call(0.01) == 0.01
        assert call(60.0) is None
        assert call(0.01) == 0.01
        assert (call.calls, call.overtime) == (3, 1)
        assert 1.02 <= call.seconds < 2.0


def test_waiting_counts_for_nothing_against_the_limit() -> None:
    with Limited(time.sleep, limit_seconds=1.0) as call:
        call(1.5)
        assert call.overtime == 0


def test_a_fit_that_fails_is_not_taken_for_one_that_was_too_slow() -> None:
    with Limited(wrong, limit_seconds=5.0) as call, pytest.raises(RuntimeError, match="wrong"):
        call()


def test_what_was_kept_comes_back_as_it_was_made(tmp_path: Path) -> None:
    path = kept.path_of(tmp_path / "new", "feed", "A method", "numpy")
    assert kept.read(path) is None
    other = Other("A method", Scope.NIGHTS, {(0, 3): forecast_of([1, 2])}, 1.5, 7, 1)
    kept.write(path, other)
    found = kept.read(path)
    assert found is not None
    assert found._replace(made={}) == other._replace(made={})
    assert np.array_equal(found.made[0, 3].predicted, other.made[0, 3].predicted, equal_nan=True)
