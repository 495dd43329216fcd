"""What every expert and every aggregation keeps to, whatever it learns from."""

from __future__ import annotations

import math
import pickle
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest
from contracts.estimators import ESTIMATORS, HOSTILE, daily, forecasts
from river import checks

from hedgerow.models import estimators

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


@pytest.fixture(autouse=True)
def _without_sklearn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """River's checks import scikit-learn for data sets that no regressor of ours is shown."""
    stand_in = types.ModuleType("sklearn")
    stand_in.datasets = types.ModuleType("sklearn.datasets")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sklearn", stand_in)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", stand_in.datasets)
    yield


def bits(values: Iterator[float]) -> bytes:
    return np.array(list(values), np.float64).tobytes()


def test_no_estimator_is_left_out() -> None:
    held = {type(make()).__name__ for make in ESTIMATORS.values()}
    assert held == set(estimators.__all__)


@every_estimator
def test_it_passes_rivers_own_checks(name: str) -> None:
    checks.check_estimator(ESTIMATORS[name]())


@every_estimator
def test_the_same_data_give_the_same_bits(name: str) -> None:
    series = daily(300)
    assert bits(forecasts(ESTIMATORS[name](), series)) == bits(
        forecasts(ESTIMATORS[name](), series)
    )


@every_estimator
@pytest.mark.parametrize("series", HOSTILE)
def test_every_forecast_is_finite_whatever_comes(name: str, series: str) -> None:
    told = list(forecasts(ESTIMATORS[name](), HOSTILE[series]))
    assert [i for i, forecast in enumerate(told) if not math.isfinite(forecast)] == []


@every_estimator
def test_pickled_and_read_back_it_goes_on_with_the_same_bits(name: str) -> None:
    model = ESTIMATORS[name]()
    list(forecasts(model, daily(200)))
    read_back = pickle.loads(pickle.dumps(model))
    rest = daily(100, seed=2)
    assert bits(forecasts(read_back, rest)) == bits(forecasts(model, rest))


# Left out: what is made for labels in standard deviations, for no season, or for another one.
LEFT_OUT = {"descent", "persistence", "seasonal naive", "Holt"}


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n not in LEFT_OUT and "uns" not in n])
def test_it_learns_a_series_that_comes_again(name: str) -> None:
    series = daily(24 * 30)
    told = list(forecasts(ESTIMATORS[name](), series))
    # What `forecasts` yields for a forecaster is for the value after.
    off = (
        np.subtract(told[:-1], series[1:]) if name == "weekly pattern" else told - np.array(series)
    )
    assert np.abs(off[-24 * 7 :]).mean() < 0.5 * np.abs(series - np.mean(series)).mean()
