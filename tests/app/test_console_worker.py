"""What the serving worker adds to the page: its own state, and the experts of its own series."""

from __future__ import annotations

import json

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from rig import Rig, batch, log

from hedgerow.agents.ports import Partition
from hedgerow.app.console.looks import Look, Whose, look
from hedgerow.app.console.past import FIRST_SECONDS, MOST_MOMENTS, Past
from hedgerow.app.console.weighings import MOST, MOST_SERIES, Weighings
from hedgerow.app.console.worker import HeldHere
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.models import CityModel, Learner, Profile
from hedgerow.topics import (
    Forecast,
    Prediction,
    format_time,
)
from hedgerow.topics.records import ExpertShare, Explanation, InputShare

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
    seen = here.look("s", "")
    assert seen is not None
    assert [score.horizon for score in seen.scores] == [1, 3, 12]
    assert sum(seen.scores[0].weights.values()) == pytest.approx(1.0)
    assert (seen.at, seen.generation) == (49 * HOUR, None)
    assert here.look("elsewhere", "") is None
    assert here.facts().not_ready == "starting"


def looks(hours: int) -> list[Look]:
    """A series as it stood after each of some hours."""
    learner = Learner(CityModel((Profile("hourly", period_seconds=3600, experts=("lean",)),)))
    found = []
    for hour in range(hours):
        at, value = np.array([hour * HOUR]), np.array([hour % 7.0])
        learner.step(["s"], [""], at, value, np.array([hour]))
        seen = look(learner, "s", "")
        assert seen is not None
        found.append(seen)
    return found


WHOSE = Whose(Partition("t", 0), "s", "")


def test_weights_are_kept_by_the_reading_after_which_they_stood_and_no_more_than_so_many() -> None:
    weighings, seen = Weighings(), looks(MOST + 5)
    for one in seen:
        assert weighings.note("s", WHOSE, [one])
        assert not weighings.note("s", WHOSE, [one])
    held = weighings.held("s")
    assert held is not None
    weights = held.weights[0]
    assert weights.times == [hour * HOUR for hour in range(5, MOST + 5)]
    for row, expert in zip(weights.weights, weights.experts, strict=True):
        assert row == [one.scores[0].weights[expert] for one in seen[5:]]
    last = seen[-1].scores[0]
    assert held.lifetime[0].error == last.absolute_error / last.n
    assert (held.at, held.generation) == ((MOST + 4) * HOUR, None)


def test_what_was_before_may_come_later() -> None:
    weighings, seen = Weighings(), looks(30)
    weighings.note("s", WHOSE, seen[20:])
    weighings.note("s", WHOSE, seen[10:15])
    held = weighings.held("s")
    assert held is not None
    assert held.weights[0].times == [one.at for one in [*seen[10:15], *seen[20:]]]
    assert held.at == 29 * HOUR


def test_a_series_that_moved_begins_anew_and_the_longest_left_one_is_forgotten() -> None:
    weighings, seen = Weighings(), looks(30)
    weighings.note("s", WHOSE, seen[:10])
    weighings.note("s", WHOSE._replace(partition=Partition("t", 1)), seen[20:])
    held = weighings.held("s")
    assert held is not None
    assert held.weights[0].times == [one.at for one in seen[20:]]
    for number in range(MOST_SERIES):
        weighings.note(f"other-{number}", WHOSE, seen[:1])
    assert weighings.held("s") is None
    assert len(weighings.known()) == MOST_SERIES


def test_records_that_tell_their_weights_are_the_past_of_the_weights() -> None:
    def told(hour: int, weight: float) -> Prediction:
        explanation = Explanation(
            (ExpertShare("rls", weight, weight, 1.0), ExpertShare("day", 1 - weight, 0.0, 2.0)),
            (InputShare("usual level", 1.0),),
            0.0,
        )
        ahead = Forecast(
            1, format_time((hour + 1) * HOUR), 1.0, 1.0, None, None, explanation=explanation
        )
        at = format_time(hour * HOUR)
        return Prediction(f"t:0:{hour}:s", "s", "s", None, hour, at, 2.0, "all", (ahead,))

    records = [told(hour, hour / 100) for hour in range(20, 40)]
    weighings = Weighings()
    alone = weighings.held("s", records)
    assert alone is not None
    assert alone.weights[0].times == [hour * HOUR for hour in range(20, 40)]
    assert alone.weights[0].weights[0] == [hour / 100 for hour in range(20, 40)]
    weighings.note("s", WHOSE, looks(30))
    both = weighings.held("s", records)
    assert both is not None
    assert both.weights[0].times == [hour * HOUR for hour in range(40)]


# ---------------------------------------------------------------- the past of every series


def many(hours: range) -> list[bytes]:
    return [
        json.dumps(
            {"sensor_id": f"s{n}", "timestamp": 3600 * h, "value": float((h + n) % 7)}
        ).encode()
        for h in hours
        for n in range(3)
    ]


async def test_every_series_has_a_past_without_having_been_looked_at() -> None:
    rig = Rig(CityModel((Profile("hourly", period_seconds=3600),)))
    past = Past(rig.holdings)
    here = HeldHere(
        rig.holdings,
        WorkerMetrics(CollectorRegistry()),
        lag_of=lambda _: None,
        not_ready=lambda: None,
        clock=lambda: 0.0,
        past=past,
    )
    await rig.assign()
    messages = log(many(range(60)))
    seen = []
    for first in range(0, 180, 30):  # ten hours each
        await rig.feed(batch(messages[first : first + 30], start=first))
        await past.note()
        await past.note()  # nothing came
        look_now = here.look("s1", "")
        assert look_now is not None
        seen.append((look_now.at, {s.horizon: s.weights for s in look_now.scores}))
    noted = here.past("s1", "")
    assert [at for at, _ in noted] == [at for at, _ in seen]
    for (_, told), (_, was) in zip(noted, seen, strict=True):
        for horizon, weights in was.items():
            assert told[horizon] == pytest.approx(weights, abs=1e-3)
            assert list(told[horizon]) == list(weights)
    assert here.past("nobody", "") is None


async def test_the_past_stays_small_and_reaches_back_to_the_beginning() -> None:
    rig = Rig(CityModel((Profile("hourly", period_seconds=3600, experts=("lean",)),)))
    past = Past(rig.holdings)
    await rig.assign()
    messages = log(many(range(MOST_MOMENTS * 3)))
    for first in range(0, len(messages), 3):
        await rig.feed(batch(messages[first : first + 3], start=first))
        await past.note()
    noted = past.of("s0", "")
    assert MOST_MOMENTS / 2 <= len(noted) <= MOST_MOMENTS
    assert noted[0][0] == 0
    assert noted[-1][0] == (MOST_MOMENTS * 3 - 1) * HOUR
    assert past.every_seconds > FIRST_SECONDS


async def test_what_was_noted_of_a_partition_that_was_taken_anew_is_forgotten() -> None:
    rig = Rig(CityModel((Profile("hourly", period_seconds=3600, experts=("lean",)),)))
    past = Past(rig.holdings)
    await rig.assign()
    messages = log(many(range(20)))
    await rig.feed(batch(messages[:30], start=0))
    await past.note()
    await rig.save()
    rig.restart()
    past._holdings = rig.holdings
    await rig.assign()
    assert past.of("s0", "") == [], "rows may lie elsewhere now"
    await rig.feed(batch(messages[30:], start=30))
    await past.note()
    assert [at for at, _ in past.of("s0", "")] == [19 * HOUR]


def test_what_was_noted_here_is_the_past_of_a_series_chosen_for_the_first_time() -> None:
    weighings, seen = Weighings(), looks(30)
    samples = [(at * HOUR, {1: {"rls": 1.0}}) for at in (3, 9, 29)]
    assert weighings.note("s", WHOSE, seen[-1:], samples)
    held = weighings.held("s")
    assert held is not None
    assert held.weights[0].times == [3 * HOUR, 9 * HOUR, 29 * HOUR]
    rls = held.weights[0].weights[held.weights[0].experts.index("rls")]
    assert rls[:2] == [1.0, 1.0]
    assert not weighings.note("s", WHOSE, seen[-1:], samples)
