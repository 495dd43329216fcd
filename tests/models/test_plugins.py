"""Any River regressor can be one more expert, and its state is kept under lock and key."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from models.logs import daily, one_series, run, state

from hedgerow.models import (
    CityModel,
    Learner,
    PluginError,
    Profile,
    RawChunk,
    Registry,
    RiverExpert,
    SensorFacts,
    SnapshotError,
    decode_chunk,
    encode_chunk,
)
from hedgerow.models.bank.plugins import PluginBank, read_models

EXPERTS = ("pattern", "ogd_0.01")
KEY = b"0123456789abcdef"


def city(*names: str, key: bytes | None = KEY, **params: float) -> CityModel:
    experts = tuple(RiverExpert(name, params) for name in names)
    return CityModel(
        (Profile("all", period_seconds=3600, horizons=(1, 3), experts=EXPERTS, river=experts),),
        plugin_key=key,
    )


LINEAR = "river.linear_model.LinearRegression"


def test_a_plug_in_with_our_own_formula_gets_our_own_weight() -> None:
    learner = Learner(city(LINEAR))
    run(learner, one_series(daily(300)))
    for score in learner.scores():
        ours, theirs = score.weights["ogd_0.01"], score.weights[f"0:{LINEAR}"]
        assert theirs == pytest.approx(ours, rel=0.3)  # our steps are bounded
    assert learner.plugin_failures == 0


def test_a_bank_with_plug_ins_says_what_the_plain_one_says_while_they_sleep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asleep(self: PluginBank, line: int, row: np.ndarray) -> np.ndarray:
        return np.full((2, 1), np.nan)

    monkeypatch.setattr(PluginBank, "_predict", asleep)
    values = daily(300)
    with_plugin = run(Learner(city(LINEAR)), one_series(values))
    plain = run(Learner(city()), one_series(values))
    np.testing.assert_allclose(with_plugin.predicted, plain.predicted, rtol=1e-9)
    np.testing.assert_allclose(with_plugin.upper, plain.upper, rtol=1e-9)


@pytest.mark.parametrize(
    "name",
    ["river.linear_model.PARegressor", "river.tree.HoeffdingTreeRegressor",
     "river.neighbors.KNNRegressor", "river.linear_model.BayesianLinearRegression"],
)  # fmt: skip
def test_plug_ins_go_on_from_a_snapshot(name: str) -> None:
    values = daily(160)
    log = one_series(values)
    whole, learner = Learner(city(name)), Learner(city(name))
    expected = run(whole, log).predicted[120:]
    run(learner, log.part(0, 120))
    restored = Learner.restore(city(name), state(learner))

    assert restored.notes == []
    np.testing.assert_array_equal(run(restored, log.part(120, 160)).predicted, expected)


def test_a_plug_in_that_fails_sleeps_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from river.linear_model import PARegressor

    def fail(self: Any, x: Any) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(PARegressor, "predict_one", fail)
    learner = Learner(city("river.linear_model.PARegressor"))
    result = run(learner, one_series(daily(50)))

    assert np.isfinite(result.predicted).all()
    # 50 forecasts at two horizons; its learning asks for a forecast too, 49 and 47 times.
    assert learner.plugin_failures == 100 + 96
    restored = Learner.restore(city("river.linear_model.PARegressor"), state(learner))
    assert restored.plugin_failures == 196


def test_without_a_key_plug_ins_are_refused() -> None:
    with pytest.raises(PluginError, match="set plugin_key"):
        city(LINEAR, key=None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("os.system", "not in River"),
        ("riverbed.Model", "not in River"),
        ("river.nothing.Here", "cannot be imported"),
        ("river.linear_model.Nothing", "not a regressor"),
        ("river.linear_model.LogisticRegression", "not a regressor"),
    ],
)
def test_what_is_no_regressor_of_river_is_refused(name: str, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        city(name)


def test_wrong_parameters_are_refused_at_the_start() -> None:
    with pytest.raises(PluginError, match="refuses its parameters"):
        city(LINEAR, nonsense=1.0)


def test_state_signed_with_another_key_is_refused() -> None:
    learner = Learner(city(LINEAR))
    run(learner, one_series(daily(30)))
    with pytest.raises(SnapshotError, match="not signed with this plugin_key"):
        Learner.restore(city(LINEAR, key=b"another"), state(learner))


def test_forged_state_is_refused_before_it_is_read() -> None:
    learner = Learner(city(LINEAR))
    run(learner, one_series(daily(30)))
    chunks = state(learner)
    name = "plugins/0000/00000"
    raw = decode_chunk(chunks[name])
    evil = np.frombuffer(pickle.dumps(Evil()), np.uint8)
    chunks[name] = encode_chunk(RawChunk(name, {"pickled": evil}, raw.meta))
    with pytest.raises(SnapshotError, match="not signed"):
        Learner.restore(city(LINEAR), chunks)


class Evil:
    """Runs a command when unpickled the ordinary way."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("true",)


class Sly(Evil):
    """Reaches for one through a module of River's that has imported it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("1",)


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps([Evil()]),
        pickle.dumps([Sly()]),
        b"\x80\x04\x8c\nriver.base\x8c\x0festimator.typing\x93.",
        b"\x80\x04\x8c\x0eriver.datasets\x8c\rTrumpApproval\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x06memmap\x93.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.",
        b"cos\nsystem\n.",
        pickle.dumps({"not": "a list"}),
        b"nonsense",
        b"",
    ],
)
def test_even_signed_state_may_name_nothing_but_models(pickled: bytes) -> None:
    with pytest.raises(SnapshotError, match="plug-in's state"):
        read_models(pickled)


PA = "river.linear_model.PARegressor"


def strengths(learner: Learner) -> list[float]:
    """Return the parameter C of each plug-in, horizon by horizon."""
    return [model.C for bank in learner.banks for model in sum(bank.models[0], [])]  # type: ignore[attr-defined]


def weight(learner: Learner) -> float:
    return learner.scores()[0].weights[f"0:{PA}"]


def test_another_parameter_begins_the_plug_in_and_its_weight_anew() -> None:
    learner = Learner(city(PA, C=0.1))
    run(learner, one_series(daily(200)))
    assert weight(learner) > 0

    restored = Learner.restore(city(PA, C=2.0), state(learner))

    assert strengths(restored) == [2.0, 2.0]
    assert weight(restored) < weight(learner)
    assert f"these start anew: 0:{PA}" in restored.notes[-1]


def test_a_sensor_that_moves_to_another_kind_gets_that_kinds_plug_in() -> None:
    profiles = tuple(
        Profile(kind, kinds=(kind,), period_seconds=3600, horizons=(1, 3), experts=EXPERTS,
                river=(RiverExpert(PA, {"C": strength}),))
        for kind, strength in (("road", 0.1), ("path", 2.0))
    )  # fmt: skip
    kinds = CityModel(profiles, plugin_key=KEY)
    log = one_series(daily(200))
    [who] = set(log.sensor_ids)
    learner = Learner(kinds, registry=Registry({who: SensorFacts(kind="road")}))
    run(learner, log)
    assert strengths(learner) == [0.1, 0.1]

    moved = learner.by_registry(Registry({who: SensorFacts(kind="path")}))

    assert strengths(moved) == [2.0, 2.0]


def test_a_snapshot_that_does_not_say_has_those_of_its_profile() -> None:
    """As an earlier release wrote it."""
    learner = Learner(city(PA, C=0.1))
    run(learner, one_series(daily(100)))
    chunks = state(learner)
    [name] = [name for name in chunks if name.startswith("plugins/")]
    raw = decode_chunk(chunks[name])
    chunks[name] = encode_chunk(
        RawChunk(name, raw.arrays, {k: v for k, v in raw.meta.items() if k != "river"})
    )

    same = Learner.restore(city(PA, C=0.1), chunks)
    assert same.notes == []
    assert weight(same) == weight(learner)
    assert strengths(Learner.restore(city(PA, C=2.0), chunks)) == [2.0, 2.0]


def test_a_new_plug_in_joins_what_was_learned_without_it() -> None:
    learner = Learner(city())
    run(learner, one_series(daily(100)))
    joined = Learner.restore(city(LINEAR), state(learner))
    assert f"0:{LINEAR}" in joined.notes[0]
    result = run(joined, one_series(daily(20), start_ms=1_767_225_600_000 + 100 * 3_600_000))
    assert np.isfinite(result.predicted).all()
