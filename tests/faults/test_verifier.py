"""The verifier on a synthetic set of topics: silent on a sound run, loud on every planted bug."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from faults.judge import verifier
from faults.judge.expected import Expected, expect
from faults.judge.verifier import Outputs, PartitionState
from faults.log import scenario
from faults.log.logs import Record, numbered

HERE = Path(__file__).parent
RULES = scenario.RULES
TOPIC = RULES.topic


@pytest.fixture(scope="module")
def log() -> list[Record]:
    return numbered(scenario.entries(scenario.Shape(days=0.7, bad=0.1)))


@pytest.fixture(scope="module")
def expected(log: list[Record]) -> Expected:
    return expect(log, RULES)


def toy_run(
    expected: Expected,
    *,
    lose: Sequence[str] = (),
    twice: Sequence[str] = (),
    silent: Sequence[tuple[int, int]] = (),
) -> tuple[Outputs, dict[int, PartitionState]]:
    """Run a worker in a few lines: the mean of all values so far is its forecast.

    ``lose`` skips readings, ``twice`` learns readings a second time after their outputs are
    out, ``silent`` forgets dead letters.
    """
    seen: dict[str, list[float]] = defaultdict(list)
    predictions, alerts = [], []
    for reading in expected.learned.values():
        if reading.id in lose:
            continue
        history = seen[reading.series]
        history.append(reading.value)
        mean = sum(history) / len(history)
        period = RULES.period_ms(reading.series)
        forecast = {
            "horizon": 1,
            "target_time": scenario.iso(reading.at_ms + period),
            "predicted": mean,
            "mean": mean,
            "lower": None,
            "upper": None,
        }
        body = {
            "id": reading.id,
            "series": reading.series,
            "sensor_id": reading.sensor_id,
            "quantity": reading.quantity,
            "source_offset": reading.offset,
            "issued_at": scenario.iso(reading.at_ms),
            "observed": reading.value,
            "model": "toy",
            "forecasts": [forecast],
        }
        predictions.append(_published(len(predictions), reading.series, body))
        if len(history) in {10, 14}:
            state = "open" if len(history) == 10 else "resolved"
            opening = reading.offset if state == "open" else 0
            alert = {
                "id": f"{reading.id}:bound:{state}",
                "episode": f"{reading.series}:bound",
                "series": reading.series,
                "source_offset": reading.offset,
                "kind": "bound",
                "state": state,
                "opening": opening,
            }
            alerts.append(_published(len(alerts), reading.series, alert))
        if reading.id in twice:
            history.append(reading.value)
    dead = []
    for place, (record, reason) in expected.dead.items():
        if place in silent:
            continue
        headers = (
            ("dlq.reason", reason.encode()),
            ("dlq.error", b"a sentence"),
            ("dlq.topic", TOPIC.encode()),
            ("dlq.partition", str(record.partition).encode()),
            ("dlq.offset", str(record.offset).encode()),
            ("dlq.timestamp", str(record.timestamp_ms).encode()),
        )
        dead.append(dataclasses.replace(record, partition=0, offset=len(dead), headers=headers))
    state = {
        number: PartitionState(end, {"means": json.dumps(seen, sort_keys=True).encode()})
        for number, end in expected.ends.items()
    }
    return Outputs(predictions, alerts, dead), state


def _published(offset: int, series: str, body: dict[str, object]) -> Record:
    return Record(0, offset, 0, series.encode(), json.dumps(body).encode())


def middle(expected: Expected) -> str:
    """Return the id of a reading with plenty of history and of future."""
    names = [name for name in expected.learned if name.endswith(":f00")]
    return names[len(names) // 2]


JUDGES = [*sorted((HERE / "judge").glob("*.py")), HERE / "log" / "logs.py"]


@pytest.mark.parametrize("judge", JUDGES, ids=lambda path: path.stem)
def test_a_judge_shares_no_code_with_what_it_judges(judge: Path) -> None:
    tree = ast.parse(judge.read_text("utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "hedgerow" not in imported


def test_the_scenario_holds_every_outcome_and_every_reason(expected: Expected) -> None:
    assert {name for name, count in expected.counts.items() if count} == {
        "decoded", "dead_lettered", "learned", "late", "duplicate", "rejected",
        *(f"dead:{reason}" for reason in scenario.BAD),
    }  # fmt: skip


def test_each_bad_message_is_refused_for_the_reason_it_was_made_for(log: list[Record]) -> None:
    for reason, makers in scenario.BAD.items():
        for make in makers:
            key, value = make("f00", scenario.START_MS)
            outcome = expect([Record(0, 0, scenario.START_MS, key, value)], RULES)
            assert [why for _, why in outcome.dead.values()] == [reason], value


def test_the_same_seed_writes_the_same_log() -> None:
    shape = scenario.Shape(days=0.2)
    assert scenario.entries(shape) == scenario.entries(shape)


def test_every_message_and_reading_is_accounted_for(log: list[Record], expected: Expected) -> None:
    counts = expected.counts
    assert counts["decoded"] + counts["dead_lettered"] == len(log)
    assert counts["learned"] == len(expected.learned)


def test_a_sound_run_passes(expected: Expected) -> None:
    outputs, state = toy_run(expected)
    assert verifier.check_outputs(expected, outputs, RULES) == []
    assert verifier.check_state(expected, state) == []
    assert verifier.same_outputs(outputs, outputs) == []
    assert verifier.same_state(state, state) == []
    assert verifier.repeats(outputs.predictions) == 0


def test_identical_repeats_pass(expected: Expected) -> None:
    calm, _ = toy_run(expected)
    replayed = [
        dataclasses.replace(record, offset=record.offset + 10_000)
        for record in calm.predictions[100:200]
    ]
    outputs = dataclasses.replace(
        calm,
        predictions=[*calm.predictions, *replayed],
        alerts=[*calm.alerts, *calm.alerts],
        dead_letters=[*calm.dead_letters, *calm.dead_letters[:3]],
    )
    assert verifier.check_outputs(expected, outputs, RULES) == []
    assert verifier.same_outputs(calm, outputs) == []
    assert verifier.repeats(outputs.predictions) == 100


def test_a_lost_reading_is_caught(expected: Expected) -> None:
    outputs, _ = toy_run(expected, lose=[middle(expected)])
    problems = verifier.check_outputs(expected, outputs, RULES)
    assert any("prediction: missing" in problem for problem in problems)


def test_a_reading_lost_behind_its_prediction_is_caught(expected: Expected) -> None:
    calm, calm_state = toy_run(expected)
    rough, state = toy_run(expected, lose=[middle(expected)])
    kept = next(r for r in calm.predictions if middle(expected).encode() in (r.value or b""))
    outputs = dataclasses.replace(rough, predictions=[*rough.predictions, kept])
    assert any("differ" in problem for problem in verifier.same_outputs(calm, outputs))
    assert any("differ" in problem for problem in verifier.same_state(calm_state, state))


def test_a_reading_learned_twice_is_caught(expected: Expected) -> None:
    calm, calm_state = toy_run(expected)
    outputs, state = toy_run(expected, twice=[middle(expected)])
    assert verifier.check_outputs(expected, outputs, RULES) == []  # each answer looks right
    assert any("differ" in problem for problem in verifier.same_outputs(calm, outputs))
    assert any("differ" in problem for problem in verifier.same_state(calm_state, state))


def test_a_prediction_nobody_asked_for_is_caught(expected: Expected) -> None:
    outputs, _ = toy_run(expected)
    late = json.loads(outputs.predictions[0].value or b"") | {"id": f"{TOPIC}:0:999999:f00"}
    extra = _published(999_999, "f00", late)
    outputs = dataclasses.replace(outputs, predictions=[*outputs.predictions, extra])
    problems = verifier.check_outputs(expected, outputs, RULES)
    assert any("prediction: not due" in problem for problem in problems)


def test_a_repeat_that_is_not_identical_is_caught(expected: Expected) -> None:
    outputs, _ = toy_run(expected)
    first = outputs.predictions[0]
    other = json.loads(first.value or b"")
    other["forecasts"][0]["predicted"] += 1e-9
    repeat = dataclasses.replace(first, offset=999_999, value=json.dumps(other).encode())
    changed = dataclasses.replace(outputs, predictions=[*outputs.predictions, repeat])
    problems = verifier.check_outputs(expected, changed, RULES)
    assert any("repeats that are not identical" in problem for problem in problems)


def test_predictions_out_of_order_are_caught(expected: Expected) -> None:
    outputs, _ = toy_run(expected)
    late = next(r for r in outputs.predictions if r.key == b"f00")
    moved = [r for r in outputs.predictions if r is not late]
    outputs = dataclasses.replace(
        outputs, predictions=[*moved, dataclasses.replace(late, offset=999_999)]
    )
    problems = verifier.check_outputs(expected, outputs, RULES)
    assert any("out of order" in problem for problem in problems)


def test_a_missing_dead_letter_is_caught(expected: Expected) -> None:
    outputs, _ = toy_run(expected, silent=[next(iter(expected.dead))])
    problems = verifier.check_outputs(expected, outputs, RULES)
    assert any("dead letter: missing" in problem for problem in problems)


@pytest.mark.parametrize("change", [{"value": b"?"}, {"key": b"?"}, {"headers": "reason"}])
def test_a_changed_dead_letter_is_caught(expected: Expected, change: dict[str, object]) -> None:
    outputs, _ = toy_run(expected)
    first = outputs.dead_letters[0]
    if "headers" in change:
        change = {"headers": (("dlq.reason", b"moon"), *first.headers[1:])}
    outputs = dataclasses.replace(
        outputs,
        dead_letters=[dataclasses.replace(first, **change), *outputs.dead_letters[1:]],  # type: ignore[arg-type]
    )
    problems = verifier.check_outputs(expected, outputs, RULES)
    assert any("wrong dead letters" in problem for problem in problems)


def test_an_episode_that_resolves_without_opening_is_caught(expected: Expected) -> None:
    outputs, _ = toy_run(expected)
    outputs = dataclasses.replace(
        outputs, alerts=[r for r in outputs.alerts if b":resolved" in (r.value or b"")]
    )
    problems = verifier.check_outputs(expected, outputs, RULES)
    assert any("never opened" in problem for problem in problems)


def test_a_state_short_of_the_end_is_caught(expected: Expected) -> None:
    _, state = toy_run(expected)
    state[0] = PartitionState(state[0].next_offset - 1, state[0].chunks)
    assert verifier.check_state(expected, state)


def test_a_wrong_count_is_caught(expected: Expected) -> None:
    counted = dict(expected.counts)
    assert verifier.check_counts(expected, counted) == []
    counted["learned"] += 1
    assert verifier.check_counts(expected, counted)
