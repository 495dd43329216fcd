"""A series is forgotten as if it had never been; all others stay as they are, bit for bit."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from models.logs import CITY, START, Log, city_log, published, quiet_log, run, state

from hedgerow.models import Learner
from hedgerow.models.alerts.silence import LEADER, SECOND
from hedgerow.models.inspection import facts
from hedgerow.models.snapshot.moving import without

Name = tuple[str, str]
LOGS = [city_log(seed, 1_200) for seed in range(3)] + [quiet_log(1, 1_200)]


def learned(log: Log) -> Learner:
    learner = Learner(CITY)
    run(learner, log)
    return learner


def rows(learner: Learner) -> dict[Name, bytes]:
    """Everything that is known of each series, as bytes."""
    found = {}
    for number in range(learner.series_count):
        bank, row = learner.series.banks[number], learner.series.rows[number]
        parts = [learner.silence.lines[number].tobytes()]
        if bank >= 0:
            planes = (learner.banks[bank].rows[row], learner.banks[bank].singles[row])
            parts += [plane.tobytes() for plane in planes]
        else:
            parts.append(repr(learner.nursery.infants[number]).encode())
        found[learner.series.name(number)] = b"".join(parts)
    return found


def columns(learner: Learner, log: Log) -> list[tuple[object, ...]]:
    return [astuple(one) for one in published(log, run(learner, log))]


@pytest.mark.parametrize("log", LOGS)
def test_all_others_stay_as_they_are(log: Log) -> None:
    learner = learned(log)
    before, counts = rows(learner), repr(learner.counts)
    name = learner.series.name(0)
    clock, leads = learner.silence.reached_ms, learner.silence.clock[[LEADER, SECOND]].tolist()
    rest = without(learner, [name])
    assert rows(rest) == {other: row for other, row in before.items() if other != name}
    assert repr(rest.counts) == counts
    if learner.series.sensors[0] not in leads:
        assert rest.silence.reached_ms == clock


@pytest.mark.parametrize("log", LOGS)
def test_what_others_publish_later_is_the_same_to_the_bit(log: Log) -> None:
    half = len(log) // 2
    whole, rest = learned(log.part(0, half)), learned(log.part(0, half))
    name = whole.series.name(whole.series_count - 1)
    rest = without(rest, [name])
    later = log.part(half, len(log))
    told = [p for p in columns(whole, later) if p[1:3] != name]
    again = [p for p in columns(rest, later) if p[1:3] != name]
    assert told or whole.series_count == 1
    np.testing.assert_equal(again, told)


def test_a_forgotten_series_begins_as_one_never_seen() -> None:
    log = LOGS[0]
    half = len(log) // 2
    learner = learned(log.part(0, half))
    name = learner.series.name(0)
    rest = without(learner, [name])
    assert rest.series.find(*name) < 0
    later = log.part(half, len(log))
    fresh = Learner(CITY)
    told = [p for p in columns(rest, later) if p[1:3] == name]
    new = [p for p in columns(fresh, later) if p[1:3] == name]
    assert told
    np.testing.assert_equal(told, new)


def test_the_rest_is_stored_and_restored_as_it_is() -> None:
    learner = learned(LOGS[1])
    rest = without(learner, [learner.series.name(1)])
    restored = Learner.restore(CITY, state(rest))
    assert rows(restored).keys() == rows(rest).keys()
    assert state(restored) == state(rest)


def test_of_all_forgotten_the_counts_remain() -> None:
    learner = learned(LOGS[2])
    names = [learner.series.name(number) for number in range(learner.series_count)]
    rest = without(learner, names)
    assert (rest.series_count, rest.counts.learned) == (0, learner.counts.learned)


def test_facts_tell_what_is_stored_of_a_series() -> None:
    learner = learned(LOGS[0])
    for number in range(learner.series_count):
        found = facts(learner, number)
        assert (found.sensor_id, found.quantity) == learner.series.name(number)
        assert found.learned > 0
        assert found.last_ms is not None
        assert found.last_ms >= START
        assert (found.period_ms is None) == (not found.scores)
        if found.scores:
            assert found.skill == found.scores[0].references[0].skill
