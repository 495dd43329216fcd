"""The anomaly detector passes River's own checks."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest
from river import base, checks

from hedgerow.models.estimators.anomaly import ExtremesDetector

READINGS = [
    ({"value": float(i % 24 + 50 * (i == 700)), "other": 1.0}, i == 700) for i in range(900)
]


@pytest.fixture(autouse=True)
def _on_readings_of_ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show the checks a stream of readings: River's own for detectors has to be downloaded."""

    def area(labels: list[bool], scores: list[float]) -> float:
        told = [score for score, label in zip(scores, labels, strict=True) if label]
        rest = [score for score, label in zip(scores, labels, strict=True) if not label]
        wins = sum((a > b) + 0.5 * (a == b) for a in told for b in rest)
        return wins / (len(told) * len(rest))

    stand_in = types.ModuleType("sklearn")
    stand_in.metrics = types.SimpleNamespace(roc_auc_score=area)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sklearn", stand_in)
    monkeypatch.setattr(checks, "_yield_datasets", lambda model, scale=1: iter([READINGS]))
    yield


@pytest.mark.parametrize(
    "model", [ExtremesDetector(), ExtremesDetector(60.0, value="other")], ids=str
)
def test_it_passes_rivers_own_checks(model: base.Estimator) -> None:
    checks.check_estimator(model)
