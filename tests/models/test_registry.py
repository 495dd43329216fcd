"""What is declared of single sensors: what it changes, when, and that a crash changes nothing."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.logs import CITY as PLAIN_CITY
from models.logs import COMPANY, Log, city_log, company_log, kinds, one_series, run, state

from hedgerow.models import (
    CityModel,
    Learner,
    Profile,
    Registry,
    SensorFacts,
    SnapshotError,
    encode_chunk,
)
from hedgerow.models.registry import EMPTY
from hedgerow.models.snapshot.moving import deal, without

HOURLY = CityModel((Profile("all", period_seconds=3600, horizons=(1, 2), bound_upper=90.0),))


def registry(**facts: object) -> Registry:
    """The one series of `one_series` belongs to sensor ``s1``."""
    return Registry({"s1": SensorFacts(**facts)})  # type: ignore[arg-type]


def values(count: int, top: float = 50.0) -> list[float]:
    return [top - 40.0 + 40.0 * ((i % 24) / 24.0) for i in range(count)]


# ---------------------------------------------------------------- bounds


def test_a_sensor_s_bounds_stand_instead_of_the_profile_s() -> None:
    log = one_series([*values(30), 60.0, 95.0])

    by_profile = run(Learner(HOURLY), log).alerts
    by_sensor = run(Learner(HOURLY, registry=registry(bound_upper=58.0)), log).alerts
    lower_only = run(Learner(HOURLY, registry=registry(bound_lower=-1.0)), log).alerts

    assert [(a.observed, a.upper) for a in by_profile if a.kind == "bound"] == [(95.0, 90.0)]
    assert [(a.observed, a.upper) for a in by_sensor if a.kind == "bound"] == [(60.0, 58.0)]
    assert [a for a in lower_only if a.kind == "bound"] == []


def test_every_sensor_can_have_bounds_of_its_own_in_one_bank() -> None:
    sensors = [f"s{i}" for i in range(300)]
    facts = {who: SensorFacts(bound_upper=10.0 + i) for i, who in enumerate(sensors)}
    learner = Learner(HOURLY, registry=Registry(facts))
    n = len(sensors)

    result = learner.step(sensors, [""] * n, np.zeros(n, np.int64), np.full(n, 110.5), np.arange(n))

    assert len(learner.banks) == 1
    assert [(a.sensor_id, a.upper) for a in result.alerts if a.kind == "bound"] == [
        (f"s{i}", 10.0 + i) for i in range(101)
    ]


def test_a_changed_bound_keeps_what_was_learned() -> None:
    log = one_series(values(100))
    learner, other = Learner(HOURLY), Learner(HOURLY)
    run(learner, log.part(0, 60))
    run(other, log.part(0, 60))

    went_on = learner.by_registry(registry(bound_upper=1000.0))

    assert went_on is learner
    one, two = run(went_on, log.part(60, 100)), run(other, log.part(60, 100))
    assert one.predicted.tolist() == two.predicted.tolist()


def test_bounds_that_are_taken_away_resolve_the_episode_they_had_opened() -> None:
    city = CityModel((Profile("all", period_seconds=3600, horizons=(1,)),))
    learner = Learner(city, registry=registry(bound_upper=20.0))
    log = one_series([30.0 + i % 5 for i in range(20)])

    opened = kinds(run(learner, log.part(0, 10)).alerts)
    learner = learner.by_registry(EMPTY)
    resolved = kinds(run(learner, log.part(10, 20)).alerts)

    assert ("bound", "open") in opened
    assert ("bound", "resolved") in resolved


# ---------------------------------------------------------------- period, profile, neighbours


def test_a_declared_period_needs_no_waiting_and_stands_over_the_profile_s() -> None:
    learner = Learner(HOURLY, registry=registry(period_seconds=1800.0))
    run(learner, one_series(values(3)))

    assert [bank.period_ms for bank in learner.banks] == [1_800_000]


def test_a_changed_period_starts_that_series_anew_and_no_other() -> None:
    log = city_log(3, 300)
    city = CityModel((Profile("all", horizons=(1, 4), period_seconds=3600.0),))
    learner = Learner(city)
    run(learner, log)
    who = log.sensor_ids[0]
    before = {score.key: score for score in map(_named, learner.scores())}

    learner = learner.by_registry(Registry({who: SensorFacts(period_seconds=600.0)}))
    after = {score.key: score for score in map(_named, learner.scores())}

    assert {key for key in before if key not in after} == {key for key in before if key[0] == who}
    assert all(after[key].score == before[key].score for key in after)
    assert any("period changed from 3600000 to 600000 ms" in note for note in learner.notes)


class _named:  # noqa: N801 - pairs a score with its place
    def __init__(self, score: object) -> None:
        self.score = score
        self.key = (score.sensor_id, score.quantity, score.horizon)  # type: ignore[attr-defined]


def test_a_period_declared_while_a_series_waits_for_one_ends_its_waiting() -> None:
    city = CityModel((Profile("all", horizons=(1,)),))
    learner = Learner(city)
    log = one_series(values(10))
    run(learner, log.part(0, 5))

    learner = learner.by_registry(registry(period_seconds=3600.0))
    result = run(learner, log.part(5, 10))

    assert learner.nursery.infants == {}
    assert len(result.learned) == 5
    assert result.horizons.tolist() == [[1]] * 5


def test_kind_and_zone_choose_the_profile() -> None:
    city = CityModel(
        (
            Profile("harbour", zones=("harbour",), kinds=("traffic",)),
            Profile("traffic", kinds=("traffic", "bicycles")),
        )
    )
    facts = {
        "a": SensorFacts(kind="traffic", zone="harbour"),
        "b": SensorFacts(kind="bicycles", zone="harbour"),
        "c": SensorFacts(zone="harbour"),
    }
    learner = Learner(city, registry=Registry(facts))

    result = learner.step([*"abcd"], [""] * 4, np.zeros(4, np.int64), np.ones(4), np.arange(4))

    assert result.models == ["harbour", "traffic", "default", "default"]


def test_neighbours_of_one_sensor_leave_the_rows_of_the_others_as_they_are() -> None:
    profile = Profile("all", period_seconds=3600, horizons=(1,), experts=("pattern",))
    learner = Learner(CityModel((profile,)))
    log = company_log(5, 200)
    run(learner, log)
    scores = [score for score in learner.scores() if score.sensor_id != "a"]
    width = learner.banks[0].layout.sizes.width

    learner = learner.by_registry(Registry({"a": SensorFacts(neighbours=("b",))}))

    assert [score for score in learner.scores() if score.sensor_id != "a"] == scores
    assert width in {bank.layout.sizes.width for bank in learner.banks}
    assert {bank.layout.sizes.places for bank in learner.banks} == {0, 1}
    of_a = [score for score in learner.scores() if score.sensor_id == "a"]
    assert all(score.n > 0 for score in of_a), "what fits is kept"


# ---------------------------------------------------------------- snapshots


def test_the_registry_travels_in_the_snapshot_and_is_written_only_when_it_changed() -> None:
    learner = Learner(HOURLY, registry=registry(bound_upper=5.0, neighbours=("x", "y/q")))
    log = one_series(values(30))
    run(learner, log.part(0, 10))
    first = learner.capture()
    run(learner, log.part(10, 20))
    second = learner.capture()
    learner = learner.by_registry(registry(bound_upper=6.0, neighbours=("x", "y/q")))
    third = learner.capture()

    assert "registry" in first.chunks
    assert "registry" in second.names
    assert "registry" not in second.chunks
    assert third.chunks["registry"].meta["version"] == learner.registry.version
    assert Learner.restore(HOURLY, state(learner)).registry == learner.registry


def test_a_snapshot_from_before_there_was_a_registry_is_read_and_stays_as_it_is() -> None:
    learner = Learner(HOURLY)
    run(learner, one_series(values(30)))
    chunks = state(learner)

    assert "registry" not in chunks
    restored = Learner.restore(HOURLY, chunks)
    assert restored.registry == EMPTY
    assert state(restored) == chunks


def test_a_damaged_registry_is_refused_also_where_it_is_known() -> None:
    known = registry(bound_upper=5.0)
    learner = Learner(HOURLY, registry=known)
    run(learner, one_series(values(30)))
    chunks = state(learner)

    assert Learner.restore(HOURLY, chunks, known=known).registry is known
    chunks["registry"] = chunks["registry"][:-1] + bytes([chunks["registry"][-1] ^ 1])
    with pytest.raises(SnapshotError, match="registry: chunk was changed"):
        Learner.restore(HOURLY, chunks, known=known)


def test_a_series_whose_period_has_just_changed_can_be_moved_and_left_behind() -> None:
    log = city_log(3, 300)
    learner = Learner(CityModel((Profile("all", horizons=(1, 4), period_seconds=3600.0),)))
    run(learner, log)
    who, other = (
        log.sensor_ids[0],
        next(name for name in log.sensor_ids if name != log.sensor_ids[0]),
    )
    learner = learner.by_registry(Registry({who: SensorFacts(period_seconds=600.0)}))
    names = set(learner.series.sensor_ids)

    rest = without(learner, [(other, "")])

    assert who in rest.series.sensor_ids
    dealt = deal([rest], city=rest.city, partitions=2, target_of=lambda sensor: int(sensor == who))
    assert set(dealt.learners[1].series.sensor_ids) == {who}
    assert {s for one in dealt.learners for s in one.series.sensor_ids} <= names


@pytest.mark.parametrize("what", ["missing", "another", "changed"])
def test_a_registry_that_is_not_the_snapshot_s_is_refused(what: str) -> None:
    learner = Learner(HOURLY, registry=registry(bound_upper=5.0))
    run(learner, one_series(values(30)))
    chunks = state(learner)
    raw = registry(bound_upper=6.0).chunk()
    if what == "missing":
        del chunks["registry"]
    elif what == "another":
        chunks["registry"] = encode_chunk(raw)
    else:
        chunks["registry"] = encode_chunk(replace(raw, meta={"version": learner.registry.version}))

    with pytest.raises(SnapshotError, match="registry"):
        Learner.restore(HOURLY, chunks)


def test_names_that_say_nothing_to_learning_are_no_new_version() -> None:
    assert Registry({"a": SensorFacts()}).version == ""
    assert Registry({"a": SensorFacts(), "b": SensorFacts(zone="x")}).version == (
        Registry({"b": SensorFacts(zone="x")}).version
    )


def test_partitions_that_are_dealt_out_go_by_the_registry_of_most_series() -> None:
    log = city_log(3, 300)
    who = sorted(set(log.sensor_ids))
    newer = Registry({who[0]: SensorFacts(bound_upper=1.0, neighbours=(who[1],))})
    busy, idle = Learner(PLAIN_CITY, registry=newer), Learner(PLAIN_CITY)
    run(busy, log)

    dealt = deal([busy, idle], city=PLAIN_CITY, partitions=2, target_of=lambda s: who.index(s) % 2)

    assert [learner.registry for learner in dealt.learners] == [newer, newer]
    (first,) = {
        (int(learner.banks[bank].bounds[row, 1]), learner.banks[bank].layout.sizes.places)
        for learner in dealt.learners
        for name, bank, row in zip(
            learner.series.sensor_ids, learner.series.banks, learner.series.rows, strict=False
        )
        if name == who[0] and bank >= 0
    }
    assert first == (1, 1)


# ---------------------------------------------------------------- crashes


def _random_registry(rng: random.Random, sensors: list[str]) -> Registry:
    facts = {}
    for who in sensors:
        if rng.random() < 0.6:
            others = [other for other in sensors if other != who]
            facts[who] = SensorFacts(
                kind=rng.choice(["", "road", "rail"]),
                bound_upper=rng.choice([None, rng.uniform(40, 70)]),
                bound_lower=rng.choice([None, rng.uniform(0, 40)]),
                period_seconds=rng.choice([None, None, None, 3600.0, 2 * 3600.0]),
                neighbours=tuple(
                    rng.sample(others, k=min(rng.choice([0, 0, 0, 1, 2]), len(others)))
                ),
            )
    return Registry(facts)


ROADS = Profile(
    "by-kind", kinds=("road",), horizons=(2,), experts=("pattern",), period_seconds=3600.0
)
CITIES = {
    "plain": (replace(PLAIN_CITY, profiles=(ROADS, *PLAIN_CITY.profiles)), city_log),
    "company": (replace(COMPANY, profiles=(ROADS, *COMPANY.profiles)), company_log),
}


@pytest.mark.parametrize("which", CITIES)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    changes=st.lists(st.integers(0, 400), min_size=1, max_size=3, unique=True),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_changes_at_the_same_offsets_give_the_same_bits_whatever_is_cut_or_crashes(
    which: str, seed: int, changes: list[int], cuts: list[int]
) -> None:
    city, make = CITIES[which]
    log, rng = make(seed, 400), random.Random(seed)
    sensors = sorted(set(log.sensor_ids))
    registries = {at: _random_registry(rng, sensors) for at in changes}

    calm, expected = Learner(city), {}
    for start, end in _spans([*changes, 0]):
        calm = calm.by_registry(registries.get(start, calm.registry))
        expected.update(_outputs(log.part(start, end), run(calm, log.part(start, end))))

    learner, found = Learner(city), {}
    stored = _store(learner, {}), 0
    edges = _spans([*changes, *cuts, 0])
    while edges:
        start, end = edges.pop(0)
        if start in registries and registries[start].version != learner.registry.version:
            learner = learner.by_registry(registries[start])
            stored = _store(learner, stored[0]), start  # durable before anything else is stepped
        elif rng.random() < 0.3:
            stored = _store(learner, stored[0]), start
        part = log.part(start, end)
        found.update(_outputs(part, run(learner, part)))
        if rng.random() < 0.3:
            learner = Learner.restore(city, stored[0])
            edges = [span for span in _spans([*changes, *cuts, 0]) if span[0] >= stored[1]]

    assert found == expected
    assert state(learner) == state(calm)


def _spans(edges: list[int]) -> list[tuple[int, int]]:
    ends = sorted({*edges, 400})
    return list(zip(ends, ends[1:], strict=False))


def _store(learner: Learner, before: dict[str, bytes]) -> dict[str, bytes]:
    capture = learner.capture()
    new = {name: encode_chunk(raw) for name, raw in capture.chunks.items()}
    return {name: new.get(name) or before[name] for name in capture.names}


def _outputs(log: Log, result: object) -> dict[int, str]:
    lines = {
        log.first_offset + p: repr(
            (
                result.models[i], result.predicted[i].tolist(), result.mean[i].tolist(),  # type: ignore[attr-defined]
                result.lower[i].tolist(), result.upper[i].tolist(),  # type: ignore[attr-defined]
            )
        )
        for i, p in enumerate(result.learned.tolist())  # type: ignore[attr-defined]
    }  # fmt: skip
    for alert in result.alerts:  # type: ignore[attr-defined]
        at = log.first_offset + alert.position
        lines[at] = lines.get(at, "") + repr(replace(alert, position=0))
    return lines


def test_a_chunk_is_made_of_arrays_that_the_version_had_made() -> None:
    registry = Registry({f"s{n}": SensorFacts(bound_upper=float(n)) for n in range(9)})
    assert registry.version
    arrays = vars(registry)["_arrays"]

    assert registry.chunk().arrays is arrays is registry.chunk().arrays
