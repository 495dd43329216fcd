"""A capture taken bit by bit, stepping in between, is the state at the moment it was begun."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.logs import CITY, city_log, run, state

from hedgerow.models import CityModel, Learner, Profile, RiverExpert, encode_chunk

PLUGGED = CityModel(
    profiles=(
        Profile(
            "plugged", period_seconds=3600, river=(RiverExpert("river.linear_model.PARegressor"),)
        ),
    ),
    plugin_key=b"a key of sixteen characters or more",
)


def bit_by_bit(learner: Learner, log, rng: random.Random) -> dict[str, bytes]:
    """Begin a capture, and finish it while the learner works through a log."""
    capture = learner.begin_capture()
    at, complete = 0, False
    while at < len(log) or not complete:
        if rng.random() < 0.5 and at < len(log):
            step = rng.randint(1, 40)
            run(learner, log.part(at, min(at + step, len(log))))
            at += step
        elif not complete:
            complete = learner.copy_rows(rng.choice((1, 30_000, 10**6)))
    assert set(capture.chunks) == set(capture.names)
    return {name: encode_chunk(raw) for name, raw in capture.chunks.items()}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), start=st.integers(0, 300))
def test_a_capture_taken_bit_by_bit_is_of_the_moment_it_began(seed: int, start: int) -> None:
    log = city_log(seed, 400)  # its later series come while the copying goes on
    sliced, whole = Learner(CITY), Learner(CITY)
    for learner in (sliced, whole):
        run(learner, log.part(0, start))
    then = state(whole)
    sliced.recapture_all()

    assert bit_by_bit(sliced, log.part(start, len(log)), random.Random(seed)) == then

    run(whole, log.part(start, len(log)))
    assert state(sliced) == state(whole)


@pytest.mark.parametrize("seed", range(3))
def test_plugins_are_of_that_moment_too(seed: int) -> None:
    log = city_log(seed, 200)
    sliced, whole = Learner(PLUGGED), Learner(PLUGGED)
    for learner in (sliced, whole):
        run(learner, log.part(0, 120))
    then = state(whole)
    sliced.recapture_all()

    assert bit_by_bit(sliced, log.part(120, 200), random.Random(seed)) == then


def test_what_changes_while_copying_belongs_to_the_next_capture() -> None:
    log = city_log(3, 400)
    learner = Learner(CITY)
    run(learner, log.part(0, 300))
    learner.begin_capture()
    run(learner, log.part(300, 400))
    while not learner.copy_rows(10_000):
        pass
    second = learner.capture()
    changed = [name for name in second.chunks if name.startswith("rows/")]
    complete = state(learner)

    assert changed
    for name in changed:
        assert encode_chunk(second.chunks[name]) == complete[name]


def test_a_capture_under_way_is_given_up_for_a_whole_one() -> None:
    log = city_log(4, 300)
    learner, other = Learner(CITY), Learner(CITY)
    run(other, log)
    run(learner, log.part(0, 200))
    learner.begin_capture()
    with pytest.raises(RuntimeError, match="under way"):
        learner.begin_capture()
    run(learner, log.part(200, 300))

    assert state(learner) == state(other)


def test_memory_for_a_slice_is_bounded_by_what_was_asked_for() -> None:
    learner = Learner(replace(CITY, profiles=(Profile("all", period_seconds=3600),)))
    n = 500
    learner.step([f"s{i}" for i in range(n)], [""] * n, np.zeros(n, np.int64), np.ones(n),
                 np.arange(n))  # fmt: skip
    learner.begin_capture()
    width = learner.banks[0].rows.shape[1] * 8 + learner.banks[0].singles.shape[1] * 4
    slices = 1
    while not learner.copy_rows(50 * width):
        slices += 1
    assert slices == n // 50
