"""Where one batch ends and the next begins, and restarts in between, change nothing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.logs import (
    CITY,
    COMPANY,
    Log,
    city_log,
    company_log,
    published,
    quiet_log,
    run,
    state,
)

from hedgerow.models import AlertEvent, CityModel, Learner, encode_chunk


def split_run(
    log: Log, cuts: list[int], *, restarts: random.Random, city: CityModel = CITY
) -> tuple[Learner, list[object], list[AlertEvent]]:
    """Run a log in pieces, sometimes going on from a stored snapshot."""
    learner, store = Learner(city), dict[str, bytes]()
    forecasts: list[object] = []
    alerts: list[AlertEvent] = []
    edges = [0, *sorted(cuts), len(log)]
    for start, end in zip(edges, edges[1:], strict=False):
        part = log.part(start, end)
        result = run(learner, part)
        forecasts += published(part, result)
        alerts += [replace(a, position=a.position + start) for a in result.alerts]
        if restarts.random() < 0.3:
            capture = learner.capture()
            store.update({name: encode_chunk(raw) for name, raw in capture.chunks.items()})
            learner = Learner.restore(city, {name: store[name] for name in capture.names})
            assert learner.notes == []
    return learner, forecasts, alerts


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_split_with_any_restarts_gives_the_same_bits(seed: int, cuts: list[int]) -> None:
    log = city_log(seed, 400)
    whole = Learner(CITY)
    result = run(whole, log)
    learner, forecasts, alerts = split_run(log, cuts, restarts=random.Random(seed))

    assert repr(forecasts) == repr(published(log, result))
    assert alerts == result.alerts
    assert learner.counts == whole.counts
    assert state(learner) == state(whole)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 500), max_size=12))
def test_any_split_gives_the_same_bits_where_series_look_at_each_other(
    seed: int, cuts: list[int]
) -> None:
    log = company_log(seed, 500)
    whole = Learner(COMPANY)
    result = run(whole, log)
    learner, forecasts, alerts = split_run(log, cuts, restarts=random.Random(seed), city=COMPANY)

    assert repr(forecasts) == repr(published(log, result))
    assert alerts == result.alerts
    assert state(learner) == state(whole)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 40), cuts=st.lists(st.integers(0, 900), max_size=12))
def test_any_split_finds_the_same_series_silent_and_stuck(seed: int, cuts: list[int]) -> None:
    log = quiet_log(seed, 900)
    whole = Learner(CITY)
    result = run(whole, log)
    learner, _, alerts = split_run(log, cuts, restarts=random.Random(seed))

    told = {(alert.kind, alert.state) for alert in alerts}
    assert {("silent", "open"), ("silent", "resolved")} <= told
    assert alerts == result.alerts
    assert state(learner) == state(whole)


def test_silent_and_stuck_series_one_reading_at_a_time_give_the_same_alerts() -> None:
    log = quiet_log(1, 900)
    whole = run(Learner(CITY), log).alerts
    single, alerts = Learner(CITY), []
    for p in range(len(log)):
        found = run(single, log.part(p, p + 1)).alerts
        alerts += [replace(alert, position=p) for alert in found]

    assert {"silent", "stuck"} <= {alert.kind for alert in alerts}
    assert alerts == whole


def test_one_reading_at_a_time_gives_the_same_bits() -> None:
    log = city_log(7, 600)
    whole = Learner(CITY)
    run(whole, log)
    single = Learner(CITY)
    for p in range(len(log)):
        run(single, log.part(p, p + 1))

    assert state(single) == state(whole)


def test_an_empty_batch_changes_nothing() -> None:
    learner = Learner(CITY)
    run(learner, city_log(3, 200))
    before = state(learner)
    result = run(learner, city_log(3, 200).part(0, 0))

    assert result.outcomes.shape == (0,)
    assert result.alerts == []
    assert state(learner) == before


@pytest.mark.parametrize("seed", [1, 2])
def test_a_restored_learner_captures_only_what_it_changed(seed: int) -> None:
    log = city_log(seed, 300)
    learner = Learner(CITY)
    run(learner, log)
    restored = Learner.restore(CITY, state(learner))

    assert list(restored.capture().chunks) == ["meta"]
    assert state(restored) == state(learner)
