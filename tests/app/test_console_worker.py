"""What the serving worker adds to the page: its own state, and the experts of its own series."""

from __future__ import annotations

import json

import pytest
from prometheus_client import CollectorRegistry
from rig import Rig, batch, log

from hedgerow.app.console.weighings import MOST, Weighings
from hedgerow.app.console.worker import HeldHere
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.models import CityModel, Profile, SeriesScore

HOUR = 3_600_000


def readings(hours: int) -> list[bytes]:
    return [
        json.dumps({"sensor_id": "s", "timestamp": 3600 * h, "value": float(h % 7)}).encode()
        for h in range(hours)
    ]


async def test_it_says_how_the_worker_is() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    rig = Rig(CityModel((Profile("hourly", period_seconds=3600),)), meter=metrics)  # type: ignore[arg-type]
    now = [0.0]
    here = HeldHere(
        rig.holdings, metrics, lag_of=lambda _: 7, not_ready=lambda: None, clock=lambda: now[0]
    )
    assert here.facts().partitions == []
    assert here.facts().lag is None
    await rig.assign()
    await rig.feed(batch(log(readings(50))))
    facts = here.facts()
    assert (facts.partitions, facts.series, facts.lag, facts.unsaved) == ([0], 1, 7, 50)
    assert facts.saved_seconds_ago is None
    await rig.save()
    assert metrics.saved_at is not None
    now[0] = metrics.saved_at + 4.0
    assert (here.facts().unsaved, here.facts().saved_seconds_ago) == (0, 4.0)


async def test_it_knows_the_experts_of_its_own_series_alone() -> None:
    rig = Rig(CityModel((Profile("hourly", period_seconds=3600),)))
    here = HeldHere(
        rig.holdings,
        WorkerMetrics(CollectorRegistry()),
        lag_of=lambda _: None,
        not_ready=lambda: "starting",
        clock=lambda: 0.0,
    )
    await rig.assign()
    await rig.feed(batch(log(readings(50))))
    scores = here.scores("s", "")
    assert [score.horizon for score in scores] == [1, 3, 12]
    assert sum(scores[0].weights.values()) == pytest.approx(1.0)
    assert here.scores("elsewhere", "") == []
    assert here.facts().not_ready == "starting"


def score(weight: float) -> SeriesScore:
    return SeriesScore(
        "s", "", "all", 1, HOUR, 4, 8.0, 20.0, (), 3, 4, 1.0, 0.0,
        {"rls": weight, "persistence": 1.0 - weight}, {},
    )  # fmt: skip


def test_weights_are_noted_at_each_new_reading_and_no_longer_than_somebody_looks() -> None:
    weighings = Weighings()
    for hour in range(MOST + 5):
        assert weighings.is_news("s", hour * HOUR)
        weighings.note("s", hour * HOUR, [score(hour / (MOST + 5))])
        assert not weighings.is_news("s", hour * HOUR)
    held = weighings.held("s")
    assert held is not None
    (weights,) = held.weights
    assert weights.experts == ["rls", "persistence"]
    assert weights.times == [hour * HOUR for hour in range(5, MOST + 5)]
    assert weights.weights[0] == [hour / (MOST + 5) for hour in range(5, MOST + 5)]
    assert (held.lifetime[0].error, held.lifetime[0].inside) == (2.0, 0.75)
    weighings.keep_only([])
    assert weighings.held("s") is None


def test_a_series_that_went_to_another_worker_is_forgotten() -> None:
    weighings = Weighings()
    weighings.note("s", HOUR, [score(0.5)])
    weighings.note("s", 2 * HOUR, [])
    assert weighings.held("s") is None


def test_weights_noted_while_old_records_are_read_do_not_stay() -> None:
    weighings = Weighings()
    for hour in (1, 2, 3):
        weighings.note("s", hour * HOUR, [score(0.5)], behind=True)
    weighings.note("s", 900 * HOUR, [score(0.5)])
    weighings.note("s", 901 * HOUR, [score(0.6)])
    held = weighings.held("s")
    assert held is not None
    assert held.weights[0].times == [900 * HOUR, 901 * HOUR]
